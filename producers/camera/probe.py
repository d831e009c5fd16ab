"""What a stream is, before it is added as a camera: read for a few seconds, and told with a picture."""

from __future__ import annotations

import base64
import dataclasses
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final, cast

import cv2
import numpy as np

from producers.camera.capture.view import View
from producers.camera.drawing import draw_zones
from producers.camera.photos.look import look_at_folder
from producers.camera.sources.arrays import encode_jpeg
from producers.camera.sources.opening import file_path, open_source
from producers.camera.sources.source import BgrImage, Grab, Source, SourceOptions
from sightline.errors import SourceError
from sightline.redaction import redact_text, redact_url
from sightline.types import Value
from storage.cameras import is_folder
from storage.zones import Zone

#: So long pictures are looked at. Cameras send a key frame every second or two as a rule.
LOOK_S: Final = 4.0
_PICTURE_WIDTH: Final = 1280
_FEW_KEY_FRAMES_S: Final = 4.0
_OLD_S: Final = 2.0


class CameraTest(Value):
    """What was found. Without `error` the camera works."""

    url: str  #: without credentials
    error: str | None = None  #: why it does not work, and the cure
    kind: str | None = None  #: `RTSP`, `HLS`, `MPJPEG`, `single pictures`, …
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    stated_fps: float | None = None  #: as the stream says
    measured_fps: float | None = None  #: by the time stamps of the pictures that came
    key_frame_s: float | None = None  #: seconds from one key frame to the next; None: fewer than two came
    opened_s: float | None = None  #: until it was connected
    first_picture_s: float | None = None  #: from then on, until the first whole picture
    latency_s: float | None = None  #: from sending to here, by the camera's clock; None: it does not say when it sends
    pictures: int = 0  #: that came
    damaged: int = 0  #: of these
    hints: tuple[str, ...] = ()  #: what of this costs readings, and the cure
    picture: str | None = None  #: the newest, a JPEG of at most 1280 pixels width, in base64


def probe_camera(
    url: str, options: SourceOptions, look_s: float = LOOK_S, *, view: View | None = None, zones: Sequence[Zone] = ()
) -> CameraTest:
    """Open `url` and look at it for `look_s` seconds. What goes wrong is in the answer, not raised.

    `view`: how its pictures are looked at; `zones` are drawn on the one that is shown.
    """
    view = view or View(0, ())
    shown = redact_url(url)
    if is_folder(url):
        return _probe_folder(url, options, view, zones)
    stop = threading.Event()
    began_s = time.monotonic()
    try:
        source = open_source(url, options, stop)
    except SourceError as error:
        return CameraTest(url=shown, error=redact_text(str(error), url))
    try:
        return _Look(shown, time.monotonic() - began_s, view, zones).at(source, look_s)
    except SourceError as error:
        return CameraTest(url=shown, error=redact_text(str(error), url))
    finally:
        stop.set()
        source.close()


