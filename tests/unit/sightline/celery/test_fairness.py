"""Whose turn it is: the order of the lanes, and the share of those that are passed over."""

from __future__ import annotations

from collections import Counter, deque

import pytest

from sightline.celery.fairness import LANES, PATIENCE, Turns, lane_of, threads_for
from sightline.types import Lane


def take(turns: Turns, waiting: dict[Lane, deque[int]]) -> Lane:
    lane = next(lane for lane in turns.order() if waiting.get(lane))
    waiting[lane].popleft()
    turns.took(lane)
    return lane


def test_the_higher_lane_comes_first():
    turns = Turns()
    waiting = {lane: deque(range(2)) for lane in reversed(LANES)}
    taken = [take(turns, waiting) for _ in range(6)]
    assert taken == [Lane.INTERACTIVE] * 2 + [Lane.LIVE] * 2 + [Lane.BULK] * 2


@pytest.mark.parametrize("busy", [(Lane.LIVE, Lane.BULK), (Lane.INTERACTIVE, Lane.BULK), tuple(Lane)])
def test_a_lane_that_waits_is_never_starved(busy: tuple[Lane, ...]):
    turns = Turns()
    waiting = {lane: deque(range(1000)) for lane in busy}
    taken = [take(turns, waiting) for _ in range(900)]
    of = PATIENCE + len(busy) - 1
    for start in range(900 - of):
        assert set(taken[start : start + of]) == set(busy)
    assert Counter(taken).most_common(1)[0][0] is busy[0]


def test_bulk_pays_nothing_back_for_what_it_had_while_nobody_waited():
    turns = Turns()
    waiting = {Lane.BULK: deque(range(100))}
    for _ in range(100):
        take(turns, waiting)
    waiting = {Lane.LIVE: deque(range(PATIENCE)), Lane.BULK: deque(range(1))}
    assert [take(turns, waiting) for _ in range(PATIENCE + 1)] == [Lane.LIVE] * PATIENCE + [Lane.BULK]


def test_a_worker_has_threads_that_bulk_may_not_have():
    assert [threads_for(count) for count in (1, 4, 8, 24)] == [2, 5, 10, 30]


def test_a_priority_belongs_to_the_lane_in_whose_list_it_lies():
    found = [lane_of(priority) for priority in (None, 0, 2, 3, 5, 6, 9)]
    assert found == [*[Lane.INTERACTIVE] * 3, *[Lane.LIVE] * 2, *[Lane.BULK] * 2]


@pytest.mark.parametrize("busy", [(Lane.LIVE, Lane.BULK), (Lane.INTERACTIVE, Lane.BULK), tuple(Lane)])
def test_no_lane_waits_longer_where_several_are_taken_at_once(busy: tuple[Lane, ...]):
    turns, taken = Turns(), list[Lane]()
    while len(taken) < 900:
        most, order = turns.together()
        at_once = [lane for lane, count in order if lane in busy for _ in range(count)][:most]
        for lane in at_once:
            turns.took(lane)
        taken += at_once
    of = PATIENCE + len(busy) - 1
    for start in range(900 - of):
        assert set(taken[start : start + of]) == set(busy)
    assert Counter(taken).most_common(1)[0][0] is busy[0]
