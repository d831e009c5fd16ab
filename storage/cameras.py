"""Which cameras there are and how each is sampled. A camera is a source with a URL; its frames outlive its settings."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

import sqlalchemy as sa
from pydantic import Field, SecretStr, ValidationError

from sightline.errors import BadMessageError, SightlineError
from sightline.pipelines import DEFAULT, check_camera
from sightline.types import Pipeline, SourceId, Value
from sightline.wire.messages import bad_message
from storage.database.engine import Database, insert_into
from storage.sinks.ended import forget_source_ended, tell_source_ended
from storage.tables import Sources
from storage.zones import Polygon, Zones


class CameraNotFoundError(SightlineError):
    reason = "camera_not_found"

    def __init__(self, camera_id: str) -> None:
        super().__init__(f"there is no camera {camera_id!r}")
        self.camera_id = camera_id


class CameraExistsError(SightlineError):
    reason = "camera_exists"

    def __init__(self, camera_id: str) -> None:
        super().__init__(f"there is a camera {camera_id!r} already")
        self.camera_id = camera_id


Url = Annotated[SecretStr, Field(min_length=1, max_length=2048)]
Rotation = Literal[0, 90, 180, 270]
Mask = Annotated[tuple[Polygon, ...], Field(max_length=20)]
AfterReading = Literal["keep", "move", "delete"]


class Camera(Value):
    """Settings of one camera. `url` and `sub_url` may hold a password and are never shown."""

    camera_id: SourceId  #: the source_id of its frames
    url: Url
    #: a smaller stream of it, which is looked at all the time; pictures of `url` are sent. None: `url` is both
    sub_url: Url | None = None
    #: Of a row it may be one that is not installed here any more: the camera is shown, and gives no frames.
    pipeline: Pipeline = DEFAULT
    fps: Annotated[float, Field(gt=0, le=120)] = 5.0  #: frames sampled per second, at most
    #: while the workers do not keep up or nothing moves, it may fall to this; None: it does not fall
    min_fps: Annotated[float, Field(gt=0, le=120)] | None = None
    preset: Literal["live", "archive"] = "live"  #: live: newest picture wins; archive: every picture counts
    motion: bool = True  #: skip pictures in which nothing moves
    enabled: bool = True
    loop: bool = False  #: start a file again at its end
    rotation: Rotation = 0  #: degrees clockwise by which its pictures are turned to be upright
    mask: Mask = ()  #: what is looked at, in shares of the upright picture; nothing: all of it
    after_reading: AfterReading = "keep"  #: what becomes of a photo of a folder, once it was read
    zones: Zones = ()

    @property
    def looked_at(self) -> Mask:
        """What of its pictures is looked at; nothing: all of it."""
        return (*self.mask, *(zone.polygon for zone in self.zones if zone.mode == "look"))


def is_folder(url: str) -> bool:
    """Whether `url` names a folder that photos are dropped into: a path, or a `file://` URL, that ends with a slash."""
    return url.endswith("/") and "://" not in url.removeprefix("file://")


def add_camera(database: Database, camera: Camera) -> Camera:
    """Raises CameraExistsError if the camera_id is taken, BadMessageError if settings exclude each other or its
    pipeline takes no pictures."""
    _check(camera)
    check_camera(camera.pipeline, camera.camera_id)
    row = _row(camera)
    with database.write() as connection:
        _check_others(connection, camera)
        new = insert_into(connection, Sources).values(source_id=camera.camera_id, created_at=datetime.now(UTC), **row)
        # A source that already gave frames may become a camera; a camera is not overwritten.
        new = new.on_conflict_do_update(index_elements=[Sources.source_id], set_=row, where=Sources.url.is_(None))
        if connection.execute(new.returning(Sources.source_id)).first() is None:
            raise CameraExistsError(camera.camera_id)
        forget_source_ended(connection, camera.camera_id)
    return camera


def list_cameras(database: Database) -> list[Camera]:
    """All cameras, by camera_id."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(Sources.__table__).where(Sources.url.is_not(None)).order_by(Sources.source_id)
        )
        return [_camera(row) for row in rows.mappings()]


def get_camera(database: Database, camera_id: str) -> Camera:
    """Raises CameraNotFoundError."""
    with database.read() as connection:
        return _get(connection, camera_id)


def update_camera(database: Database, camera_id: str, /, **changes: Any) -> Camera:
    """Change the named settings and return all of them.

    Raises:
        CameraNotFoundError
        BadMessageError: a setting is unknown, cannot be changed (camera_id), has a value it cannot have or one that
            excludes another.
    """
    with database.write() as connection:
        camera = _get(connection, camera_id, lock=True)
        if changes.get("camera_id", camera_id) != camera_id:
            raise BadMessageError("camera_id: cannot be changed; add a new camera instead", field="camera_id")
        try:
            changed = Camera.model_validate(dict(camera) | changes)
        except ValidationError as error:
            raise bad_message(error) from error
        _check(changed)
        if "pipeline" in changes:
            check_camera(changed.pipeline, camera_id)
        if changed.url != camera.url:
            _check_others(connection, changed)
        connection.execute(sa.update(Sources).where(Sources.source_id == camera_id).values(_row(changed)))
    return changed


