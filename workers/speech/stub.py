"""An engine for tests: it says how long what it was given is, which tells whether everything was given, and where."""

from __future__ import annotations

from collections.abc import Sequence

from sightline.pipelines.speech import Segment, TranscribeOptions, Word
from sightline.wire.models import LoadedModel
from workers.speech.engine import Heard, Stretch


class StubEngine:
    name = "stub"
    model = LoadedModel(name="stub", sha256="", runtime="stub")
    longest_s = 10.0
    pause_s = 0.3

    def check(self, options: TranscribeOptions) -> None: ...

    def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
        return [self._heard(stretch) for stretch in stretches]

    def _heard(self, stretch: Stretch) -> Heard:
        text, end_s = f"{stretch.duration_s:.1f}", stretch.duration_s
        words = (Word(text=text, start_s=0, end_s=end_s, confidence=1),) if stretch.options.words else ()
        segment = Segment(start_s=0, end_s=end_s, text=text, confidence=1, words=words)
        return Heard((segment,), stretch.options.language)
