"""Frames: what was found on one, its picture, the annotated picture, and the crop of a passage's plate."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Response

from producers.api.access.audit_trail import Logged
from producers.api.access.auth import require
from producers.api.drawing.annotate import annotate, cut
from producers.api.middleware.problems import ALWAYS, NotFoundError, described
from producers.api.params import BINARY
from producers.api.routes.results import PassageId
from producers.api.services import ApiServices, Given
from sightline.redaction import redact_text
from sightline.types import AnyResult, FrameResult, ItemResult
from storage.access.keys import Role
from storage.results import queries
from storage.results.traces import Trace, trace_frame

router = APIRouter(
    route_class=Logged,
    prefix="/v1",
    tags=["pictures"],
    responses=ALWAYS | described(404),
    dependencies=[Depends(require(Role.VIEWER))],
)

FrameIdPath = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]

DetectionIndex = Annotated[int, Path(ge=0, le=10_000)]
MaxWidth = Annotated[int, Query(ge=64, le=4096, description="At most so many pixels wide.")]

_SIGNATURES: Final = ((b"\xff\xd8", "image/jpeg"), (b"\x89PNG", "image/png"), (b"RIFF", "image/webp"))
#: A stored picture never changes.
_FOREVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
#: What is known of a frame may: a dead one can be replayed.
_A_WHILE: Final = {"Cache-Control": "private, max-age=3600"}
JPEG: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/jpeg": {"schema": BINARY}}, "description": "The picture."}
}


class JpegResponse(Response):
    media_type = "image/jpeg"


@router.get("/frames/{frame_id}", summary="One frame with all that was found", response_model=AnyResult)
def get_frame(frame_id: FrameIdPath, services: Given) -> Response:
    """Detections, readings, and what each stage ran and how long it took; of a dead frame the reason.

    Of an item that is no picture what its pipeline finds.
    """
    # FastAPI would leave out what a package's result has beside ours.
    return Response(_item(services, frame_id).model_dump_json(), media_type="application/json")


@router.get("/frames/{frame_id}/trace", summary="Where its time went")
def get_trace(frame_id: FrameIdPath, services: Given) -> Trace:
    """Of a stored frame: how long it waited for each stage, its share of each model, and the rest."""
    trace = trace_frame(services.database, frame_id)
    if trace is None:
        raise NotFoundError("frame", frame_id, hint="or it is not stored: only rows have times")
    return trace


@router.get("/frames/{frame_id}/picture", summary="Its picture as it came", response_class=JpegResponse, responses=JPEG)
def get_picture(frame_id: FrameIdPath, services: Given) -> Response:
    """JPEG, PNG or WebP. The setting `keep_pictures` decides which are kept."""
    return picture_response(read_picture(services, frame_id))


@router.get(
    "/frames/{frame_id}/annotated",
    summary="Its picture with boxes and texts",
    response_class=JpegResponse,
    responses=JPEG,
)
def get_annotated(frame_id: FrameIdPath, services: Given, width: MaxWidth = 1280) -> Response:
    """Drawn on demand: green what was read, amber what was only found."""
    result = _frame(services, frame_id)
    return JpegResponse(annotate(read_picture(services, frame_id), result, max_width_px=width), headers=_A_WHILE)


@router.get(
    "/frames/{frame_id}/detections/{detection_index}/crop",
    summary="The part of its picture inside one box",
    response_class=JpegResponse,
    responses=JPEG,
)
def get_detection_crop(frame_id: FrameIdPath, detection_index: DetectionIndex, services: Given) -> Response:
    """With a margin; `detection_index` counts from 0 in the order of the frame's detections."""
    detections = _frame(services, frame_id).detections
    if detection_index >= len(detections):
        raise NotFoundError("detection", str(detection_index), hint=f"frame {frame_id} has {len(detections)}")
    return JpegResponse(cut(read_picture(services, frame_id), detections[detection_index].xyxy), headers=_FOREVER)


@router.get(
    "/passages/{passage_id}/crop", summary="The plate of a passage", response_class=JpegResponse, responses=JPEG
)
def get_passage_crop(passage_id: PassageId, services: Given) -> Response:
    """Cut from the frame that was read best; it may change as long as the vehicle is seen."""
    passage = queries.get_passage(services.database, passage_id)
    if passage is None or passage.best_xyxy is None:
        raise NotFoundError("passage", passage_id, hint="or where its plate was is not known")
    return JpegResponse(cut(read_picture(services, passage.best_frame_id), passage.best_xyxy), headers=_A_WHILE)


def picture_response(picture: bytes) -> Response:
    media_type = next((kind for start, kind in _SIGNATURES if picture.startswith(start)), "application/octet-stream")
    return Response(picture, media_type=media_type, headers=_FOREVER)


def read_picture(services: ApiServices, frame_id: str) -> bytes:
    """The kept picture, or the one of a frame that is still being worked on."""
    for store in (services.pictures, services.publisher.frames):
        (picture,) = store.get_many([frame_id])
        if picture is not None:
            return picture
    where = redact_text(services.settings.picture_store_url)
    raise NotFoundError(
        "picture",
        frame_id,
        hint=f"this API looks in {where}; the writer must keep pictures there too (SIGHTLINE_PICTURES_URL, the same "
        "for both), and SIGHTLINE_KEEP_PICTURES decides which are kept",
    )


def _item(services: ApiServices, frame_id: str) -> ItemResult:
    result = queries.get_frame(services.database, frame_id)
    if result is None:
        raise NotFoundError("frame", frame_id, hint="or it is not finished yet")
    return result


def _frame(services: ApiServices, frame_id: str) -> FrameResult:
    result = _item(services, frame_id)
    if not isinstance(result, FrameResult):
        raise NotFoundError("picture", frame_id, hint="the item is none")
    return result
