"""What queries return of frames, what was found on them, jobs and dead letters: flat, frozen, JSON-able values."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field

from sightline.types import (
    FrameId,
    Item,
    JobId,
    JobStatus,
    Lane,
    Part,
    Pipeline,
    Point,
    SequenceName,
    SourceId,
    StageRun,
    TimeFrom,
    Value,
    Xyxy,
)


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
    zone: str | None  #: of its camera, that it stands in


class ReadingView(StageView):
    frame_id: FrameId
    reading_index: int
    source_id: SourceId
    captured_at: datetime
    text: str
    confidence: float
    char_confidences: tuple[float, ...]
    alternatives: tuple[tuple[tuple[str, float], ...], ...] | None  #: of each character; None where nobody told
    country: str | None
    country_confidence: float | None
    detection_index: int | None
    zone: str | None  #: that of its detection
    unread: Literal["script"] | None  #: why a line lacks what is not in `text`
    passage_id: str | None


class FindingView(StageView):
    """One field of a result, of a pipeline that finds other things than detections, readings and passages; of a field
    that is a list, one entry."""

    frame_id: FrameId  #: of the item
    job_id: JobId
    source_id: SourceId
    captured_at: datetime
    pipeline: Pipeline
    stage: str | None
    kind: str  #: the field's name
    finding_index: int  #: the entry's number in a field that is a list, else 0
    payload: Any  #: its value


def _are_absent(parts: tuple[Part, ...]) -> bool:
    return not parts


class FrameView(Value):
    """A stored item. One that is a picture is a frame."""

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
    outside: int | None  #: how many things were left out, because they are in no zone
    parts: Annotated[tuple[Part, ...], Field(exclude_if=_are_absent)] = ()  #: none: it is one picture
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
    frame: Item | None
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
