"""The values every process agrees on. All are frozen, validated and JSON-able; none holds pixels.

Boxes are `xyxy`: absolute pixels of the full frame, origin top left. Times are UTC with zone. Confidences are 0..1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sized
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal, Self, cast

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    InstanceOf,
    JsonValue,
    SerializeAsAny,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

FrameId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{7,63}$")]
JobId = FrameId
SourceId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
SequenceName = SourceId
#: What says when a frame was captured: the camera's clock, the position in a video, the camera that took the photo, its
#: file, whoever submitted it; or nothing did, and it is the time of arrival.
TimeFrom = Literal["camera", "video", "exif", "file", "caller", "received"]
NAME = r"^[a-z][a-z0-9_-]{0,31}$"  #: of a pipeline or a stage
Medium = Literal["image", "audio", "text"]
MAX_PARTS: Final = 16  #: of an item
MAX_INLINE_CHARS: Final = 16_384  #: of a text inside a message; a longer one lies in the frame store, as UTF-8
Confidence = Annotated[float, Field(ge=0.0, le=1.0)]
Xyxy = tuple[float, float, float, float]
Point = tuple[float, float]


class Value(BaseModel):
    """Base of all frozen values."""

    # Values are mostly ids, each seen once: to cache them takes memory and finds nothing.
    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=(), cache_strings="keys"
    )


class Pipeline(str):
    """The name of a pipeline, the route of a job. Which there are, and what each does, `sightline.pipelines` knows."""

    __slots__ = ()

    OBJECTS: ClassVar[Pipeline]  #: detect
    TEXT: ClassVar[Pipeline]  #: find and read all text on the whole image
    PLATES: ClassVar[Pipeline]  #: detect, read the crops, merge readings into passages
    CHAT: ClassVar[Pipeline]  #: answer a question with a language model
    TRANSCRIBE: ClassVar[Pipeline]  #: read what is said in a recording
    ASK: ClassVar[Pipeline]  #: answer a question by what is seen in pictures and said in recordings

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema(pattern=NAME))


Pipeline.OBJECTS = Pipeline("objects")
Pipeline.TEXT = Pipeline("text")
Pipeline.PLATES = Pipeline("plates")
Pipeline.CHAT = Pipeline("chat")
Pipeline.TRANSCRIBE = Pipeline("transcribe")
Pipeline.ASK = Pipeline("ask")


class Lane(StrEnum):
    """Who is served first: interactive > live > bulk."""

    INTERACTIVE = "interactive"
    LIVE = "live"
    BULK = "bulk"


class Part(Value):
    """A piece of an item: bytes in the frame store under `key`, or a short text as it is."""

    medium: Medium
    key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")] | None = None
    text: Annotated[str, StringConstraints(max_length=MAX_INLINE_CHARS)] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.key is None) == (self.text is None):
            raise ValueError("give either `key`, of its bytes in the frame store, or `text`")
        if self.text is not None and self.medium != "text":
            raise ValueError(f"`text` is of medium text, not {self.medium}; put the bytes into the frame store")
        return self


_PART_ENDS: Final = frozenset(("", *(f".p{number}" for number in range(MAX_PARTS))))


def _are_absent(given: object) -> bool:
    return not given


#: The zone of its camera that something stands in; the writer says so.
_Zone = Annotated[str | None, Field(exclude_if=_are_absent)]


class Item(Value):
    """One thing to work on. What it is made of lies in the frame store, as far as it is not short text.

    Without `parts` it is a frame: one picture, which lies under `frame_id`. The key of a part is that too, or that with
    `.p0` to `.p15` after it.

    `sequence` names, within the source, the frames that follow each other in time as a camera or a video gives them;
    None: a picture on its own.
    """

    frame_id: FrameId  #: the item's id, whatever it is made of
    source_id: SourceId
    captured_at: AwareDatetime
    seq: Annotated[int, Field(ge=0)] = 0
    name: Annotated[str, StringConstraints(max_length=255)] = ""  #: file name or the like, for people
    sequence: SequenceName | None = None
    time_from: TimeFrom | None = None  #: where `captured_at` comes from, if it is known
    parts: Annotated[tuple[Part, ...], Field(max_length=MAX_PARTS, exclude_if=_are_absent)] = ()
    #: How it is to be worked on, where its pipeline lets that be said (`PipelineSpec.options`).
    options: Annotated[dict[str, JsonValue] | None, Field(exclude_if=_are_absent)] = None

    @field_validator("parts")
    @classmethod
    def _lie_under_its_id(cls, parts: tuple[Part, ...], info: ValidationInfo) -> tuple[Part, ...]:
        frame_id = info.data.get("frame_id", "")
        for part in parts:
            if part.key is not None and part.key.removeprefix(frame_id) not in _PART_ENDS:
                raise ValueError(f"key {part.key!r} is not of this item: give {frame_id!r}, or that with .p0 to .p15")
        return parts

    @property
    def media(self) -> tuple[Medium, ...]:
        """What its parts are, in their order."""
        return tuple(part.medium for part in self.parts) or ("image",)

    @property
    def keys(self) -> tuple[str, ...]:
        """Where its parts lie in the frame store."""
        return tuple(part.key for part in self.parts if part.key) if self.parts else (self.frame_id,)


#: An item that is one picture.
FrameRef = Item


class StageRun(Value):
    """How one stage treated one frame: what ran, where, and how long it took."""

    stage: Annotated[str, StringConstraints(pattern=NAME)]
    model: str
    model_sha256: str
    runtime: str
    worker: str
    queue_wait_ms: float  #: from publish of the stage to its start
    inference_ms: float  #: this frame's share of its batch
    batch_size: int  #: images in the batch it ran in


class Detection(Value):
    """One found object. `corners` are the four corners clockwise from top left, where the detector knows them."""

    xyxy: Xyxy
    label: str
    class_id: int
    confidence: Confidence
    corners: tuple[Point, Point, Point, Point] | None = None
    track_id: int | None = None
    zone: _Zone = None


class Reading(Value):
    """One recognized text. `detection_index` points into the frame's detections.

    `sharpness` of its crop is the variance of the Laplacian of its gray values, the crop scaled to 48 px in height;
    None where it was not measured. `alternatives` has up to three characters with their likelihoods for each character
    of `text`, the one that was read first; empty where the recognizer does not tell. `country` is the likely one of a
    plate: ISO 3166 in small letters, such as `sk` or `us-tx`. `unread` says why a line lacks what is not in `text`:
    `script`, it is in a script that the model does not read.
    """

    text: str
    confidence: Confidence
    char_confidences: tuple[Confidence, ...] = ()
    detection_index: int | None = None
    sharpness: Annotated[float, Field(ge=0)] | None = None
    alternatives: tuple[tuple[tuple[str, Confidence], ...], ...] = ()
    country: str | None = None
    country_confidence: Confidence | None = None
    zone: _Zone = None
    unread: Annotated[Literal["script"] | None, Field(exclude_if=_are_absent)] = None

    @property
    def words(self) -> str:
        """The text, and what it lacks, for people."""
        return f"{self.text} (script not read)".strip() if self.unread else self.text


class FrameError(Value):
    """Why a frame cannot be processed. `reason` is a stable word, `message` is for people."""

    reason: str
    message: str
    stage: str


class ItemResult(Value):
    """What is known of one item. What a pipeline finds are the further fields of its own result type.

    Each of those has a default: an item that failed has none of them.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")  # so that a NaN is refused, not taken for nothing found

    frame: Item
    stages: tuple[StageRun, ...] = ()
    error: FrameError | None = None
    dropped: str | None = None  #: the named rule that dropped the item

    @property
    def has_found(self) -> bool:
        """Whether anything was found, so that what it was found on is worth keeping."""
        fields = type(self).model_fields.items()
        return any(getattr(self, name) != its.default for name, its in fields if name not in _OF_ITEMS)

    @property
    def found(self) -> dict[str, Any]:
        """The fields of its own, JSON-able."""
        return self.model_dump(mode="json", exclude=_OF_ITEMS)

    @property
    def summary(self) -> str:
        """What was found, in a line for people; empty where that is nothing."""
        found = ((name, value) for name, value in self.found.items() if value not in (None, "", [], {}))
        return ", ".join(f"{name} {_short(value)}" for name, value in found)


