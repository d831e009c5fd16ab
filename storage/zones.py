"""Zones of a camera: named parts of its picture, and what is in which."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, cast

import sqlalchemy as sa
from pydantic import AfterValidator, ConfigDict, Field, model_validator

from sightline.errors import StoreUnavailableError
from sightline.types import FrameResult, SourceId, Value, Xyxy
from sightline.wire.messages import Message
from storage.database.engine import Database
from storage.tables import Sources

_Share = Annotated[float, Field(ge=0, le=1)]
Polygon = Annotated[tuple[tuple[_Share, _Share], ...], Field(min_length=3, max_length=100)]
#: Corners in one line are not quite in it as floats. The least of pixels is far more.
_ROUNDING: Final = 1e-24
#: A zone that was changed is heard of by writers within this time.
_ZONES_EVERY_S: Final = 2.0
_Point = tuple[float, float]


def _name_input(schema: dict[str, Any]) -> None:
    """Generated clients have a class for what is sent and one for what is answered: of one name they would collide."""
    if "size" in schema["properties"]:
        schema["title"] = "NewZone"


class Zone(Value):
    """A part of the upright picture.

    `mark`: what stands in it carries its name. `report`: what stands outside of all zones of this mode is not stored
    either. `look`: what is outside is not even looked at.
    """

    model_config = ConfigDict(json_schema_extra=_name_input)

    name: SourceId
    polygon: Polygon  #: in shares of the picture; given in pixels, these become shares by `size`
    mode: Literal["mark", "report", "look"] = "mark"
    #: Width and height of the picture, where the polygon is given in its pixels. Of a zone that is set it is None.
    size: Annotated[tuple[int, int] | None, Field(exclude=True)] = None

    @model_validator(mode="before")
    @classmethod
    def _from_pixels(cls, given: object) -> object:
        if not isinstance(given, Mapping):
            return given
        fields = dict(cast("Mapping[str, Any]", given))
        corners, size = _numbers(fields.get("polygon")), fields.pop("size", None)
        if corners is None:
            return fields | {"size": size}
        if size is None:
            for number in (number for corner in corners for number in corner if not 0 <= number <= 1):
                raise ValueError(
                    f"{fields.get('name')}: {number:g} is no share of the picture, which go from 0 to 1; for pixels "
                    "give the size of the picture too, such as 1920x1080"
                )
            return fields
        try:
            width, height = (int(side) for side in size)
            assert width > 0 < height
        except (TypeError, ValueError, AssertionError) as error:
            raise ValueError(f"{fields.get('name')}: {size!r} is no size; give width and height in pixels") from error
        for x, y in corners:
            if not (0 <= x <= width and 0 <= y <= height):
                raise ValueError(f"{fields.get('name')}: the corner {x:g},{y:g} is outside of {width} x {height}")
        return fields | {"polygon": tuple((x / width, y / height) for x, y in corners)}

    @model_validator(mode="after")
    def _is_an_area(self) -> Zone:
        sides = list(pairwise([*self.polygon, self.polygon[0]]))
        for at, one in enumerate(sides):
            for other in sides[at + 2 : len(sides) - (at == 0)]:
                if _cross(*one, *other):
                    near = " and ".join(f"{a[0]:g},{a[1]:g} to {b[0]:g},{b[1]:g}" for a, b in (one, other))
                    raise ValueError(
                        f"{self.name}: its sides cross ({near}); give the corners in their order around it"
                    )
        # After the sides: of those that cross, one part may take away as much as the other has.
        if abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in sides)) < 2e-6:  # a pixel or two of a large picture
            raise ValueError(f"{self.name}: its corners lie in a line or at one place; give at least three that do not")
        return self

    def holds(self, point: _Point) -> bool:
        """Whether the point, in shares, is inside."""
        x, y = point
        inside = False
        for (ax, ay), (bx, by) in pairwise([*self.polygon, self.polygon[0]]):
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                inside = not inside
        return inside


def _are_told_apart(zones: tuple[Zone, ...]) -> tuple[Zone, ...]:
    names = [zone.name for zone in zones]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name}: two zones have this name; give each its own")
    return zones


Zones = Annotated[tuple[Zone, ...], Field(max_length=20), AfterValidator(_are_told_apart)]


def sort_into(result: FrameResult, zones: Sequence[Zone]) -> FrameResult:
    """The result with the zone of each thing, the first that it stands in, without what is not to be reported.

    A thing stands where the middle of its lower edge is. A reading is where its detection is; one without is in none,
    and stays.
    """
    if not zones or not result.width or not result.height:
        return result
    reported = [zone for zone in zones if zone.mode != "mark"]
    leaves_out = any(zone.mode == "report" for zone in zones)
    places: dict[int, int] = {}  #: of the detections that stay: where each was, and is
    kept: list[Any] = []
    for index, detection in enumerate(result.detections):
        point = _foot(detection.xyxy, result.width, result.height)
        if leaves_out and not any(zone.holds(point) for zone in reported):
            continue
        places[index] = len(kept)
        kept.append(detection.model_copy(update={"zone": next((z.name for z in zones if z.holds(point)), None)}))
    readings: list[Any] = []
    for reading in result.readings:
        index = reading.detection_index
        if index is None or not 0 <= index < len(result.detections):
            readings.append(reading)
        elif index in places:
            now = places[index]
            readings.append(reading.model_copy(update={"detection_index": now, "zone": kept[now].zone}))
    outside = len(result.detections) - len(kept)
    return result.model_copy(update={"detections": tuple(kept), "readings": tuple(readings), "outside": outside})


class ZoneReader:
    """The zones of all cameras, as they were a moment ago. Safe to share between threads."""

    def __init__(self, database: Database, every_s: float = _ZONES_EVERY_S) -> None:
        self._database = database
        self._every_s = every_s
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._zones: dict[str, tuple[Zone, ...]] = {}

    def apply(self, message: Message) -> Message:
        """The message with what was found sorted into the zones of its cameras. Doing it again changes nothing.

        Raises:
            StoreUnavailableError: the zones are not known yet, and the database does not answer.
        """
        zones = self._current()
        if not any(result.frame.source_id in zones for result in message.results):
            return message
        results = tuple(
            sort_into(result, zones.get(result.frame.source_id, ())) if isinstance(result, FrameResult) else result
            for result in message.results
        )
        return message.model_copy(update={"results": results})

    def _current(self) -> Mapping[str, tuple[Zone, ...]]:
        with self._lock:
            now = time.monotonic()
            if self._read_at is None or now - self._read_at >= self._every_s:
                try:
                    self._zones = dict(self._load())
                except StoreUnavailableError:
                    if self._read_at is None:
                        raise
                self._read_at = now
            return self._zones

    def _load(self) -> Iterator[tuple[str, tuple[Zone, ...]]]:
        rows = sa.select(Sources.source_id, Sources.zones).where(Sources.zones.is_not(None), Sources.url.is_not(None))
        with self._database.read() as connection:
            for source_id, zones in connection.execute(rows):
                if zones:
                    yield source_id, tuple(Zone.model_validate(zone) for zone in zones)


def _foot(box: Xyxy, width: int, height: int) -> _Point:
    x1, _, x2, y2 = box
    # A box may reach over the edge, and the lower edge of the picture belongs to it.
    return min(max((x1 + x2) / 2 / width, 0.0), 1 - 1e-6), min(max(y2 / height, 0.0), 1 - 1e-6)


def _numbers(polygon: object) -> list[_Point] | None:
    """The corners, if they are such at all; else pydantic says what is wrong."""
    try:
        return [(float(x), float(y)) for x, y in cast("Any", polygon)]
    except (TypeError, ValueError):
        return None


def _cross(a: _Point, b: _Point, c: _Point, d: _Point) -> bool:
    """Whether the lines a-b and c-d cross."""
    return _side(a, b, c) * _side(a, b, d) < -_ROUNDING and _side(c, d, a) * _side(c, d, b) < -_ROUNDING


def _side(a: _Point, b: _Point, point: _Point) -> float:
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
