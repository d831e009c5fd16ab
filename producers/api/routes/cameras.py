"""`/v1/cameras`: rows that the camera process follows within two seconds."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from producers.api.access.audit_trail import ChangesLogged
from producers.api.access.auth import require
from producers.api.middleware.prefix import here
from producers.api.middleware.problems import ALWAYS, described
from producers.api.services import ApiServices, Given
from producers.camera.address import check_credentials
from producers.camera.capture.view import View
from producers.camera.onvif.discovery import FoundCamera, discover
from producers.camera.probe import CameraTest, probe_camera
from producers.camera.sources.opening import STREAM_SCHEMES
from producers.camera.sources.source import SourceOptions
from sightline.camera_status import CameraStatus, read_statuses
from sightline.errors import BadMessageError, BrokerUnavailableError
from sightline.images.header import ImageLimits
from sightline.pipelines import DEFAULT, KnownPipeline
from sightline.redaction import redact_url
from sightline.types import Pipeline, SourceId
from storage import cameras
from storage.access.keys import Role
from storage.cameras import AfterReading, Camera, Mask, Rotation
from storage.zones import Zones

router = APIRouter(route_class=ChangesLogged, prefix="/v1/cameras", tags=["cameras"], responses=ALWAYS)

CameraId = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Fps = Annotated[float, Field(ge=0.1, le=60, description="Frames a second that are looked at, at most.")]
MinFps = Annotated[
    float,
    Field(
        ge=0.1,
        le=60,
        description="While the workers do not keep up or nothing moves, `fps` falls to this. Null: it does not fall.",
    ),
]
_MASK: Final = Field(
    description="Polygons of what is looked at, each a list of [x, y] in shares of the upright picture, 0 to 1; the "
    "rest is painted black. Empty: all is looked at."
)
_AFTER_READING: Final = Field(
    description="What becomes of a photo in a watched folder once it was read: it stays (`keep`), goes to the "
    "subfolder `_read` (`move`), or is deleted."
)
_ZONES: Final = Field(
    description="Named parts of the picture. What stands in one carries its name; with mode `report` nothing outside "
    "of such zones is stored, with `look` the rest is painted black too."
)
Url = Annotated[str, Field(min_length=1, max_length=2048)]
SubUrl = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        description="A smaller stream of the same camera. It is looked at all the time; when something moves, the "
        "picture of `url` is sent. Null: `url` is both.",
    ),
]
_TEST_TIMEOUT_S: Final = 8.0
_MOST_TESTS: Final = 2
#: What null takes away.
_CLEARED: Final = ("min_fps", "sub_url")
_SCHEMES: Final = (*STREAM_SCHEMES, "file")
_KNOWN_URL: Final = re.compile(
    rf"(?:{'|'.join(_SCHEMES)})://[^\s/].*|file:///.+|\d{{1,3}}|/.+|[^:]+\.[A-Za-z0-9]{{2,5}}", re.IGNORECASE
)


class NewCamera(BaseModel):
    """A camera to add."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "camera_id": "gate",
                "url": "rtsp://user:secret@10.0.0.7/stream",
                "pipeline": "plates",
                "fps": 5,
            }
        },
    )

    camera_id: SourceId
    url: Url
    sub_url: SubUrl | None = None
    pipeline: KnownPipeline = DEFAULT
    fps: Fps = 5.0
    min_fps: MinFps | None = None
    preset: Literal["live", "archive"] = "live"
    motion: bool = True
    enabled: bool = True
    loop: bool = False
    rotation: Rotation = 0
    mask: Annotated[Mask, _MASK] = ()
    after_reading: Annotated[AfterReading, _AFTER_READING] = "keep"
    zones: Annotated[Zones, _ZONES] = ()


