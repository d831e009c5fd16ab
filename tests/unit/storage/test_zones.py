"""Zones: which polygons are such, and what stands in which."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sightline.types import Detection, FrameResult, Item, Reading
from storage.cameras import Camera
from storage.results.explanations import explain
from storage.zones import Zone, sort_into
from tests.integration.storage.bundles import NOON

LEFT = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
RIGHT = [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]
LOWER = [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]


def zone(name: str, polygon: Any, mode: str = "mark", **more: Any) -> Zone:
    return Zone.model_validate({"name": name, "polygon": polygon, "mode": mode, **more})


def seen(*boxes: tuple[float, float, float, float], texts: tuple[str, ...] = ()) -> FrameResult:
    """On a picture of 1000 x 500."""
    return FrameResult(
        frame=Item(frame_id="frame-0001", source_id="gate", captured_at=NOON),
        width=1000,
        height=500,
        detections=tuple(Detection(xyxy=box, label="plate", class_id=0, confidence=0.9) for box in boxes),
        readings=tuple(Reading(text=text, confidence=0.9, detection_index=index) for index, text in enumerate(texts)),
    )


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        ([[0, 0], [1, 1]], "at least 3"),
        ([[0, 0], [0.5, 0.5], [1, 1]], "lie in a line"),
        ([[0.2, 0.2]] * 4, "lie in a line"),
        ([[0.1, 0.3], [0.7, 0.9], [0.2, 0.4], [0.6, 0.8]], "lie in a line"),
        ([[0, 0], [1, 1], [1, 0], [0, 0.9]], "sides cross"),
        ([[0, 0], [1, 1], [1, 0], [0, 1]], "sides cross"),
        ([[0, 0], [1920, 0], [1920, 1080]], "gate: 1920 is no share"),
        ([[0, 0], [-0.1, 0], [1, 1]], "gate: -0.1 is no share"),
        ([[0, 0], [float("nan"), 0], [1, 1]], "nan is no share"),
        ([[0, 0], ["left", 0], [1, 1]], "valid number"),
        ("0,0 1,1", "valid"),
    ],
)
def test_what_is_no_polygon_is_refused_in_words(polygon: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        zone("gate", polygon)


def test_pixels_become_shares_by_the_size_of_the_picture() -> None:
    given = zone("gate", [[0, 540], [1920, 540], [1920, 1080]], size=[1920, 1080])
    assert given.polygon == ((0, 0.5), (1, 0.5), (1, 1))
    assert given.model_dump() == {"name": "gate", "polygon": given.polygon, "mode": "mark"}
    assert Zone.model_validate(given.model_dump()) == given
    for size, words in (([1280, 720], "outside of 1280 x 720"), ([0, 0], "is no size"), ("big", "is no size")):
        with pytest.raises(ValidationError, match=words):
            zone("gate", [[0, 540], [1920, 540], [1920, 1080]], size=size)


def test_zones_of_a_camera_are_told_apart() -> None:
    with pytest.raises(ValidationError, match="two zones have this name"):
        Camera.model_validate({"camera_id": "gate", "url": "0", "zones": [zone("a", LEFT), zone("a", RIGHT)]})


def test_what_is_looked_at_is_the_mask_and_the_zones_of_that_mode() -> None:
    zones = [zone("a", LEFT, "look"), zone("b", RIGHT, "report")]
    camera = Camera.model_validate({"camera_id": "gate", "url": "0", "zones": zones, "mask": [LOWER]})
    assert [polygon[1] for polygon in camera.looked_at] == [(1, 0.5), (0.5, 0)]


def test_a_thing_is_where_it_stands_in_the_first_zone_that_holds_that_place() -> None:
    zones = (zone("left", LEFT), zone("lower", LOWER))
    result = sort_into(
        seen((100, 0, 200, 100), (800, 300, 900, 400), (700, 0, 800, 100), (450, 0, 540, 500), (900, 400, 1100, 510)),
        zones,
    )
    assert [found.zone for found in result.detections] == ["left", "lower", None, "left", "lower"]
    assert result.outside == 0


def test_nothing_outside_of_what_is_reported_stays() -> None:
    boxes = ((700.0, 0.0, 800.0, 100.0), (100.0, 0.0, 200.0, 100.0), (800.0, 300.0, 900.0, 400.0))
    result = sort_into(seen(*boxes, texts=("OUT1", "IN2", "IN3")), (zone("left", LEFT, "report"), zone("lower", LOWER)))
    assert [found.xyxy for found in result.detections] == [boxes[1]]
    assert [(each.text, each.detection_index, each.zone) for each in result.readings] == [("IN2", 0, "left")]
    assert result.outside == 2
    assert "2 more found outside" in explain(result, {}).why
    none = sort_into(seen(boxes[0]), (zone("left", LEFT, "report"),))
    assert not none.has_found


def test_what_has_no_place_stays() -> None:
    result = seen().model_copy(update={"readings": (Reading(text="EXIT", confidence=0.9),)})
    assert sort_into(result, (zone("left", LEFT, "report"),)).readings == result.readings
    failed = FrameResult(frame=result.frame, dropped="stale")
    assert sort_into(failed, (zone("left", LEFT, "report"),)) is failed


def test_without_zones_a_result_says_nothing_of_them() -> None:
    said = seen((1, 1, 2, 2), texts=("A",)).model_dump(mode="json")
    assert [
        name
        for name in ("zone", "outside")
        for part in (said, said["detections"][0], said["readings"][0])
        if name in part
    ] == []