def _short(value: Any) -> str:
    """A list of words as they are; of what has parts only how many it has."""
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in cast(list[Any], value)):
        value = ", ".join(map(str, cast(list[Any], value)))
    elif isinstance(value, list | dict):
        return f"({len(cast(Sized, value))})"
    return f"{value!s:.80}"


_OF_ITEMS: Final = set(ItemResult.model_fields)


class FrameResult(ItemResult):
    """All that is known of one frame once it left the last stage."""

    width: int = 0  #: pixels; 0 until the frame was decoded
    height: int = 0
    detections: tuple[Detection, ...] = ()
    readings: tuple[Reading, ...] = ()
    #: How many detections were left out, because they are outside of the zones that are reported.
    outside: Annotated[int, Field(exclude_if=_are_absent)] = 0

    @property
    def has_found(self) -> bool:
        return bool(self.detections or self.readings)

    @property
    def summary(self) -> str:
        """The texts that were read, or how many of what was detected."""
        if self.readings:
            return ", ".join(reading.words for reading in self.readings)
        labels = Counter(detection.label for detection in self.detections).most_common()
        return ", ".join(f"{count} {label}" for label, count in labels)


class OtherResult(ItemResult):
    """Of a pipeline whose result type is not known here: its fields are taken as they come."""

    model_config = ConfigDict(extra="allow")


#: Off the wire it is a `FrameResult` or an `OtherResult`; `sightline.pipelines.as_results` makes it what it should be.
AnyResult = Annotated[
    SerializeAsAny[FrameResult | InstanceOf[ItemResult] | OtherResult], Field(union_mode="left_to_right")
]


class JobStatus(StrEnum):
    OPEN = "open"  #: accepted, not finished
    STORED = "stored"  #: at least one frame is stored, none is dead
    DROPPED = "dropped"  #: every frame was dropped by a rule
    DEAD = "dead"  #: at least one frame became a dead letter


class JobResult(Value):
    """What `SubmittedJob.wait` returns: one result per item, in the order of submission."""

    job_id: JobId
    pipeline: Pipeline
    status: JobStatus
    frames: tuple[AnyResult, ...]
    finished_at: datetime

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The readings of all frames."""
        return tuple(reading for frame in self.frames if isinstance(frame, FrameResult) for reading in frame.readings)

    @property
    def detections(self) -> tuple[Detection, ...]:
        """The detections of all frames."""
        return tuple(found for frame in self.frames if isinstance(frame, FrameResult) for found in frame.detections)

    @property
    def errors(self) -> tuple[FrameError, ...]:
        return tuple(frame.error for frame in self.frames if frame.error)
