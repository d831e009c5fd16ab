"""Positions from time stamps that cannot be trusted."""

import pytest

from sightline.video.clock import PositionClock


def positions(stamps: list[float | None], *, start_s: float | None = None, frame_s: float = 0.1) -> list[float]:
    clock = PositionClock(frame_s, start_s)
    return [round(clock.at_s(stamp), 6) for stamp in stamps]


@pytest.mark.parametrize(
    ("stamps", "right"),
    [
        pytest.param([0.0, 0.1, 0.2], [0, 0.1, 0.2], id="sane"),
        pytest.param([95_000.0, 95_000.1, 95_000.3], [0, 0.1, 0.3], id="start anywhere"),
        pytest.param([0.0, 0.1, 0.0, 0.1], [0, 0.1, 0.2, 0.3], id="start over, as in joined files"),
        pytest.param([5.0, 5.1, 0.0, 0.4], [0, 0.1, 0.2, 0.6], id="go back"),
        pytest.param([0.0, 0.1, 7200.0, 7200.1], [0, 0.1, 0.2, 0.3], id="jump two hours"),
        pytest.param([0.0, 0.1, 9.1, 9.2], [0, 0.1, 9.1, 9.2], id="a gap that may be true"),
        pytest.param([None, None, None], [0, 0.1, 0.2], id="none at all"),
        pytest.param([0.0, None, 0.2, 0.3], [0, 0.1, 0.2, 0.3], id="one is missing"),
        pytest.param([None, 30.0, 30.1], [0, 0.1, 0.2], id="the first is missing"),
        pytest.param([1.0, 1.0, 1.0], [0, 0.1, 0.2], id="stand still"),
    ],
)
def test_positions_grow_whatever_the_stamps_do(stamps: list[float | None], right: list[float]) -> None:
    assert positions(stamps) == right


def test_the_first_picture_is_where_the_container_says() -> None:
    assert positions([40.5, 40.6], start_s=40) == [0.5, 0.6]
    assert positions([7000, 7000.1], start_s=40) == [0, 0.1]
    assert positions([39, 39.1], start_s=40) == [0, 0.1]


def test_steps_of_a_time_lapse_are_no_jumps() -> None:
    assert positions([0, 60, 120], frame_s=60) == [0, 60, 120]
