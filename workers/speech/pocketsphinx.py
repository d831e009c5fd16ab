"""PocketSphinx: English, offline, with the model of its wheel. Light, and weaker than newer engines."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pocketsphinx
from pocketsphinx import Decoder

from sightline.errors import ModelError
from sightline.pipelines.speech import SAMPLES_A_SECOND, Segment, TranscribeOptions, Word
from sightline.settings import SpeechSettings
from sightline.wire.models import LoadedModel
from workers.speech.engine import Heard, SpeechEngine, Stretch, refuse_unknown

_FRAMES_A_SECOND: Final = 100


def open_pocketsphinx(settings: SpeechSettings) -> SpeechEngine:  # noqa: ARG001
    """Raises ModelError: the wheel has no model in it."""
    folder = Path(str(pocketsphinx.get_model_path())) / "en-us"
    weights = folder / "en-us" / "mdef"
    if not weights.is_file():
        raise ModelError(f"pocketsphinx: no model in {folder}; install its wheel from a package index", model="en-us")
    return _PocketSphinx(hashlib.sha256((folder / "en-us.lm.bin").read_bytes()).hexdigest())


class _PocketSphinx:
    """One decoder, which reads one stretch after the other.

    It keeps Python's other threads from running meanwhile, hence stretches of a few seconds.
    """

    name = "pocketsphinx"
    longest_s = 15.0
    pause_s = 0.5

    def __init__(self, sha256: str) -> None:
        self.model = LoadedModel(name="en-us", sha256=sha256, runtime="pocketsphinx")
        self._decoder = Decoder(samprate=SAMPLES_A_SECOND, cmn="batch", loglevel="FATAL")
        self._turn = threading.Lock()

    def check(self, options: TranscribeOptions) -> None:
        refuse_unknown(self.name, options, languages=("en",), takes=())

    def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
        with self._turn:
            return [Heard(tuple(self._segments(stretch)), "en") for stretch in stretches]

    def _segments(self, stretch: Stretch) -> Iterator[Segment]:
        self._decoder.reinit_feat()  # what it learned of one recording must not change how it reads the next
        self._decoder.start_utt()
        self._decoder.process_raw(stretch.samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return
        words = tuple(self._word(one, stretch.duration_s) for one in self._decoder.seg() if _is_word(one.word))
        if words:
            confidence = sum(word.confidence or 0 for word in words) / len(words)
            yield Segment(
                start_s=words[0].start_s,
                end_s=words[-1].end_s,
                text=" ".join(word.text for word in words),
                confidence=round(confidence, 4),
                words=words if stretch.options.words else (),
            )

    def _word(self, one: Any, duration_s: float) -> Word:
        return Word(
            text=one.word.partition("(")[0],  # the second way to say it is `was(2)`
            start_s=one.start_frame / _FRAMES_A_SECOND,
            end_s=min(duration_s, (one.end_frame + 1) / _FRAMES_A_SECOND),
            confidence=round(min(1.0, one.prob), 4),
        )


def _is_word(text: str) -> bool:
    """And no pause or noise, which are called <sil> or [NOISE]."""
    return not text.startswith(("<", "[", "++"))
