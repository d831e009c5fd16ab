"""Whether a line is in a script that its reader does not know: much of its ink became no character, or none is sure.

How well that goes is what `python -m benchmarks.scripts` measures. Letters that look like Latin ones are read as those,
and surely: then nobody can tell.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from sightline.types import Reading

#: A line can be judged if it has so many pixels in height, and is so many times longer.
_LEAST_PX: Final = 14
_LEAST_LENGTH: Final = 2.0
#: Text detection is this sure of a line: of what is none it is less.
LINE_CONFIDENCE: Final = 0.7
#: Of the ink this share is no character; or this much of it, where the characters are not surer than that.
_UNREAD: Final = 0.4
_SOME_UNREAD: Final = 0.15
_SURE: Final = 0.8
#: So many characters that are not surer than this are noise.
_SOME_CHARS: Final = 3
_NOISE: Final = 0.6
_NEAR_STEPS: Final = 3  #: ink so close to a step that is a character is part of it: half of the line's height
_INK: Final = 0.35  #: of the contrast of what is strongest in the line
_LEAST_INK: Final = 0.008
_EDGE_PX: Final = 6  #: of 48, above and below, where a frame may be
_SURE_DIGIT: Final = 0.9

_Floats = npt.NDArray[np.float32]


def is_unknown(reading: Reading, classes: npt.NDArray[np.int64], line: _Floats, crop_shape: tuple[int, ...]) -> bool:
    """Whether what was read of a line is not what is there, as its script is unknown.

    Args:
        classes: what each step of the reader is; 0 is no character.
        line: (colors, rows, columns) -1..1, as the reader saw it; zeros right of it.
        crop_shape: of the crop that the line was scaled from.
    """
    height, width = crop_shape[:2]
    if height < _LEAST_PX or width < _LEAST_LENGTH * height:
        return False
    unread = _unread_ink(classes, line)
    if unread > _UNREAD or (unread > _SOME_UNREAD and reading.confidence < _SURE):
        return True
    return len(reading.char_confidences) >= _SOME_CHARS and reading.confidence < _NOISE


def without_noise(reading: Reading) -> Reading:
    """What remains of a line in an unknown script: its digits, where they are sure."""
    kept = [
        (char, confidence)
        for char, confidence in zip(reading.text, reading.char_confidences, strict=False)
        if char.isspace() or (char.isascii() and char.isdigit() and confidence >= _SURE_DIGIT)
    ]
    while kept and kept[0][0].isspace():
        kept = kept[1:]
    while kept and kept[-1][0].isspace():
        kept = kept[:-1]
    sure = tuple(confidence for _, confidence in kept)
    confidence = sum(sure) / len(sure) if sure else 0.0
    text = "".join(char for char, _ in kept)
    return reading.model_copy(update={"text": text, "confidence": confidence, "char_confidences": sure})


def _unread_ink(classes: npt.NDArray[np.int64], line: _Floats) -> float:
    """How much of a line's ink is not near a character, as a share of all."""
    contrast = np.abs(np.diff(line[1, _EDGE_PX:-_EDGE_PX], axis=0)).mean(axis=0)
    bounds = np.linspace(0, len(contrast), len(classes), endpoint=False).astype(np.int64)
    strongest = np.maximum.reduceat(contrast, bounds)
    seen = strongest[strongest > 0]  # right of the line there is nothing
    if not len(seen):
        return 0.0
    ink = strongest > max(_INK * float(np.percentile(seen, 90)), _LEAST_INK)
    near = np.convolve(classes != 0, np.ones(2 * _NEAR_STEPS + 1), "same") > 0
    return float((ink & ~near).sum() / max(1, ink.sum()))