def remove_camera(database: Database, camera_id: str) -> None:
    """Forget the settings; frames, passages and the source stay. Raises CameraNotFoundError."""
    nothing = dict.fromkeys([*_row_names(), "health", "health_since"])
    with database.write() as connection:
        _get(connection, camera_id, lock=True)
        connection.execute(sa.update(Sources).where(Sources.source_id == camera_id).values(nothing))
        tell_source_ended(connection, camera_id, and_again=True)


def _check(camera: Camera) -> None:
    """Asked when a row is written, not when it is read: one bad row must not hide the other cameras."""
    if camera.preset == "archive" and camera.loop:
        raise BadMessageError(
            "loop: true does not go with preset: archive, which reads a file once; take preset live, or loop false",
            field="loop",
        )
    _check_folder(camera)
    _check_sub_url(camera)
    if camera.min_fps is None:
        return
    if camera.preset == "archive":
        raise BadMessageError(
            f"min_fps: {camera.min_fps:g} does not go with preset: archive, where every picture counts; "
            "take preset live, or leave min_fps out",
            field="min_fps",
        )
    if camera.min_fps > camera.fps:
        raise BadMessageError(
            f"min_fps: {camera.min_fps:g} is more than fps: {camera.fps:g}; give at most that, or more fps",
            field="min_fps",
        )


def _check_folder(camera: Camera) -> None:
    if not is_folder(camera.url.get_secret_value()):
        if camera.after_reading != "keep":
            raise BadMessageError(
                f"after_reading: {camera.after_reading} is for the photos of a folder; the url of a folder ends with /",
                field="after_reading",
            )
    elif camera.loop or camera.min_fps is not None:
        field = "loop" if camera.loop else "min_fps"
        raise BadMessageError(f"{field}: does not go with a folder, of which each photo is read once", field=field)


def _check_others(connection: sa.Connection, camera: Camera) -> None:
    """Each photo of a folder is read once, by one camera. Raises BadMessageError: another one watches it too."""
    url = camera.url.get_secret_value()
    if not is_folder(url):
        return
    path = _path_of(url)
    rows = sa.select(Sources.source_id, Sources.url).where(Sources.url.is_not(None))
    for other_id, other_url in connection.execute(rows.order_by(Sources.source_id)):
        other = str(other_url)
        theirs = _path_of(other)
        if other_id != camera.camera_id and is_folder(other) and (_is_in(path, theirs) or _is_in(theirs, path)):
            what = "that folder" if path == theirs else f"{theirs}/, and folders are watched with what lies in them"
            raise BadMessageError(
                f"url: camera {other_id!r} watches {what}: each photo would be read twice; give {camera.camera_id!r} a "
                "folder of its own, beside it",
                field="url",
            )


def _path_of(url: str) -> str:
    return os.path.normpath(unquote(urlsplit(url).path) if "://" in url else url)


def _is_in(path: str, folder: str) -> bool:
    return PurePath(path).is_relative_to(folder)


def _check_sub_url(camera: Camera) -> None:
    if camera.sub_url is None:
        return
    if camera.preset == "archive":
        raise BadMessageError(
            "sub_url: does not go with preset: archive, where every picture is read; take preset live, or leave it out",
            field="sub_url",
        )
    for url, what in ((camera.url, "beside it"), (camera.sub_url, "as the smaller stream")):
        address = url.get_secret_value()
        if address.isdecimal() or is_folder(address):
            raise BadMessageError(
                f"sub_url: {address[:80]!r} is a {'folder' if is_folder(address) else 'USB camera'}, and cannot be "
                f"used {what}; two streams are of one network camera, such as rtsp://camera/main and rtsp://camera/sub",
                field="sub_url",
            )


def _get(connection: sa.Connection, camera_id: str, *, lock: bool = False) -> Camera:
    rows = sa.select(Sources.__table__).where(Sources.source_id == camera_id, Sources.url.is_not(None))
    row = connection.execute(rows.with_for_update(key_share=True) if lock else rows).mappings().first()
    if row is None:
        raise CameraNotFoundError(camera_id)
    return _camera(row)


def _camera(row: sa.RowMapping) -> Camera:
    given = {name: row[name] for name in _row_names() if row[name] is not None}  # None: of before the column was there
    return Camera.model_validate({"camera_id": row["source_id"]} | given)


def _row(camera: Camera) -> dict[str, Any]:
    fields = {name: getattr(camera, name) for name in _row_names()}
    zones = [zone.model_dump() for zone in camera.zones]
    sub_url = None if camera.sub_url is None else camera.sub_url.get_secret_value()
    return fields | {"url": camera.url.get_secret_value(), "sub_url": sub_url, "zones": zones or None}


def _row_names() -> list[str]:
    return [name for name in Camera.model_fields if name != "camera_id"]
