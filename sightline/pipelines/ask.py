"""`ask`: a question, pictures and recordings in, an answer out that goes by what was seen and heard in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field

from sightline.pipelines.chat import ChatOptions, ChatResult
from sightline.pipelines.speech import Missing, Seconds, Segment, TranscribeOptions, TranscribeResult
from sightline.types import Detection, FrameError, FrameResult, Item, Pipeline, Reading, Value

#: Each picture of a question is looked at as these look at theirs, side by side; what is read is cut out for `ocr`.
READ_AS: Final = (Pipeline.PLATES, Pipeline.TEXT)
LOOKED_AT_AS: Final = (Pipeline.OBJECTS, *READ_AS)


class AskOptions(Value):
    """How a question is to be answered. What is None is left to the model; `ChatOptions` says what each means."""

    model: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    system: Annotated[str, Field(max_length=16_384)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    seed: int | None = None
    language: Annotated[str, Field(pattern=r"^[a-z]{2,3}$")] | None = None  #: of the recordings

    @property
    def of_answer(self) -> ChatOptions:
        return ChatOptions.model_validate(self.model_dump(exclude={"language"}))

    @property
    def of_speech(self) -> TranscribeOptions:
        return TranscribeOptions(language=self.language, words=False)


class Written(Value):
    """Something on a picture that can be read."""

    detection: Detection
    reading: Reading | None = None  #: None: it was not read, or not with enough confidence


class Seen(Value):
    """What was seen on a picture, or why it could not be looked at."""

    width: int = 0  #: pixels; 0: it could not be looked at
    height: int = 0
    detections: tuple[Detection, ...] = ()  #: objects
    plates: tuple[Written, ...] = ()
    texts: tuple[Written, ...] = ()
    error: FrameError | None = None

    @classmethod
    def of(cls, found: Mapping[Pipeline, FrameResult]) -> Self:
        """What the pipelines found that a picture was looked at as; at least one of them."""
        good = {pipeline: one for pipeline, one in found.items() if not one.error}
        first = next(iter(good.values()), None)
        if first is None:
            return cls(error=next(iter(found.values())).error)
        objects = good.get(Pipeline.OBJECTS)
        return cls(
            width=first.width,
            height=first.height,
            detections=objects.detections if objects else (),
            plates=_written(good.get(Pipeline.PLATES)),
            texts=_written(good.get(Pipeline.TEXT)),
        )


class Heard(Value):
    """What is said in the recordings, one after the other as if they were one."""

    text: str | None = None
    segments: tuple[Segment, ...] = ()
    missing: tuple[Missing, ...] = ()
    language: str | None = None
    duration_s: Seconds | None = None
    engine: str | None = None
    model: str | None = None


class AskResult(ChatResult):
    """An answer, and what it goes by."""

    seen: tuple[Seen, ...] = ()  #: a picture each, in their order
    shown: Annotated[int, Field(ge=0)] = 0  #: so many pictures the model was shown itself
    heard: Heard | None = None  #: None: there is no recording, or none could be read
    #: What the model was told was seen and heard, a line each.
    used: tuple[str, ...] = ()
    #: Lines that it was not told, as they would not fit what it can be asked.
    left_out: tuple[str, ...] = ()
    #: The rule by which: the least certain ones, of equal ones the oldest. None: nothing was left out.
    left_out_by: Literal["least_certain"] | None = None
    failed: tuple[FrameError, ...] = ()  #: what could not be looked at or listened to; the model was told that too

    @classmethod
    def of_reading(cls, read: TranscribeResult) -> Self:
        """What the stage that reads recordings leaves."""
        is_read = read.duration_s is not None and "audio" in read.frame.media
        heard = Heard.model_validate(_heard_of(read)) if is_read else None
        return cls(frame=read.frame, stages=read.stages, error=read.error, dropped=read.dropped, heard=heard)

    @property
    def reading(self) -> TranscribeResult:
        """The same the other way round."""
        heard = {} if self.heard is None else _heard_of(self.heard)
        return TranscribeResult(frame=self.frame, stages=self.stages, error=self.error, **heard)


def pictures_of(item: Item) -> list[Item]:
    """Each picture of a question as an item of its own; its id is its key."""
    return [
        item.model_copy(update={"frame_id": part.key, "parts": (part,)})
        for part in item.parts
        if part.medium == "image"
    ]


def looked_at_as(picture: Item, pipeline: Pipeline) -> Item:
    """The picture under another id for each pipeline: what is cut out for one is not taken for that of another."""
    return picture.model_copy(update={"frame_id": f"{picture.frame_id}.{pipeline}"})


def to_be_read(result: AskResult) -> Iterator[tuple[Pipeline, FrameResult]]:
    """What `detect` left for `ocr` on each picture, as the pipelines have it that it is to be read as."""
    for picture, seen in zip(pictures_of(result.frame), result.seen, strict=False):
        for pipeline in READ_AS if not seen.error else ():
            written = seen.plates if pipeline == Pipeline.PLATES else seen.texts
            detections = tuple(one.detection for one in written)
            yield (
                pipeline,
                FrameResult(
                    frame=looked_at_as(picture, pipeline), width=seen.width, height=seen.height, detections=detections
                ),
            )


def with_readings(result: AskResult, read: Sequence[FrameResult]) -> AskResult:
    """The result with what was read, which is in the order of `to_be_read`."""
    several = iter(read)
    seen: list[Seen] = []
    for one in result.seen:
        if one.error:
            seen.append(one)
            continue
        plates, texts = (next(several) for _ in READ_AS)
        seen.append(one.model_copy(update={"plates": _written(plates), "texts": _written(texts)}))
    errors = dict.fromkeys(one.error for one in read if one.error)
    return result.model_copy(
        update={
            "seen": tuple(seen),
            "failed": (*result.failed, *errors),
            "stages": (*result.stages, *dict.fromkeys(run for one in read for run in one.stages)),
        }
    )


def _written(found: FrameResult | None) -> tuple[Written, ...]:
    if found is None:
        return ()
    readings = {one.detection_index: one for one in found.readings}
    return tuple(
        Written(detection=detection, reading=readings.get(index)) for index, detection in enumerate(found.detections)
    )


def _heard_of(one: Heard | TranscribeResult) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Heard.model_fields}
