"""Lines in a script that the recognizer does not know."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from sightline.types import Reading
from workers.recognizers.scripts import is_unknown, without_noise

pytestmark = pytest.mark.unit

STEPS = 40  #: of a line of 320 px


def line(*inked: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Strokes in these steps, on an even ground, which ends where the last of them do."""
    found = np.zeros((3, 48, 320), np.float32)
    for first, last in inked:
        found[:, 12:36, 8 * first : 8 * last : 4] = 1
    return found


def classes(*said: int) -> npt.NDArray[np.int64]:
    found = np.zeros(STEPS, np.int64)
    found[list(said)] = 7
    return found


def reading(text: str, *confidences: float) -> Reading:
    confidence = sum(confidences) / len(confidences) if confidences else 0.0
    return Reading(text=text, confidence=confidence, char_confidences=confidences)


@pytest.mark.parametrize(
    ("read", "said", "inked", "unknown"),
    [
        (reading("ABCD", 1, 1, 1, 1), (3, 8, 13, 18), ((1, 20),), False),
        (reading(""), (), ((1, 30),), True),
        (reading("42", 0.99, 0.99), (28, 30), ((1, 20), (27, 31)), True),  # digits behind a word
        (reading("LUIN", 0.5, 0.4, 0.6, 0.5), (3, 8, 13, 18), ((1, 20),), True),  # signs for others that look alike
        (reading("AB", 0.7, 0.6), (3, 13), ((1, 22),), True),  # a quarter is missing, and the rest is not sure
        (reading("AB", 0.95, 0.95), (3, 13), ((1, 22),), False),
        (reading(""), (), (), False),  # there is nothing
    ],
)
def test_much_unread_ink_or_nothing_but_unsure_characters_is_a_script_that_is_not_known(
    read: Reading, said: tuple[int, ...], inked: tuple[tuple[int, int], ...], unknown: bool
) -> None:
    assert is_unknown(read, classes(*said), line(*inked), (30, 200, 3)) is unknown


@pytest.mark.parametrize("shape", [(13, 200, 3), (30, 59, 3)])
def test_of_a_low_or_short_line_nobody_can_tell(shape: tuple[int, ...]) -> None:
    assert not is_unknown(reading(""), classes(), line((1, 30)), shape)


def test_what_remains_of_such_a_line_are_its_sure_digits() -> None:
    left = without_noise(reading("Nd 12 39", 0.5, 0.9, 1, 0.95, 0.95, 1, 0.4, 0.97))
    assert (left.text, left.char_confidences) == ("12 9", (0.95, 0.95, 1, 0.97))
    assert left.confidence == pytest.approx(0.9675)
    assert without_noise(reading("LUIN", 0.5, 0.4, 0.6, 0.5)).text == ""
