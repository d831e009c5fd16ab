"""What queries return: flat, frozen, JSON-able values. One page at a time, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sightline.types import (
    FrameId,
    FrameRef,
    JobId,
    JobStatus,
    Lane,
    Pipeline,
    Point,
    SequenceName,
    SourceId,
    StageRun,
    TimeFrom,
    Value,
    Xyxy,
)
from storage.passages.plate_lists import Match, MatchedBy
from storage.plates.geometry import Direction
from storage.plates.votes import Origin

View = TypeVar("View")


class Page(Value, Generic[View]):
    """`next_cursor` leads to the next page; None on the last one."""

    items: tuple[View, ...]
    next_cursor: str | None = None


class PassageState(StrEnum):
    OPEN = "open"  #: more readings may come
    FINAL = "final"  #: none came for `passage_gap_s`; said once, late ones still join


class MatchView(Value):
    """The known plate that a passage shows. `distance` 0: exactly this one; see `plates.plate_distance`.

    `text` is what showed it, `by` whether that is the voted plate or what one sure reading says.
    """

    list: str
    matched: str
    distance: float
    text: str
    by: MatchedBy


class PassageView(Value):
    """One vehicle passing one camera. `confidence`: how likely its plate is right, 0..1.

    `origin`: at least one reading says just this plate, or it is composed of readings that each lack something.
    """

    passage_id: str
    source_id: SourceId
    text: str
    origin: Origin
    confidence: float
    first_seen: datetime
    last_seen: datetime
    reading_count: int
    best_frame_id: FrameId  #: the frame whose crop is best to look at: sure, sharp and large
    best_xyxy: Xyxy | None  #: where the plate is on it
    direction: Direction
    state: PassageState
    match: MatchView | None  #: None if it is on no list


class FoundPassageView(PassageView):
    """A passage that is like what was searched for; `distance` says how much it differs."""

    distance: float


def view_passage(row: Mapping[Any, Any]) -> PassageView:
    return PassageView.model_validate(_passage_fields(row))


def view_found(row: Mapping[Any, Any], distance: float) -> FoundPassageView:
    return FoundPassageView.model_validate(_passage_fields(row) | {"distance": distance})


def to_match(found: Match | None) -> MatchView | None:
    return found and MatchView(
        list=found.list_name, matched=found.plate, distance=found.distance, text=found.text, by=found.by
    )


def match_of(row: Mapping[Any, Any]) -> Match | None:
    """The match that a passage's row has."""
    columns = ("list_name", "list_plate", "list_distance", "list_text", "list_by")
    return Match(*(row[name] for name in columns)) if row["list_name"] else None


def _passage_fields(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: row[name] for name in PassageView.model_fields if name not in ("state", "match")} | {
        "state": PassageState.OPEN if row["final_at"] is None else PassageState.FINAL,
        "match": to_match(match_of(row)),
    }


class StageView(Value):
    """What produced a row; None where the frame came without it."""

    model: str | None
    model_sha256: str | None
    runtime: str | None
    worker: str | None
    queue_wait_ms: float | None
    inference_ms: float | None


class DetectionView(StageView):
    frame_id: FrameId
    detection_index: int
    source_id: SourceId
    captured_at: datetime
    label: str
    class_id: int
    confidence: float
    xyxy: Xyxy
    corners: tuple[Point, Point, Point, Point] | None
    track_id: int | None


class ReadingView(StageView):
    frame_id: FrameId
    reading_index: int
    source_id: SourceId
    captured_at: datetime
    text: str
    confidence: float
    char_confidences: tuple[float, ...]
    detection_index: int | None
    passage_id: str | None


class FrameView(Value):
    frame_id: FrameId
    source_id: SourceId
    job_id: JobId
    captured_at: datetime
    time_from: TimeFrom | None
    seq: int
    sequence: SequenceName | None
    name: str
    width: int
    height: int
    stages: tuple[StageRun, ...]
    picture_kept: bool
    published_at: datetime
    stored_at: datetime


class JobView(Value):
    """A job. `outcomes`: how many frames were stored, repeated, dead, dropped:<rule>; none while it is open."""

    job_id: JobId
    pipeline: Pipeline
    lane: Lane
    status: JobStatus
    attempt: int
    frame_count: int
    outcomes: dict[str, int]
    published_at: datetime
    finished_at: datetime | None  #: None while it is open


class LetterState(StrEnum):
    """Where a dead letter stands. The first two are open trouble."""

    OPEN = "open"
    REPLAYED = "replayed"  #: on its way again
    STORED = "stored"  #: a later publish of the frame succeeded
    DISCARDED = "discarded"  #: somebody decided to leave it


class DeadLetterView(Value):
    """A frame that gave up. `frame`, `pipeline` and `lane` are what a replay needs besides the pixels.

    They are None for a message whose shape no worker understood: it is in `payload` as it came.
    """

    letter_id: str
    state: LetterState
    job_id: JobId
    source_id: SourceId
    frame: FrameRef | None
    pipeline: Pipeline | None
    lane: Lane | None
    payload: Any = None
    stage: str
    reason: str
    message: str
    attempt: int
    times: int  #: how many publishes of the job ended here for this frame
    died_at: datetime
    picture_kept: bool
    stored_since: bool  #: a later publish of the frame succeeded
    replayed_at: datetime | None  #: None again once the replay died
    discarded_at: datetime | None
