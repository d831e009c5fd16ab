"""Frames whose plates are somewhere, and what becomes of them, short to write down."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sightline.types import Detection, FrameResult, Reading, Xyxy
from sightline.wire.messages import Message
from storage.database.engine import Database
from storage.plates.geometry import is_same_box
from storage.results import queries
from storage.results.store import Store
from tests.integration.storage.bundles import frame_result, message

#: The same examples each time, on each database.
PROPERTY = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
LEFT: Xyxy = (100.0, 400.0, 200.0, 425.0)
MIDDLE: Xyxy = (600.0, 400.0, 700.0, 425.0)
RIGHT: Xyxy = (900.0, 400.0, 1000.0, 425.0)

Plate = tuple[str, Xyxy] | tuple[str, Xyxy, float]  #: what is read where, and how surely
#: A picture: its plates, seconds after noon, its sequence.
Taken = tuple[list[tuple[str, Xyxy, float]], float, str | None]


def moved(box: Xyxy, x: float, y: float = 0.0, growth: float = 1.0) -> Xyxy:
    left, top, right, bottom = box
    return (left + x, top + y, left + x + (right - left) * growth, top + y + (bottom - top) * growth)


_boxes = st.sampled_from(
    [
        LEFT,
        moved(LEFT, 4, 2),
        moved(LEFT, 260),
        RIGHT,
        moved(RIGHT, -5),
        moved(RIGHT, 0, 200, 1.5),
        (0.0, 400.0, 80.0, 425.0),  # cut off
        (0.0, 402.0, 60.0, 425.0),
        (1200.0, 500.0, 1280.0, 530.0),
        (300.0, 690.0, 400.0, 720.0),
    ]
)
_texts = st.sampled_from(["AB12CD", "AB12CE", "A812CD", "AB12CDE", "XY99ZZ", "BA12CD", "no plate"])
_plates = st.tuples(_texts, _boxes, st.sampled_from([0.3, 0.6, 0.9, 0.99]))
_times = st.sampled_from([0, 0, 0.2, 0.4, 0.6, 1, 2, 5, 8, 16, 24, 27, 60, 75, 90, 140, 200])
_sequences = st.sampled_from(["live", "live", "live", "video", None])
#: Everything at once: films and photos, near and far, cut off, sure and not.
pictures = st.lists(st.tuples(st.lists(_plates, min_size=1, max_size=3), _times, _sequences), min_size=2, max_size=10)


def frame(
    *plates: Plate,
    at_s: float,
    source: str = "gate",
    sequence: str | None = "live",
    frame_id: str | None = None,
) -> FrameResult:
    """A frame with these texts in these boxes, read with 0.9 where nothing else is said."""
    result = frame_result([], at_s=at_s, source=source, sequence=sequence, frame_id=frame_id)
    detections = tuple(Detection(xyxy=plate[1], label="plate", class_id=0, confidence=0.9) for plate in plates)
    readings = tuple(
        _reading(index, plate[0], plate[2] if len(plate) == 3 else 0.9) for index, plate in enumerate(plates)
    )
    return result.model_copy(update={"detections": detections, "readings": readings})


def _reading(index: int, text: str, sure: float) -> Reading:
    return Reading(text=text, confidence=sure, char_confidences=(sure,) * len(text), detection_index=index)


def store_scattered(store: Store, results: Sequence[FrameResult], chance: random.Random) -> None:
    """In any order, divided anyhow into messages, some of them twice, several in a transaction."""
    shuffled = chance.sample(results, len(results))
    messages: list[Message] = []
    while shuffled:
        size = chance.randint(1, 4)
        messages.append(message(*shuffled[:size]))
        shuffled = shuffled[size:]
    messages += chance.sample(messages, min(2, len(messages)))
    messages.append(message(*results[:2]))  # frames of another job once more
    chance.shuffle(messages)
    while messages:
        size = chance.randint(1, 3)
        store.store(messages[:size], ())
        messages = messages[size:]


def passages(database: Database, source: str) -> list[tuple[object, ...]]:
    """The content of a source's passages; ids may differ."""
    views = queries.list_passages(database, source=source, limit=1000).items
    return sorted(
        (
            v.text,
            v.confidence,
            v.first_seen,
            v.last_seen,
            v.reading_count,
            str(v.best_frame_id).split("-", 1)[1],
            v.best_xyxy,
            v.direction,
            v.origin,
        )
        for v in views
    )


def members(database: Database, source: str) -> set[frozenset[str]]:
    """Which readings are together."""
    found: dict[str | None, set[str]] = defaultdict(set)
    for view in queries.list_readings(database, source=source, limit=1000).items:
        found[view.passage_id].add(f"{view.frame_id.split('-', 1)[1]}.{view.reading_index}")
    return {frozenset(each) for each in found.values()}


def never_two_plates_of_a_frame(database: Database, source: str) -> None:
    there: dict[tuple[str | None, str], list[Xyxy]] = defaultdict(list)
    detections = {
        (view.frame_id, view.detection_index): view.xyxy
        for view in queries.list_detections(database, source=source, limit=1000).items
    }
    for view in queries.list_readings(database, source=source, limit=1000).items:
        if view.passage_id is None:
            continue
        box = detections[view.frame_id, view.detection_index or 0]
        for other in there[view.passage_id, view.frame_id]:
            assert is_same_box(box, other)
        there[view.passage_id, view.frame_id].append(box)
