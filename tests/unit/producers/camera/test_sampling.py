import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.camera.sources import sampling
from producers.camera.sources.sampling import Backoff, KeyFrameSampler, StreamClock
from sightline.video.sampler import Sampler


def taken(fps: float, stamps: list[float]) -> list[float]:
    sampler = Sampler(fps)
    return [at_s for at_s in stamps if sampler.takes(at_s)]


def test_ten_of_twenty_five() -> None:
    assert len(taken(10, [n / 25 for n in range(250)])) == 100


def test_all_frames_of_a_source_that_is_slower() -> None:
    assert len(taken(30, [n / 12.5 for n in range(100)])) == 100


@pytest.mark.parametrize("source_fps", [25, 29.97, 30, 60])
def test_the_same_rate_takes_all_frames_though_stamps_are_rounded(source_fps: float) -> None:
    assert len(taken(source_fps, [round(n / source_fps, 3) for n in range(300)])) == 300


def test_a_gap_is_not_made_up_for() -> None:
    stamps = [n / 10 for n in range(10)] + [60 + n / 10 for n in range(20)]
    assert taken(1, stamps) == [0.0, 60.0, 61.0]


def test_a_clock_that_goes_back_starts_anew() -> None:
    assert taken(1, [100.0, 100.5, 101.0, 0.0, 0.5, 1.0]) == [100.0, 101.0, 0.0, 1.0]


def test_a_change_counts_from_the_last_frame_taken() -> None:
    sampler = Sampler(1)
    assert [sampler.takes(at_s) for at_s in (0.0, 0.5)] == [True, False]
    sampler.change(2)
    assert [sampler.takes(at_s) for at_s in (0.5, 0.9, 1.0)] == [True, False, True]
    sampler.change(0.5)
    assert [sampler.takes(at_s) for at_s in (2.0, 2.9, 3.0, 4.9, 5.0)] == [False, False, True, False, True]


@given(fps=st.floats(0.1, 60), steps=st.lists(st.floats(0, 3, allow_subnormal=False), min_size=1, max_size=200))
def test_never_more_often_than_asked(fps: float, steps: list[float]) -> None:
    stamps = list(itertools.accumulate(steps))
    assert len(taken(fps, stamps)) <= (stamps[-1] - stamps[0]) * fps + 1.2


def keys_taken(fps: float, key_every: int, stamps: list[float]) -> list[tuple[float, bool]]:
    """What is taken: its time, and whether it is a key frame."""
    sampler = KeyFrameSampler(fps)
    pictures = [(at_s, number % key_every == 0) for number, at_s in enumerate(stamps)]
    return [(at_s, is_key) for at_s, is_key in pictures if sampler.takes(at_s, is_key=is_key)]


@pytest.mark.parametrize(("fps", "key_every"), [(1, 25), (1, 26), (1, 10), (0.5, 50), (0.1, 25)])
def test_rare_pictures_are_key_frames_where_those_come_as_often(fps: float, key_every: int) -> None:
    taken = keys_taken(fps, key_every, [n / 25 for n in range(25 * 60)])
    assert all(is_key for _, is_key in taken[2:])  # until two came, nobody knows how often they do
    gaps_s = [later - sooner for (sooner, _), (later, _) in itertools.pairwise(taken)]
    assert max(gaps_s) <= 1.05 / fps + key_every / 25
    assert len(taken) >= 60 * fps * 0.9


def test_where_key_frames_are_rarer_any_picture_is_taken_in_time() -> None:
    taken = keys_taken(1, 100, [n / 25 for n in range(1000)])
    assert [at_s for at_s, _ in taken] == pytest.approx(list(range(40)))


def test_key_frames_that_stop_coming_are_not_waited_for() -> None:
    sampler = KeyFrameSampler(1)
    taken = [n / 25 for n in range(500) if sampler.takes(n / 25, is_key=n % 25 == 0 and n < 200)]
    assert len(taken) >= 18
    assert max(later - sooner for sooner, later in itertools.pairwise(taken)) < 1.3


def test_stream_clock_smooths_bursts_and_distrusts_wrong_stamps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(sampling.time, "monotonic", lambda: now)
    clock = StreamClock()
    assert [clock.at_s(0.0), clock.at_s(0.04), clock.at_s(0.08)] == pytest.approx([1000.0, 1000.04, 1000.08])
    now = 1010.0  # the stamps stood still for ten seconds
    assert clock.at_s(0.08) == pytest.approx(1010.0)
    assert clock.at_s(90_000.0) == pytest.approx(1010.0)
    assert clock.at_s(None) == pytest.approx(1010.0)


def test_stream_clock_never_goes_back_when_many_pictures_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling.time, "monotonic", lambda: 1000.0)
    clock = StreamClock()
    at_s = [clock.at_s(n / 10) for n in range(60)]  # six seconds that a relay kept
    assert at_s == sorted(at_s)
    assert at_s[-1] <= 1000.0 + StreamClock.MAX_DRIFT_S


def test_backoff_grows_with_jitter_to_thirty_seconds() -> None:
    backoff = Backoff()
    waits = [backoff.next_s() for _ in range(10)]
    assert waits[0] == 0.5
    assert all(15 <= wait <= 30 for wait in waits[-3:])
    assert len(set(waits[-3:])) == 3
    backoff.reset()
    assert backoff.next_s() == 0.5
