"""When there is one worker more, and when one less."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest

from sightline.local.scaling import Decision, Limits, Look, Past, decide

LIMITS = Limits(least=1, most=4, holds=16)
GB = 10**9
#: A worker is behind, and there is room for another.
BEHIND = Look(
    at_s=0,
    workers=1,
    leaving=0,
    waiting=40,
    oldest_s=1.5,
    held=16,
    free_cores=1.5,
    free_bytes=8 * GB,
    worker_bytes=GB,
)
IDLE = replace(BEHIND, workers=3, waiting=0, oldest_s=0, held=2)


def seen(look: Look, at_s: Iterable[float], limits: Limits = LIMITS) -> list[Decision]:
    """The same seen again and again; the number of workers follows what was decided."""
    past, decisions, workers = Past(), list[Decision](), look.workers
    for now in at_s:
        decision, past = decide(limits, replace(look, at_s=now, workers=workers), past)
        workers += decision.change
        decisions.append(decision)
    return decisions


def changes(decisions: list[Decision]) -> list[int]:
    return [decision.change for decision in decisions]


def test_a_backlog_that_stays_brings_one_worker_and_says_why() -> None:
    decisions = seen(BEHIND, (0, 2, 4))
    assert changes(decisions) == [0, 0, 1]
    assert decisions[-1].why == "40 messages wait, the oldest for 2 s; 1.5 cores and 8.0 GB are free"


def test_a_burst_that_is_done_in_time_brings_none() -> None:
    past = Past()
    for now, waiting in ((0, 40), (2, 40), (4, 0), (6, 40), (8, 40), (9, 3)):
        decision, past = decide(LIMITS, replace(BEHIND, at_s=now, waiting=waiting), past)
        assert decision == Decision()


def test_a_few_that_wait_long_are_a_backlog_too_and_a_few_that_do_not_are_none() -> None:
    assert changes(seen(replace(BEHIND, waiting=1, oldest_s=9), (0, 4))) == [0, 1]
    assert changes(seen(replace(BEHIND, waiting=16, oldest_s=1), (0, 4, 60))) == [0, 0, 0]


def test_the_next_one_comes_when_the_last_one_had_time_to_help() -> None:
    grown = [now for now, change in enumerate(changes(seen(replace(BEHIND, waiting=400), range(60)))) if change]
    assert grown == [4, 24, 44]


def test_a_broker_that_tells_no_age_is_judged_by_how_much_waits() -> None:
    decision = seen(replace(BEHIND, oldest_s=0), (0, 4))[-1]
    assert (decision.change, "oldest" in decision.why) == (1, False)


@pytest.mark.parametrize(
    ("short", "says"),
    [
        ({"free_cores": 0.3}, "0.3 cores are free, and it wants 0.5"),
        ({"free_bytes": GB, "worker_bytes": GB}, "1.0 GB are free, and one has 1.0 GB"),
        ({"workers": 3, "leaving": 1}, "4 are the most"),
    ],
)
def test_without_room_it_stays_and_says_what_is_missing(short: dict[str, float], says: str) -> None:
    decision = seen(replace(BEHIND, waiting=400, **short), (0, 4))[-1]
    assert decision.change == 0
    assert decision.why.endswith(says)


def test_cores_do_not_count_where_the_work_is_done_elsewhere() -> None:
    limits = replace(LIMITS, cores=0)
    assert changes(seen(replace(BEHIND, free_cores=0), (0, 4), limits)) == [0, 1]


def test_too_little_to_do_for_a_minute_lets_one_go_and_a_minute_later_the_next() -> None:
    decisions = changes(seen(IDLE, range(0, 300, 2)))
    gone = [2 * index for index, change in enumerate(decisions) if change]
    assert gone == [60, 122]
    assert min(decisions) == -1


def test_nobody_goes_whose_work_the_others_could_not_do() -> None:
    assert not any(changes(seen(replace(IDLE, held=17), range(0, 300, 2))))
    assert not any(changes(seen(replace(IDLE, waiting=1), range(0, 300, 2))))


def test_work_that_comes_back_begins_the_minute_again() -> None:
    past = Past()
    for now in range(0, 200, 2):
        look = replace(IDLE, at_s=now, waiting=int(now % 50 == 0))
        decision, past = decide(LIMITS, look, past)
        assert decision == Decision()


def test_there_are_never_fewer_than_the_least_or_more_than_the_most() -> None:
    assert changes(seen(replace(IDLE, workers=1), range(0, 300, 2))) == [0] * 150
    assert seen(replace(IDLE, workers=1), (0,), replace(LIMITS, least=2))[0].change == 1
    assert sum(changes(seen(replace(BEHIND, waiting=400), range(600)))) == LIMITS.most - 1


@pytest.mark.parametrize("arrivals", [0.2, 1.0, 2.5, 3.6])
def test_it_comes_to_rest_under_any_steady_load(arrivals: float) -> None:
    """Workers do one unit a second each, and take 8 s to start. One that was missed goes ever more rarely."""
    past, backlog, workers, ready_at, changed = Past(), 0.0, 1, [0.0], list[float]()
    for now in range(0, 7200, 2):
        done = 2 * sum(now >= at for at in ready_at)
        backlog = max(0.0, backlog + 2 * arrivals - done)
        held = min(backlog, workers * 16) + min(arrivals, workers) * 4
        waiting = int(max(0.0, backlog - workers * 16))
        look = replace(
            BEHIND, at_s=now, workers=workers, waiting=waiting, oldest_s=waiting / arrivals, held=math.ceil(held)
        )
        decision, past = decide(LIMITS, look, past)
        if decision.change > 0:
            ready_at.append(now + 8)
        elif decision.change:
            ready_at.pop()
        workers += decision.change
        changed += [now] * abs(decision.change)
    assert workers >= arrivals
    assert backlog < 80
    assert len([at for at in changed if at >= 3600]) <= 4, changed
