"""What the output of a network with CTC says: the likeliest text, and how likely any other one is.

Graves et al., Connectionist temporal classification (2006). Class 0 is the blank, the others are `CHARACTERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

#: Classes 1..36.
CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_CLASSES: Final = {char: index for index, char in enumerate(CHARACTERS, 1)}
_TINY: Final = 1e-300

#: (steps, classes)
Probabilities = npt.NDArray[np.float32]


class Decoded(NamedTuple):
    text: str
    confidences: tuple[float, ...]  #: of each character
    alternatives: tuple[tuple[tuple[str, float], ...], ...]  #: of each character, the likeliest first

    @property
    def least(self) -> float:
        """How sure the least sure character is; 0 without any."""
        return min(self.confidences, default=0.0)

    @property
    def mean(self) -> float:
        return sum(self.confidences) / max(1, len(self.confidences))


def decode(probabilities: Probabilities, *, alternatives: int = 3) -> Decoded:
    """Greedy CTC of one crop's (steps, classes): runs of one class are one character, blanks fall out.

    A character's confidence is the best of its run, and its alternatives are those of that step.
    """
    classes = probabilities.argmax(1)
    starts = np.flatnonzero(np.diff(classes, prepend=-1))
    text: list[str] = []
    ranked: list[tuple[tuple[str, float], ...]] = []
    for start, end in zip(starts, [*starts[1:], len(classes)], strict=True):
        found = classes[start]
        if found == 0:
            continue
        peak = probabilities[start + probabilities[start:end, found].argmax()]
        best = np.argsort(-peak[1:])[:alternatives]
        text.append(CHARACTERS[found - 1])
        ranked.append(tuple((CHARACTERS[i], min(float(peak[i + 1]), 1.0)) for i in best.tolist()))
    return Decoded("".join(text), tuple(one[0][1] for one in ranked), tuple(ranked))


def log_likelihoods(
    probabilities: npt.NDArray[np.float32],
    texts: Sequence[str],
    *,
    lost: float | npt.NDArray[np.float64] = 0.0,
    least: float = 1e-9,
) -> npt.NDArray[np.float64]:
    """The natural logarithm of how likely each text is, by all ways in which the steps may say it.

    Args:
        probabilities: (views, steps, classes) of several views of one crop.
        texts: of `CHARACTERS`; "" says nothing.
        least: nothing is less likely than this at a step, 0..1, however sure the network is.
        lost: how likely the last character is not in the picture, 0..1, of all views or of each; the first one is a
            quarter as likely not.

    Returns:
        (views, texts).
    """
    states, ends, skips = _states(texts)
    steps = np.maximum(probabilities.astype(np.float64), least)
    missing = np.broadcast_to(lost, len(steps))[:, None]
    emitted = steps[:, :, states]  # (views, steps, texts, states)
    reached = np.zeros((len(steps), *states.shape))
    reached[:, :, :2] = emitted[:, 0, :, :2]
    reached[:, :, 2:4] = missing[:, :, None] / 4 * emitted[:, 0, :, 2:4]
    total = np.zeros(reached.shape[:2])
    for at in range(1, steps.shape[1]):
        arriving = reached.copy()
        arriving[:, :, 1:] += reached[:, :, :-1]
        arriving[:, :, 2:] += reached[:, :, :-2] * skips[:, 2:]
        reached = arriving * emitted[:, at]
        scale = reached.max(axis=2)
        total += np.log(scale)
        reached /= scale[:, :, None]
    rows = np.arange(len(texts))
    reached = np.pad(reached, ((0, 0), (0, 0), (3, 0)))  # so that a text of nothing has states before its end too
    whole = reached[:, rows, ends + 3] + reached[:, rows, ends + 2]
    cut = reached[:, rows, ends + 1] + reached[:, rows, ends]
    return total + np.log(np.maximum(whole + missing * cut, _TINY))


def side_by_side(views: Sequence[Probabilities]) -> npt.NDArray[np.float32]:
    """Views of different numbers of steps as one array: the shorter ones end with blanks."""
    found = np.zeros((len(views), max(map(len, views)), views[0].shape[1]), np.float32)
    found[:, :, 0] = 1
    for target, view in zip(found, views, strict=True):
        target[: len(view)] = view
    return found


def _states(texts: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """By text: the class of each state (blanks around and between characters), its last state, and which states may be
    reached past the blank before them, as they differ from the character before that.
    """
    width = 2 * max(map(len, texts)) + 1
    states = np.zeros((len(texts), max(width, 4)), np.int64)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = [_CLASSES[char] for char in text]
    skips = np.zeros(states.shape)
    skips[:, 2:] = (states[:, 2:] != 0) & (states[:, 2:] != states[:, :-2])
    return states, np.array([2 * len(text) for text in texts]), skips
