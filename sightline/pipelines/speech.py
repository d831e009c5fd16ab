"""`transcribe`: recordings in, what is said in them out, with times. What may be said beside, and what comes of it."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from sightline.types import Confidence, ItemResult, Value

#: Where transcribe stages wait for work.
TRANSCRIBE_QUEUE: Final = "cpu.transcribe"
#: The sound that engines are given.
SAMPLES_A_SECOND: Final = 16_000

Seconds = Annotated[float, Field(ge=0)]  #: from the start of the recording


class TranscribeOptions(Value):
    """How a recording is to be read. What is None is left to the worker's engine."""

    #: As ISO 639 has it, such as `en`. None: what the worker's settings say, or what the engine hears.
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    words: bool = True  #: each word with its times, where the engine knows them
    prompt: Annotated[str, Field(max_length=2_000)] | None = None  #: names and words that are likely to be said
    temperature: Annotated[float, Field(ge=0, le=1)] | None = None


class Word(Value):
    text: str
    start_s: Seconds
    end_s: Seconds
    confidence: Confidence | None = None  #: None: the engine does not tell


class Segment(Value):
    """What is said without a pause, or in a sentence."""

    start_s: Seconds
    end_s: Seconds
    text: str
    confidence: Confidence | None = None
    words: tuple[Word, ...] = ()


class Missing(Value):
    """A piece of a recording that could not be read. `reason` is a stable word, `message` is for people."""

    start_s: Seconds
    end_s: Seconds
    reason: str
    message: str


class TranscribeResult(ItemResult):
    """What is said in a recording. A silent one has the text "" and no segments."""

    text: str | None = None
    segments: tuple[Segment, ...] = ()  #: in the order of their times
    #: What the text lacks, since it could not be read or is not in the file: the rest is worth having.
    missing: tuple[Missing, ...] = ()
    language: str | None = None
    duration_s: Seconds | None = None
    engine: str | None = None
    model: str | None = None

    @property
    def has_found(self) -> bool:
        return bool(self.segments)

    @property
    def summary(self) -> str:
        if not self.missing:
            return self.text or ""
        lost_s = sum(piece.end_s - piece.start_s for piece in self.missing)
        return f"{self.text or ''} ({lost_s:.1f} s of {self.duration_s or 0:.1f} s could not be read)".strip()