def _probe_folder(url: str, options: SourceOptions, view: View, zones: Sequence[Zone]) -> CameraTest:
    try:
        found = look_at_folder(file_path(url), options.limits)
    except SourceError as error:
        return CameraTest(url=url, error=str(error))
    test = CameraTest(url=url, kind="folder of photos", pictures=found.files, hints=found.hints)
    if found.newest is None or found.picture is None:
        return test
    image = cv2.imdecode(np.frombuffer(found.picture, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        return test
    newest = {"codec": found.newest.format.upper(), "width": found.newest.width, "height": found.newest.height}
    picture = base64.b64encode(_small(draw_zones(view.apply(cast("BgrImage", image)), zones))).decode()
    return test.model_copy(update={**newest, "picture": picture})


_Stamp = tuple[float, float | None]  #: when it came, and as the stream says


class _Look:
    def __init__(self, shown: str, opened_s: float, view: View, zones: Sequence[Zone]) -> None:
        self._view = view
        self._zones = zones
        self._test = CameraTest(url=shown, opened_s=round(opened_s, 2))
        self._stamps: list[_Stamp] = []
        self._key_stamps: list[_Stamp] = []
        self._came = self._damaged = 0
        self._image: BgrImage | None = None

    def at(self, source: Source, look_s: float) -> CameraTest:
        began_s = time.monotonic()
        first_s: float | None = None
        for grab in self._until_it_breaks(source):
            now_s = time.monotonic()
            if first_s is None and not grab.damaged:
                first_s = now_s
                self._image = self._view.of(grab).bgr()
            if first_s is not None and now_s - first_s >= look_s:
                self._image = self._image if grab.damaged else self._view.of(grab).bgr()
                break
        if first_s is None:
            raise SourceError(f"{self._test.url}: no whole picture came")
        return self._told(source, first_s - began_s)

    def _until_it_breaks(self, source: Source) -> Iterator[Grab]:
        """What came before a stream broke is told: a file over HTTP may be shorter than the look."""
        try:
            for grab in source.grabs():
                self._count(grab)
                yield grab
        except SourceError:
            if self._image is None:
                raise

    def _count(self, grab: Grab) -> None:
        self._came += 1
        self._damaged += grab.damaged
        self._stamps.append((grab.at_s, grab.stamp_s))
        if grab.is_key:
            self._key_stamps.append((grab.at_s, grab.stamp_s))

    def _told(self, source: Source, first_picture_s: float) -> CameraTest:
        image = self._image
        assert image is not None
        test = self._test.model_copy(
            update={
                "width": image.shape[1],
                "height": image.shape[0],
                "measured_fps": _rate(self._stamps),
                "key_frame_s": _round(1 / rate) if (rate := _rate(self._key_stamps)) else None,
                "first_picture_s": round(first_picture_s, 2),
                "pictures": self._came,
                "damaged": self._damaged,
                "picture": base64.b64encode(_small(draw_zones(image, self._zones))).decode(),
            }
            | (_facts(source))
        )
        return test.model_copy(update={"hints": tuple(_hints(test))})


def _facts(source: Source) -> dict[str, object]:
    facts = source.facts
    if facts is None:
        return {}
    said = dataclasses.asdict(facts)
    return {name: said[name] for name in ("kind", "codec", "stated_fps", "latency_s")}


def _hints(test: CameraTest) -> Iterator[str]:
    if test.damaged:
        yield (
            f"{test.damaged} of {test.pictures} pictures were damaged: something on the way loses packets; look at "
            "cable or Wi-Fi, or lower the bit rate"
        )
    if test.key_frame_s is None or test.key_frame_s > _FEW_KEY_FRAMES_S:
        yield (
            "key frames are far apart: after each break pictures come only with the next one; set one every second or "
            "two in the camera (GOP, I-frame interval)"
        )
    if test.latency_s is not None and test.latency_s > _OLD_S:
        yield (
            f"pictures are {test.latency_s:.1f} s old when they come, if the camera's clock is right; set its clock "
            "(NTP), or lower its buffer"
        )


def _rate(stamps: list[_Stamp]) -> float | None:
    """A second, by what the stream says; where it says too little, by when they came. The two are different clocks."""
    said = [stamp_s for _, stamp_s in stamps if stamp_s is not None]
    times = said if len(said) > 1 else [at_s for at_s, _ in stamps]
    if len(times) < 2 or times[-1] <= times[0]:
        return None
    return _round((len(times) - 1) / (times[-1] - times[0]))


def _round(value: float) -> float:
    return round(value, 2)


def _small(image: BgrImage) -> bytes:
    height, width = image.shape[:2]
    if width > _PICTURE_WIDTH:
        size = _PICTURE_WIDTH, max(1, round(height * _PICTURE_WIDTH / width))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # pyright: ignore[reportAssignmentType]
    return encode_jpeg(image, 85)
