"""What a speech engine is. No implementation here, so that stages and stubs can import the contract alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.pipelines.speech import SAMPLES_A_SECOND, Segment, TranscribeOptions
from sightline.wire.models import LoadedModel

#: 16 kHz, one channel.
Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Stretch:
    """Speech without a long pause in it, which an engine reads in one go."""

    samples: Samples
    start_s: float  #: within what it was cut from
    options: TranscribeOptions

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLES_A_SECOND

    @property
    def end_s(self) -> float:
        return self.start_s + self.duration_s


class Heard(NamedTuple):
    """What an engine made of a stretch; times are from the start of that."""

    segments: tuple[Segment, ...]
    language: str | None = None


class SpeechEngine(Protocol):
    """Reads stretches of speech. What one reads as does not depend on those before it or beside it."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> LoadedModel:
        """What runs here; `calls_at_once` calls of `read` get ahead side by side."""
        ...

    @property
    def longest_s(self) -> float:
        """How much it reads in one go, at most. Speech is cut at a pause before that, or where it is quietest."""
        ...

    @property
    def pause_s(self) -> float:
        """A pause longer than this ends a stretch."""
        ...

    def check(self, options: TranscribeOptions) -> None:
        """Raises BadMessageError: it does not know that language, or has no such option; says what it can."""
        ...

    def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
        """One outcome a stretch, in their order.

        Raises:
            EngineUnavailableError: a server did not answer; the same may succeed later.
        """
        ...


def refuse_unknown(engine: str, options: TranscribeOptions, *, languages: Sequence[str], takes: Sequence[str]) -> None:
    """What `SpeechEngine.check` does. No languages: any. `takes`: options it has beside `language` and `words`.

    Raises BadMessageError.
    """
    from sightline.errors import BadMessageError

    if options.language and languages and options.language not in languages:
        raise BadMessageError(
            f"options.language: the engine {engine!r} does not know {options.language!r}; it reads "
            f"{', '.join(languages)}; leave it out, or set SIGHTLINE_SPEECH_ENGINE to one that does",
            field="options.language",
        )
    for name in ("prompt", "temperature"):
        if getattr(options, name) is not None and name not in takes:
            raise BadMessageError(
                f"options.{name}: the engine {engine!r} has no such option; leave it out", field=f"options.{name}"
            )
