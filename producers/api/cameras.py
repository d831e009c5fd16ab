"""`/v1/cameras`: rows that the camera process follows within two seconds."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from producers.api.auth import require
from producers.api.problems import RESPONSES
from producers.api.services import Given, Services
from producers.camera_status import CameraStatus, read_statuses
from sightline.errors import BadMessageError
from sightline.redaction import redact_url
from sightline.types import Pipeline, SourceId
from storage import cameras
from storage.cameras import Camera
from storage.keys import Role

router = APIRouter(prefix="/v1/cameras", tags=["cameras"], responses=RESPONSES)

CameraId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Fps = Annotated[float, Field(ge=0.1, le=60, description="Frames a second that are looked at.")]
Url = Annotated[str, Field(min_length=1, max_length=2048)]
_SCHEMES = ("rtsp", "rtsps", "http", "https", "file")
_KNOWN_URL = re.compile(rf"^(?:(?:{'|'.join(_SCHEMES)})://.+|\d{{1,3}}|/.+|[^:]+\.[A-Za-z0-9]{{2,5}})$", re.IGNORECASE)


class NewCamera(BaseModel, extra="forbid"):
    """A camera to add."""

    camera_id: SourceId
    url: Url
    pipeline: Pipeline = Pipeline.PLATES
    fps: Fps = 5.0
    preset: Literal["live", "archive"] = "live"
    motion: bool = True
    enabled: bool = True
    loop: bool = False

    model_config = {
        "json_schema_extra": {
            "example": {
                "camera_id": "gate",
                "url": "rtsp://user:secret@10.0.0.7/stream",
                "pipeline": "plates",
                "fps": 5,
            }
        }
    }


class CameraChange(BaseModel, extra="forbid"):
    """The fields to change; the others stay."""

    url: Url | None = None
    pipeline: Pipeline | None = None
    fps: Fps | None = None
    preset: Literal["live", "archive"] | None = None
    motion: bool | None = None
    enabled: bool | None = None
    loop: bool | None = None


class CameraView(BaseModel):
    """A camera as it is shown: its URL without credentials, and how it does."""

    camera_id: str
    url: str
    pipeline: Pipeline
    fps: float
    preset: str
    motion: bool
    enabled: bool
    loop: bool
    status: CameraStatus


class CameraList(BaseModel):
    items: list[CameraView]


@router.get("", dependencies=[Depends(require(Role.VIEWER))])
def list_cameras(services: Given) -> CameraList:
    """All cameras and how they do."""
    return CameraList(items=camera_views(services))


@router.post("", status_code=201, dependencies=[Depends(require(Role.OPERATOR))])
def add_camera(new: NewCamera, services: Given, response: Response) -> CameraView:
    """Add a camera; it runs within two seconds."""
    _check_url(new.url)
    camera = cameras.add_camera(services.database, Camera.model_validate(new.model_dump()))
    response.headers["Location"] = f"/v1/cameras/{camera.camera_id}"
    return _view(services, camera)


@router.get("/{camera_id}", dependencies=[Depends(require(Role.VIEWER))])
def get_camera(camera_id: CameraId, services: Given) -> CameraView:
    """One camera and how it does."""
    return _view(services, cameras.get_camera(services.database, camera_id))


@router.patch("/{camera_id}", dependencies=[Depends(require(Role.OPERATOR))])
def change_camera(camera_id: CameraId, change: CameraChange, services: Given) -> CameraView:
    """Change, pause (`enabled: false`) or resume a camera."""
    fields: dict[str, Any] = change.model_dump(exclude_unset=True, exclude_none=True)
    if not fields:
        raise BadMessageError("body: no field to change; give at least one", field="body")
    if "url" in fields:
        _check_url(fields["url"])
    return _view(services, cameras.update_camera(services.database, camera_id, **fields))


@router.delete("/{camera_id}", status_code=204, dependencies=[Depends(require(Role.OPERATOR))])
def remove_camera(camera_id: CameraId, services: Given) -> None:
    """Remove a camera. Its rows stay."""
    cameras.remove_camera(services.database, camera_id)


def camera_views(services: Services) -> list[CameraView]:
    rows = cameras.list_cameras(services.database)
    statuses = read_statuses(services.redis, [row.camera_id for row in rows])
    return [_shown(row, statuses[row.camera_id]) for row in rows]


def _view(services: Services, camera: Camera) -> CameraView:
    return _shown(camera, read_statuses(services.redis, [camera.camera_id])[camera.camera_id])


def _shown(camera: Camera, status: CameraStatus) -> CameraView:
    fields = camera.model_dump(exclude={"url"})
    return CameraView(url=redact_url(camera.url.get_secret_value()), status=status, **fields)


def _check_url(url: str) -> None:
    if not _KNOWN_URL.match(url):
        raise BadMessageError(
            f"url: {redact_url(url)[:80]!r} is none of rtsp://…, http(s)://… (MJPEG), a video file, a USB index (0)",
            field="url",
        )
