"""The rate of a camera between its limits: what lowers it, what raises it, and that it settles."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.camera.publish.budget import RISE_S, STILL_S, Budget
from sightline.video.sampler import Sampler

DEADLINE_S = 5.0
LATE_S, YOUNG_S = 1.6, 0.5


def budget(min_fps: float | None = 1, fps: float = 8) -> Budget:
    return Budget(min_fps, fps, deadline_s=DEADLINE_S)


def test_without_a_lower_limit_the_rate_stays() -> None:
    fixed = budget(None)
    for second in range(30):
        fixed.look(second, LATE_S, refused=second)
    assert fixed.is_fixed
    assert fixed.fps == 8
    fixed.note_motion(0.0)
    assert all(fixed.takes(number / 8) for number in range(800))


def test_a_lower_limit_above_the_upper_one_is_the_upper_one() -> None:
    assert budget(9, 8).is_fixed


def test_one_late_queue_cuts_once() -> None:
    """The next second the oldest frame is still one from before the cut; later one that was sent after it."""
    one = budget()
    one.look(100, LATE_S, 0)
    assert one.fps == 4
    one.look(101, LATE_S, 0)
    assert one.fps == 4
    one.look(102, LATE_S - 0.1, 0)  # sent after the cut, but behind those from before, and the queue gets shorter
    assert one.fps == 4
    one.look(103, LATE_S, 0)
    assert one.fps == 2


def test_each_refusal_cuts_but_not_below_the_lower_limit() -> None:
    one = budget()
    one.look(0, 0.0, refused=7)  # from before: a changed row has a new budget and old counters
    assert one.fps == 8
    rates: list[float] = []
    for second in range(1, 6):
        one.look(second, 0.0, refused=7 + second)
        rates.append(one.fps)
    assert rates == [4, 2, 1, 1, 1]


def test_between_young_and_late_and_while_nothing_is_known_it_stays() -> None:
    one = budget()
    one.look(0, LATE_S, 0)
    for second in range(1, 60):
        one.look(second, 1.0 if second % 2 else None, 0)
    assert one.fps == 4


def test_a_young_queue_raises_it_in_even_steps() -> None:
    one = budget()
    for second in range(4):
        one.look(second, 0.0, refused=second)
    assert one.fps == 1
    rates: list[float] = []
    for second in range(4, 40):
        one.look(second, YOUNG_S, refused=3)
        rates.append(one.fps)
    grown = [rate for rate in rates if 1 < rate < 8]
    assert grown == pytest.approx([1 + 7 * step / RISE_S for step in range(1, len(grown) + 1)])
    assert rates[: int(DEADLINE_S)] == [1] * 5  # what was sent before the cut may still be under way
    assert rates[-1] == 8


def test_a_still_scene_has_the_lower_limit_and_motion_the_whole_rate_at_once() -> None:
    one = budget()
    one.note_motion(0.0)
    assert one.takes(STILL_S)
    assert one.fps == 8
    still = [number / 8 for number in range(85, 250) if one.takes(number / 8)]
    assert one.fps == 1
    assert one.slowdown == 8
    assert [later - at for at, later in pairwise(still)] == [1.0] * (len(still) - 1)
    one.note_motion(still[-1])
    assert all(one.takes(still[-1] + number / 8) for number in range(1, 20))
    assert one.fps == 8


def test_motion_lifts_it_no_further_than_the_queue_allows() -> None:
    one = budget()
    one.note_motion(0.0)
    one.look(0, LATE_S, 0)
    one.takes(STILL_S + 1)
    assert one.fps == 1
    one.note_motion(STILL_S + 1)
    one.takes(STILL_S + 1.2)
    assert one.fps == 4


def test_a_clock_that_goes_back_stops_nothing() -> None:
    """A file that is opened again begins at 0."""
    one = budget()
    one.look(0, LATE_S, 0)
    one.note_motion(1000.0)
    assert [one.takes(at_s) for at_s in (1000.0, 1000.125, 0.0, 0.125, 0.25)] == [True, False, True, False, True]


@given(
    looks=st.lists(st.tuples(st.none() | st.floats(0, 10), st.integers(0, 3)), max_size=60),
    steps=st.lists(st.floats(0.01, 3), min_size=1, max_size=200),
)
def test_it_keeps_its_limits(looks: list[tuple[float | None, int]], steps: list[float]) -> None:
    one = budget()
    for second, (age_s, refused) in enumerate(looks):
        one.look(second, age_s, refused)
        assert 1 <= one.fps <= 8
    stamps = list(accumulate(steps))
    sampler = Sampler(8)
    taken = [at_s for at_s in stamps if sampler.takes(at_s) and one.takes(at_s)]
    assert len(taken) <= (stamps[-1] - stamps[0]) * one.fps + 2


@dataclass
class Simulation:
    """Cameras that share one queue and one worker, which takes `frame_s` for a frame; in steps of 10 ms."""

    cameras: int
    budgets: list[Budget] = field(init=False)
    limit: int = 8  #: open frames of one camera
    now_s: float = 0.0
    ages_s: list[float] = field(default_factory=list[float])
    rates: list[float] = field(default_factory=list[float])
    published: int = 0
    done: int = 0
    refused: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.budgets = [budget(0.5, 5) for _ in range(self.cameras)]
        self.refused = [0] * self.cameras
        self._samplers = [Sampler(5) for _ in range(self.cameras)]
        self._queue: deque[tuple[float, int]] = deque()
        self._free_s = 0.0

    def run(self, seconds: float, frame_s: float) -> None:
        for _ in range(round(seconds * 100)):
            self.now_s = round(self.now_s + 0.01, 2)
            for camera in range(self.cameras):
                self._read(camera)
            self._work(frame_s)
            if round(self.now_s * 100) % 100 == 0:
                self._look()

    def _read(self, camera: int) -> None:
        at_s = self.now_s + camera * 0.037
        if not (self._samplers[camera].takes(at_s) and self.budgets[camera].takes(at_s)):
            return
        if sum(owner == camera for _, owner in self._queue) >= self.limit:
            self.refused[camera] += 1
        else:
            self._queue.append((self.now_s, camera))
            self.published += 1

    def _work(self, frame_s: float) -> None:
        """The frame at the head is the one in work; those past the deadline go unseen."""
        while self._queue and self._free_s <= self.now_s:
            sent_s, _ = self._queue.popleft()
            if self.now_s - sent_s <= DEADLINE_S:
                self._free_s = max(self._free_s, self.now_s - 0.01) + frame_s
                self.done += 1

    def _look(self) -> None:
        age_s = self.now_s - self._queue[0][0] if self._queue else 0.0
        for camera, one in enumerate(self.budgets):
            one.look(self.now_s, age_s, self.refused[camera])
        self.ages_s.append(age_s)
        self.rates.append(sum(one.fps for one in self.budgets))


@pytest.mark.parametrize(("cameras", "share"), [(1, 0.5), (4, 0.5), (20, 0.5), (20, 0.15), (20, 0.9)])
def test_cameras_settle_at_what_the_worker_can(cameras: int, share: float) -> None:
    """It can do `share` of what they want: nothing is late for long, little is refused, and most of it is used."""
    run = Simulation(cameras)
    can = share * cameras * 5
    run.run(120, 1 / can)
    done, published, refused = run.done, run.published, sum(run.refused)
    run.run(240, 1 / can)
    done, published, refused = run.done - done, run.published - published, sum(run.refused) - refused
    ages = sorted(run.ages_s[120:])
    assert ages[len(ages) // 2] < 1.6
    assert ages[-1] < DEADLINE_S
    assert refused <= 0.02 * published
    assert done == pytest.approx(published, abs=8 * cameras)  # next to nothing went stale
    assert done >= 0.6 * can * 240
    rates = [one.fps for one in run.budgets]
    assert max(rates) <= 2.1 * min(rates)


def test_it_comes_back_when_the_worker_can_again_and_stays() -> None:
    run = Simulation(4)
    run.run(60, 2.0)
    assert run.rates[-1] == pytest.approx(4 * 0.5, abs=0.5)
    run.run(40, 0.01)
    assert run.rates[-1] == 20
    run.run(60, 0.045)  # busy for nine tenths of the time, and that is no reason to change anything
    assert set(run.rates[-60:]) == {20}
