"""How likely a text is by the steps of a network, compared with the sum over all ways to say it."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from workers.recognizers.ctc import CHARACTERS, Probabilities, log_likelihoods

pytestmark = pytest.mark.unit


def drawn(*, views: int = 2, steps: int = 5) -> Probabilities:
    return np.random.default_rng(5).dirichlet(np.ones(len(CHARACTERS) + 1), (views, steps)).astype(np.float32)


def likelihood(steps: Probabilities, text: str) -> float:
    """The sum over all paths that read as the text."""
    total = 0.0
    classes = [0, *sorted({CHARACTERS.index(char) + 1 for char in text})]
    for path in itertools.product(classes, repeat=len(steps)):
        runs = [each for each, _ in itertools.groupby(path) if each]
        if "".join(CHARACTERS[each - 1] for each in runs) == text:
            total += math.prod(float(step[each]) for step, each in zip(steps, path, strict=True))
    return total


@pytest.mark.parametrize("text", ["A", "AA", "AB1", "7K", "ZZ9"])
def test_it_is_the_sum_over_all_ways_to_say_it(text: str) -> None:
    steps = drawn()
    found = log_likelihoods(steps, ["WXYZ", text])
    assert found.shape == (2, 2)
    assert found[:, 1] == pytest.approx([math.log(likelihood(one, text)) for one in steps])


def test_the_last_character_may_be_lost_and_more_rarely_the_first() -> None:
    (steps,) = drawn(views=1)
    (found,) = log_likelihoods(steps[None], ["AB1"], lost=0.1)[0]
    parts = likelihood(steps, "AB1") + 0.1 * likelihood(steps, "AB") + 0.025 * likelihood(steps, "B1")
    assert math.exp(found) == pytest.approx(parts, rel=0.01)


def test_more_characters_than_steps_cannot_have_been_said() -> None:
    assert log_likelihoods(drawn(steps=3), ["ABCDEF12"]).max() < -300
