"""Frames: what was found on one, its picture, the annotated picture, and the crop of a passage's plate."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Path, Response

from producers.api.annotate import annotate, cut
from producers.api.auth import require
from producers.api.problems import RESPONSES
from producers.api.services import Given, Services
from sightline.types import FrameResult
from storage import queries
from storage.keys import Role

router = APIRouter(prefix="/v1", tags=["pictures"], responses=RESPONSES, dependencies=[Depends(require(Role.VIEWER))])

FrameIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
PassageId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.-]{1,80}$")]

_SIGNATURES = ((b"\xff\xd8", "image/jpeg"), (b"\x89PNG", "image/png"), (b"RIFF", "image/webp"))
#: A stored picture never changes.
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}


class PictureResponse(Response):
    media_type = "image/jpeg"


@router.get("/frames/{frame_id}")
def get_frame(frame_id: FrameIdPath, services: Given) -> FrameResult:
    """All that is known of a frame: detections, readings, and what each stage ran and took."""
    return _frame(services, frame_id)


@router.get("/frames/{frame_id}/picture", response_class=PictureResponse)
def get_picture(frame_id: FrameIdPath, services: Given) -> Response:
    """The picture as it came."""
    picture = read_picture(services, frame_id)
    media_type = next((kind for start, kind in _SIGNATURES if picture.startswith(start)), "application/octet-stream")
    return Response(picture, media_type=media_type, headers=_FOREVER | {"X-Content-Type-Options": "nosniff"})


@router.get("/frames/{frame_id}/annotated", response_class=PictureResponse)
def get_annotated(frame_id: FrameIdPath, services: Given) -> Response:
    """The picture with boxes and texts drawn on it."""
    result = _frame(services, frame_id)
    return PictureResponse(annotate(read_picture(services, frame_id), result), headers=_FOREVER)


@router.get("/passages/{passage_id}/crop", response_class=PictureResponse)
def get_crop(passage_id: PassageId, services: Given) -> Response:
    """The plate, cut from the frame that was read best."""
    passage = queries.get_passage(services.database, passage_id)
    if passage is None or passage.best_xyxy is None:
        raise HTTPException(404, f"passage_id: there is no passage {passage_id!r} with a picture")
    return PictureResponse(cut(read_picture(services, passage.best_frame_id), passage.best_xyxy))


def read_picture(services: Services, frame_id: str) -> bytes:
    """The kept picture, or the one of a frame that is still being worked on."""
    for store in (services.pictures, services.publisher.frames):
        (picture,) = store.get_many([frame_id])
        if picture is not None:
            return picture
    raise HTTPException(404, f"frame_id: no picture of {frame_id!r} is kept (the setting keep_pictures decides)")


def _frame(services: Services, frame_id: str) -> FrameResult:
    result = queries.get_frame(services.database, frame_id)
    if result is None:
        raise HTTPException(404, f"frame_id: there is no finished frame {frame_id!r}")
    return result
