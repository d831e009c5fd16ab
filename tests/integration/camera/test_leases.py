"""Several camera processes share the cameras. Their clocks are the test's."""

from collections.abc import Iterator
from typing import Any

import pytest

from producers.camera.lease import TTL_S, CameraLeases
from sightline.errors import BrokerUnavailableError
from sightline.redis.connection import connect
from tests.conftest import free_port

NAMES = [f"camera{number}" for number in range(10)]


class Clock:
    now_s = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def redis(redis_url: str) -> Iterator[Any]:
    with connect(redis_url) as redis:
        yield redis


def process(redis: Any, clock: Clock) -> CameraLeases:
    return CameraLeases(redis, now=clock, monotonic=clock)


def settle(*processes: CameraLeases) -> list[list[str]]:
    """What each holds, after each has looked and given back what is too much."""
    for _ in range(2):
        for each in processes:
            each.release(each.renew(NAMES).give_back)
    held = [each.renew(NAMES) for each in processes]
    assert not any(each.give_back for each in held)
    return [each.keep for each in held]


def test_one_process_reads_all_and_a_second_gets_its_share(redis: Any, clock: Clock) -> None:
    first, second = process(redis, clock), process(redis, clock)
    assert first.renew(NAMES) == (NAMES, [])
    assert second.renew(NAMES).keep == []  # the first reads them still
    held = first.renew(NAMES)
    assert (len(held.keep), len(held.give_back)) == (5, 5)
    assert second.renew(NAMES).keep == []  # and is about to stop
    first.release(held.give_back)
    assert second.renew(NAMES).keep == held.give_back
    assert not any(first.holds(name) for name in held.give_back)
    third = process(redis, clock)
    shares = settle(first, second, third)
    assert sorted(name for share in shares for name in share) == NAMES
    assert sorted(map(len, shares)) in ([2, 4, 4], [3, 3, 4])


def test_cameras_of_a_process_that_died_are_taken_when_its_leases_have_run_out(redis: Any, clock: Clock) -> None:
    first, second = process(redis, clock), process(redis, clock)
    settle(first, second)
    clock.now_s += TTL_S - 0.1
    assert len(second.renew(NAMES).keep) == 5
    clock.now_s += 0.2
    assert sorted(second.renew(NAMES).keep) == NAMES
    assert TTL_S + 2 <= 10


def test_a_process_that_was_frozen_holds_nothing_before_others_may_take_it(redis: Any, clock: Clock) -> None:
    first, second = process(redis, clock), process(redis, clock)
    first.renew(NAMES)
    assert first.holds("camera0")
    clock.now_s += TTL_S - 0.5
    assert not first.holds("camera0")
    second.renew(NAMES)
    assert not second.holds("camera0")
    clock.now_s += 1
    second.renew(NAMES)
    assert second.holds("camera0")
    assert first.renew(NAMES).keep == []


def test_who_leaves_hands_over_at_once(redis: Any, clock: Clock) -> None:
    first, second = process(redis, clock), process(redis, clock)
    settle(first, second)
    first.leave()
    assert sorted(second.renew(NAMES).keep) == NAMES
    second.leave()
    assert redis.exists("sightline:camera_processes", "sightline:camera_leases") == 0


def test_a_release_takes_nothing_from_others(redis: Any, clock: Clock) -> None:
    first, second = process(redis, clock), process(redis, clock)
    first.renew(NAMES)
    second.release(NAMES)
    assert first.renew(NAMES).keep == NAMES


def test_without_redis_nothing_is_taken() -> None:
    with connect(f"redis://127.0.0.1:{free_port()}/0") as redis:
        leases = CameraLeases(redis)
        with pytest.raises(BrokerUnavailableError):
            leases.renew(NAMES)
        assert not leases.holds("camera0")