class CameraUrl(BaseModel):
    """What to look at: an address, or a camera that there is. The others are of an address, to see what they do."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"url": "rtsp://user:secret@10.0.0.7/stream"}}
    )

    url: Url | None = None
    camera_id: SourceId | None = None
    rotation: Rotation = 0
    mask: Annotated[Mask, _MASK] = ()
    zones: Annotated[Zones, _ZONES] = ()


class CameraChange(BaseModel):
    """The fields to change; the others stay. `min_fps` of null: the rate is always `fps`; `sub_url`: `url` is all."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"fps": 2, "enabled": False}})

    url: Url | None = None
    sub_url: SubUrl | None = None
    pipeline: KnownPipeline | None = None
    fps: Fps | None = None
    min_fps: MinFps | None = None
    preset: Literal["live", "archive"] | None = None
    motion: bool | None = None
    enabled: bool | None = None
    loop: bool | None = None
    rotation: Rotation | None = None
    mask: Annotated[Mask, _MASK] | None = None
    after_reading: Annotated[AfterReading, _AFTER_READING] | None = None
    zones: Annotated[Zones, _ZONES] | None = None


class Search(BaseModel):
    """How to look for cameras. Without a user cameras are found, but most do not tell their streams."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"user": "onvif", "password": "secret"}})

    user: Annotated[str, Field(max_length=128)] = ""
    password: Annotated[str, Field(max_length=128)] = ""
    address: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9.:\[\]-]{1,253}$",
            description="Ask this camera alone, also in another network; with its port if that is not 80.",
        ),
    ] = None
    seconds: Annotated[float, Field(ge=1, le=10, description="How long cameras may take to answer.")] = 3.0


class FoundCameras(BaseModel):
    items: list[FoundCamera]


class CameraView(BaseModel):
    """A camera as it is shown: its URLs without credentials, and how it does."""

    camera_id: str
    url: str
    sub_url: str | None
    pipeline: Pipeline
    fps: float
    min_fps: float | None
    preset: str
    motion: bool
    enabled: bool
    loop: bool
    rotation: Rotation
    mask: Mask
    after_reading: AfterReading
    zones: Zones
    status: CameraStatus | None  #: None while Redis does not answer


class CameraList(BaseModel):
    items: list[CameraView]


@router.get("", summary="Cameras and how they do", dependencies=[Depends(require(Role.VIEWER))])
def list_cameras(services: Given) -> CameraList:
    """All cameras and how they do."""
    return CameraList(items=camera_views(services))


@router.post(
    "",
    summary="Add a camera",
    status_code=201,
    responses=described(409),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def add_camera(new: NewCamera, services: Given, response: Response) -> CameraView:
    """Add a camera; it runs within two seconds."""
    _check_urls(new.model_dump())
    camera = cameras.add_camera(services.database, Camera.model_validate(new.model_dump()))
    response.headers["Location"] = here(f"/v1/cameras/{camera.camera_id}")
    return _view(services, camera)


@router.post(
    "/test", summary="Look at a stream", responses=described(404), dependencies=[Depends(require(Role.OPERATOR))]
)
async def test_camera(asked: CameraUrl, services: Given) -> CameraTest:
    """What a stream is, before it is added: looked at from here for a few seconds, and told with a picture.

    `error` says why it does not work, and what to do.
    """
    if asked.camera_id is not None and asked.url is None:
        camera = await to_thread.run_sync(cameras.get_camera, services.database, asked.camera_id)
    elif asked.url is not None and asked.camera_id is None:
        _check_url(asked.url)
        camera = Camera.model_validate({"camera_id": "asked", **asked.model_dump(exclude={"camera_id"})})
    else:
        raise BadMessageError("url: give an address to look at, or the camera_id of a camera", field="url")
    settings = services.settings
    options = SourceOptions(
        open_timeout_s=min(settings.camera_open_timeout_s, _TEST_TIMEOUT_S),
        read_timeout_s=min(settings.camera_read_timeout_s, _TEST_TIMEOUT_S),
        allow_private=settings.allow_private_urls,
        limits=ImageLimits(settings.max_image_mb, settings.max_image_mpx),
    )
    # Threads of their own: those of all other requests must not wait for cameras.
    look = functools.partial(
        probe_camera, camera.url.get_secret_value(), options, view=View.of_camera(camera), zones=camera.zones
    )
    return await to_thread.run_sync(look, limiter=_tests_at_once())


@router.post("/discover", summary="Find cameras by ONVIF", dependencies=[Depends(require(Role.OPERATOR))])
async def discover_cameras(asked: Search, services: Given) -> FoundCameras:  # noqa: ARG001 - the audit log
    """Cameras in the network of the API that answer to WS-Discovery, and their streams."""
    look = functools.partial(discover, asked.user, asked.password, seconds=asked.seconds, address=asked.address)
    return FoundCameras(items=await to_thread.run_sync(look, limiter=_tests_at_once()))


@router.get(
    "/{camera_id}", summary="One camera", responses=described(404), dependencies=[Depends(require(Role.VIEWER))]
)
def get_camera(camera_id: CameraId, services: Given) -> CameraView:
    """One camera and how it does."""
    return _view(services, cameras.get_camera(services.database, camera_id))


@router.patch(
    "/{camera_id}",
    summary="Change, pause or resume a camera",
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def change_camera(camera_id: CameraId, change: CameraChange, services: Given) -> CameraView:
    """Change, pause (`enabled: false`) or resume a camera."""
    given: dict[str, Any] = change.model_dump(exclude_unset=True)
    fields: dict[str, Any] = {name: value for name, value in given.items() if value is not None or name in _CLEARED}
    if not fields:
        raise BadMessageError("body: no field to change; give at least one", field="body")
    _check_urls(fields)
    return _view(services, cameras.update_camera(services.database, camera_id, **fields))


@router.delete(
    "/{camera_id}",
    summary="Remove a camera",
    status_code=204,
    responses=described(404),
    dependencies=[Depends(require(Role.OPERATOR))],
)
def remove_camera(camera_id: CameraId, services: Given) -> None:
    """Remove a camera. Its rows stay."""
    cameras.remove_camera(services.database, camera_id)


@functools.cache
def _tests_at_once() -> CapacityLimiter:
    return CapacityLimiter(_MOST_TESTS)


def camera_views(services: ApiServices) -> list[CameraView]:
    """All cameras as they are shown. Raises `StoreUnavailableError`; without Redis only the statuses are missing."""
    return _views(services, cameras.list_cameras(services.database))


def _views(services: ApiServices, rows: Sequence[Camera]) -> list[CameraView]:
    try:
        statuses = read_statuses(services.redis, [row.camera_id for row in rows])
    except BrokerUnavailableError:  # the rows are in the database, and may be changed there
        statuses = {}
    return [_shown(row, statuses.get(row.camera_id)) for row in rows]


def _view(services: ApiServices, camera: Camera) -> CameraView:
    return _views(services, [camera])[0]


def _shown(camera: Camera, status: CameraStatus | None) -> CameraView:
    fields = camera.model_dump(exclude={"url", "sub_url"})
    sub_url = None if camera.sub_url is None else redact_url(camera.sub_url.get_secret_value())
    return CameraView(url=redact_url(camera.url.get_secret_value()), sub_url=sub_url, status=status, **fields)


def _check_urls(fields: Mapping[str, Any]) -> None:
    for name in ("url", "sub_url"):
        if fields.get(name) is not None:
            _check_url(fields[name], name)


def _check_url(url: str, field: str = "url") -> None:
    if not _KNOWN_URL.fullmatch(url) or not url.isprintable():
        raise BadMessageError(
            f"{field}: {redact_url(url)[:80]!r} is none of rtsp://…, http(s)://… (pictures, MJPEG, HLS), rtmp://…, "
            "srt://…, a video file, a folder of photos (/photos/), a USB index (0)",
            field=field,
        )
    check_credentials(url, field)
