"""Answers that come in pieces are cut before a stop string, wherever it begins and ends."""

from __future__ import annotations

import pytest

from workers.chat.stop_strings import StopStrings


@pytest.mark.parametrize(
    ("stops", "pieces", "told", "is_met"),
    [
        ([], ["He", "llo"], ["He", "llo"], False),
        (["ell"], ["Hello"], ["H"], True),
        (["Hello"], ["Hello"], [""], True),
        (["lo w"], ["Hel", "lo", " wo"], ["He", "l", ""], True),
        (["lo w"], ["Hel", "lo", " you"], ["He", "l", "lo you"], False),
        (["aab"], ["aa", "a", "b"], ["", "a", ""], True),
        (["END", "lo"], ["Hello END"], ["Hel"], True),
        (["\n\n"], ["a\n", "b\n"], ["a", "\nb\n"], False),
    ],
)
def test_nothing_of_a_stop_string_is_told(stops: list[str], pieces: list[str], told: list[str], is_met: bool) -> None:
    strings = StopStrings(stops)
    passed = [strings.pass_on(piece, is_last=piece is pieces[-1]) for piece in pieces]
    assert (passed, strings.is_met) == (told, is_met)
