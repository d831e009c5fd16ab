"""`ask`: a question, pictures and recordings in, an answer out that goes by what was seen and heard in them."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field

from sightline.pipelines.chat import ChatOptions, ChatResult
from sightline.pipelines.speech import Missing, Seconds, Segment, TranscribeOptions, TranscribeResult
from sightline.types import Detection, FrameError, FrameResult, Value


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


class Seen(Value):
    """What was seen on a picture, or why it could not be looked at."""

    width: int = 0  #: pixels; 0: it could not be looked at
    height: int = 0
    detections: tuple[Detection, ...] = ()
    error: FrameError | None = None

    @classmethod
    def of(cls, result: FrameResult) -> Self:
        return cls(width=result.width, height=result.height, detections=result.detections, error=result.error)


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
    heard: Heard | None = None  #: None: there is no recording, or none could be read
    #: What the model was told was seen and heard, a line each.
    used: tuple[str, ...] = ()
    #: Lines that it was not told, as they would not fit what it can be asked: the least certain ones.
    left_out: tuple[str, ...] = ()
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


def _heard_of(one: Heard | TranscribeResult) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Heard.model_fields}
