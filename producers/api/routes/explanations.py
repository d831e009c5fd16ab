"""Why a frame has the plate it has, or none: every box with its verdict, as JSON and as a picture."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import require
from producers.api.drawing.explanation import draw
from producers.api.middleware.problems import ALWAYS, NotFoundError, described
from producers.api.params import BINARY
from producers.api.routes.pictures import FrameIdPath, JpegResponse, read_picture
from producers.api.services import ApiServices, Given
from storage.access.keys import Role
from storage.results import queries
from storage.results.explanations import Explanation

router = APIRouter(
    route_class=Logged,
    prefix="/v1/frames/{frame_id}/explanation",
    tags=["pictures"],
    responses=ALWAYS | described(404),
    dependencies=[Depends(require(Role.VIEWER))],
)


@router.get("", summary="Why it has its plate, or none")
def get_explanation(frame_id: FrameIdPath, services: Given) -> Explanation:
    """A verdict for every box that was stored: what became of it, and the numbers that decided."""
    return _explanation(services, frame_id)


@router.get(
    "/picture",
    summary="The same as a picture",
    response_class=JpegResponse,
    responses={
        200: {
            "content": {"image/jpeg": {"schema": BINARY}},
            "description": "The picture, and below it the crop of every box.",
        }
    },
)
def get_explained_picture(frame_id: FrameIdPath, services: Given) -> Response:
    """Not kept by caches: a passage may change its mind as long as the vehicle is seen."""
    explanation = _explanation(services, frame_id)
    return JpegResponse(draw(read_picture(services, frame_id), explanation), headers={"Cache-Control": "no-store"})


def _explanation(services: ApiServices, frame_id: str) -> Explanation:
    explanation = queries.explain_frame(services.database, frame_id)
    if explanation is None:
        raise NotFoundError("frame", frame_id, hint="or it is not finished yet")
    return explanation
