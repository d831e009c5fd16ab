"""Long recordings are cut where it is quiet, in no more pieces than there may be, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.voices import RATE, Samples, noise, silence
from workers.speech.cutting import GRID, cut, most_pieces
from workers.stages.speech.shards import Shard

USUAL_S = 10.0


def blocks(samples: Samples, size: int = 1024) -> Iterator[Samples]:
    for at in range(0, len(samples), size):
        yield samples[at : at + size]


def cuts(samples: Samples, length_s: float = USUAL_S) -> list[float]:
    """Where it was cut, in seconds. What is cut is whole together."""
    pieces = list(cut(blocks(samples), lambda *_: length_s))
    assert np.array_equal(np.concatenate(pieces), samples)
    ends = np.cumsum([len(piece) for piece in pieces])
    assert all(end % GRID == 0 for end in ends[:-1])
    return [end / RATE for end in ends[:-1]]


def test_it_is_cut_in_the_middle_of_the_pause_that_is_near() -> None:
    spoken = [noise(8, 0.3), silence(1), noise(7, 0.3), silence(0.6), noise(8, 0.3)]
    assert cuts(np.concatenate(spoken)) == pytest.approx([8.5, 16.3], abs=0.1)


def test_background_noise_hides_no_pause() -> None:
    loud = np.concatenate([noise(9, 0.3), noise(0.8, 0.01), noise(9, 0.3)])
    assert cuts(loud) == pytest.approx([9.4], abs=0.1)


def test_the_longest_pause_is_taken_not_the_first() -> None:
    spoken = np.concatenate([noise(8, 0.3), silence(0.45), noise(1, 0.3), silence(1.5), noise(5, 0.3)])
    assert cuts(spoken) == pytest.approx([8 + 0.45 + 1 + 0.75], abs=0.1)


def test_without_any_pause_it_is_cut_near_the_wanted_length() -> None:
    assert all(
        7.5 <= after - before <= 12.5 for before, after in zip([0, *cuts(noise(60))], cuts(noise(60)), strict=False)
    )


def test_silence_alone_and_a_short_sound() -> None:
    assert len(cuts(silence(60))) >= 4
    assert cuts(noise(5)) == []
    assert list(cut(iter(()), lambda *_: USUAL_S)) == []


def test_no_more_than_a_piece_is_held() -> None:
    given = 0

    def coming() -> Iterator[Samples]:
        nonlocal given
        for block in blocks(noise(120)):
            given += len(block)
            yield block

    taken = 0
    for piece in cut(coming(), lambda *_: USUAL_S):
        taken += len(piece)
        assert given - taken <= USUAL_S * RATE


@pytest.mark.parametrize("real_s", [100, 7_000, 14_000])
@pytest.mark.parametrize("said_s", [None, 100, 7_000, 14_400])
@pytest.mark.parametrize("share", [0.75, 1.0, 1.25])
def test_there_are_never_too_many_pieces_whatever_a_file_says_of_itself(
    real_s: float, said_s: float | None, share: float
) -> None:
    length_s = most_pieces(255, said_s, 14_400, 30)
    number, at = 0, 0.0
    while at < real_s:
        at += length_s(number, at) * share
        number += 1
    assert number <= 255


def test_a_shard_travels_as_flac_without_loss() -> None:
    sound = noise(2, 0.05)
    packed = Shard(1, 12.5, sound).pack()
    assert len(packed) < sound.nbytes
    back = Shard.unpack(packed)
    assert (back.item, back.start_s, back.end_s) == (1, 12.5, 14.5)
    assert np.array_equal(back.sound, sound)
