"""What was found: passages, detections, readings."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from producers.api.audit_trail import Logged
from producers.api.auth import require
from producers.api.problems import ALWAYS, NotFoundError, described
from producers.api.queries import Cursor, Limit, Since, Source, Until
from producers.api.services import Given
from storage import queries
from storage.keys import Role
from storage.views import DetectionView, Page, PassageView, ReadingView

router = APIRouter(
    route_class=Logged, prefix="/v1", tags=["results"], responses=ALWAYS, dependencies=[Depends(require(Role.VIEWER))]
)

PassageId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]
Text = Annotated[
    str | None,
    Query(max_length=64, description="In any spelling (`kab 4721`); `*` stands for any characters, `?` for one."),
]


@router.get("/passages", summary="Vehicles that passed")
def list_passages(
    services: Given,
    text: Text = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[PassageView]:
    """Vehicles that passed a camera, one plate each, newest first."""
    return queries.list_passages(
        services.database, text=text, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/passages/{passage_id}", summary="One passage", responses=described(404))
def get_passage(passage_id: PassageId, services: Given) -> PassageView:
    """Passages that turn out to be one are merged: then one of the ids is gone."""
    passage = queries.get_passage(services.database, passage_id)
    if passage is None:
        raise NotFoundError("passage", passage_id)
    return passage


@router.get("/detections", summary="Objects found")
def list_detections(
    services: Given,
    label: Annotated[str | None, Query(max_length=64, description="Only this label.")] = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[DetectionView]:
    """Objects found, with boxes `xyxy` in pixels of the frame, newest first."""
    return queries.list_detections(
        services.database, label=label, source=source, since=since, until=until, limit=limit, cursor=cursor
    )


@router.get("/readings", summary="Texts read")
def list_readings(
    services: Given,
    text: Text = None,
    source: Source = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReadingView]:
    """Texts read, with confidence per character, newest first."""
    return queries.list_readings(
        services.database, text=text, source=source, since=since, until=until, limit=limit, cursor=cursor
    )
