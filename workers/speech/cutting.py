"""Where a long recording is cut: at the quietest place near each multiple of a length, while it is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from sightline.pipelines.speech import SAMPLES_A_SECOND
from workers.speech.engine import Samples

#: Cuts are at multiples of this many samples: whoever looks at sound in chunks of that size sees the same chunks.
GRID: Final = 512
#: How loud it is is measured in pieces of this length, and a pause is so many of them.
_PIECE: Final = SAMPLES_A_SECOND // 100
_PAUSE_PIECES: Final = 40
#: A cut is looked for from this share of the wanted length to the other.
_FROM: Final = 0.75
_TO: Final = 1.25


def cut(blocks: Iterable[Samples], length_s: Callable[[int, float], float]) -> Iterator[Samples]:
    """Pieces that follow each other without a gap; no more of the recording is held than one of them.

    `length_s` says how long a piece should be, by its number and its start in seconds. It is cut in the middle of the
    quietest pause within a quarter of that; where all is loud, at the quietest moment.
    """
    waiting, held, number, start = list[Samples](), 0, 0, 0
    for block in blocks:
        waiting.append(block)
        held += len(block)
        wanted = length_s(number, start / SAMPLES_A_SECOND) * SAMPLES_A_SECOND
        while held >= wanted * _TO:
            sound = np.concatenate(waiting)
            first = int(wanted * _FROM)
            at = first + _quietest(sound[first : int(wanted * _TO)])
            at -= (start + at) % GRID
            yield sound[:at]
            waiting, held, number, start = [sound[at:]], held - at, number + 1, start + at
            wanted = length_s(number, start / SAMPLES_A_SECOND) * SAMPLES_A_SECOND
    if held:
        yield np.concatenate(waiting)


def most_pieces(most: int, said_s: float | None, longest_s: float, usual_s: float) -> Callable[[int, float], float]:
    """How long pieces are for there to be no more than `most`: `usual_s`, and longer if the recording is too long.

    `said_s`: how long it says it is, which may be wrong; it ends before `longest_s`.
    """

    def length_s(number: int, start_s: float) -> float:
        end_s = said_s if said_s is not None and start_s < said_s else longest_s
        left = max(1, most - number - 1)
        return max(usual_s, (end_s - start_s) / (_FROM * left))

    return length_s


def _quietest(sound: Samples) -> int:
    """The middle of the quietest pause; of several the first, of a long one its middle."""
    count = len(sound) // _PIECE
    if count <= _PAUSE_PIECES:
        return len(sound) // 2
    pieces = sound[: count * _PIECE].reshape(count, _PIECE).astype(np.float32)
    loudness = np.concatenate([[0.0], np.cumsum((pieces * pieces).mean(axis=1))])
    pauses = loudness[_PAUSE_PIECES:] - loudness[:-_PAUSE_PIECES]
    # Below some hundredths of the loudest all is silence, which noise alone orders.
    quiet = pauses <= max(float(pauses.min()) * 1.5, float(pauses.max()) * 1e-4)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    widest = int(np.argmax(ends - starts))
    middle = (int(starts[widest]) + int(ends[widest]) + _PAUSE_PIECES) // 2
    return middle * _PIECE
