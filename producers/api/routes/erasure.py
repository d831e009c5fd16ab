"""`DELETE` of what was seen: a frame, a vehicle, all of a source. For admins, and for good."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from producers.api.access.audit_trail import ChangesLogged
from producers.api.access.auth import require
from producers.api.middleware.problems import ALWAYS, NotFoundError, described
from producers.api.routes.pictures import FrameIdPath
from producers.api.routes.results import PassageId
from producers.api.services import ApiServices, Given
from storage.access.keys import Role
from storage.retention import erasure
from storage.retention.erasure import Erased

router = APIRouter(
    route_class=ChangesLogged,
    prefix="/v1",
    tags=["erasure"],
    responses=ALWAYS | described(404),
    dependencies=[Depends(require(Role.ADMIN))],
)

SourcePath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]


@router.delete("/frames/{frame_id}", summary="Forget a frame")
def erase_frame(frame_id: FrameIdPath, services: Given) -> Erased:
    """With its picture and all that was found on it. A passage that has other readings says what those say."""
    return _done(services, erasure.erase_frame(services.database, services.pictures, frame_id), "frame", frame_id)


@router.delete("/passages/{passage_id}", summary="Forget a vehicle")
def erase_passage(passage_id: PassageId, services: Given) -> Erased:
    """With every frame that it was read on, pictures and all, also where these show others."""
    return _done(
        services, erasure.erase_passage(services.database, services.pictures, passage_id), "passage", passage_id
    )


@router.delete("/sources/{source_id}/data", summary="Forget all of a source")
def erase_source(source_id: SourcePath, services: Given) -> Erased:
    """Frames, pictures, dead letters and passages. A camera stays and goes on; what is still being worked on comes."""
    return _done(
        services, erasure.erase_source(services.database, services.pictures, source_id), "data of source", source_id
    )


def _done(services: ApiServices, erased: Erased | None, what: str, name: str) -> Erased:
    if erased is None:
        raise NotFoundError(what, name)
    services.publisher.ledger.forget(erased.job_ids)
    return erased
