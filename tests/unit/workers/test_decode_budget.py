"""How many decoded pictures a worker holds, whoever holds them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from workers.pixels.decode_budget import DecodeBudget


def test_who_holds_some_is_told_that_there_is_no_room() -> None:
    room = DecodeBudget(8)
    with room.share(8) as share:
        assert share.take(4)
        assert share.take(4)
        assert not share.take(1)
        share.give_back(1)
        assert share.take(1)


def test_who_holds_none_waits_until_another_is_done_with_some() -> None:
    room, has_begun = DecodeBudget(4), threading.Event()

    def other() -> bool:
        with room.share(8) as share:
            has_begun.set()
            return share.take(3)

    with ThreadPoolExecutor(1) as pool, room.share(8) as share:
        assert share.take(4)
        waiting = pool.submit(other)
        assert has_begun.wait(5)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        share.give_back(3)
        assert waiting.result(5)


def test_who_has_begun_comes_before_who_has_not() -> None:
    room = DecodeBudget(8)
    with ThreadPoolExecutor(1) as pool, room.share(8) as begun, room.share(8) as other:
        assert begun.take(4)
        assert begun.take(1)
        waiting = pool.submit(other.take, 1)
        with pytest.raises(TimeoutError):
            waiting.result(0.2)
        assert begun.take(1)
        begun.give_back(2)
        assert waiting.result(5)


def test_a_small_job_needs_no_more_room_than_it_has_pictures() -> None:
    room = DecodeBudget(8)
    with ThreadPoolExecutor(1) as pool, room.share(32) as begun, room.share(1) as other:
        assert begun.take(7)
        assert pool.submit(other.take, 1).result(5)
        assert not begun.take(1)


def test_room_is_kept_for_the_next_pictures_of_a_job_until_it_is_given_back() -> None:
    room = DecodeBudget(8)
    with ThreadPoolExecutor(1) as pool, room.share(32) as begun, room.share(32) as other:
        assert begun.take(4)
        assert begun.take(4)
        waiting = pool.submit(other.take, 4)
        begun.reuse(4)
        assert begun.take(3)
        assert not begun.take(2)
        with pytest.raises(TimeoutError):
            waiting.result(0.1)
        assert begun.take(1)
        begun.give_back(4)
        assert waiting.result(5)


def test_who_waits_longer_is_next_however_much_it_needs() -> None:
    room = DecodeBudget(8)
    with ThreadPoolExecutor(2) as pool, room.share(32) as begun, room.share(32) as large, room.share(1) as small:
        assert begun.take(8)
        first = pool.submit(large.take, 4)
        with pytest.raises(TimeoutError):
            first.result(0.2)
        second = pool.submit(small.take, 1)
        begun.give_back(2)
        with pytest.raises(TimeoutError):
            second.result(0.2)
        begun.give_back(6)
        assert first.result(5)
        assert second.result(5)


def test_more_than_all_the_room_takes_all_of_it() -> None:
    room = DecodeBudget(2)
    with room.share(8) as share:
        assert share.take(4)
        assert not share.take(1)
        share.give_back(4)
        assert share.take(2)


def test_what_is_held_at_the_end_is_given_back() -> None:
    room = DecodeBudget(4)
    with pytest.raises(ValueError, match="damaged"):
        _fail_with_all_of(room)
    with room.share(8) as share:
        assert share.take(4)


def test_many_that_take_and_give_back_never_wait_for_each_other() -> None:
    room, most, held, turn = DecodeBudget(8), 0, 0, threading.Lock()

    def job(_: int) -> int:
        nonlocal most, held
        done, mine = 0, 0
        with room.share(8) as share:
            while done < 40:
                if share.take(4):
                    mine += 4
                    with turn:
                        held += 4
                        most = max(most, held)
                else:
                    with turn:
                        held -= 4
                    share.give_back(4)
                    mine -= 4
                    done += 4
            with turn:
                held -= mine
        return done

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(job, range(16), timeout=30)) == 16 * 40
    assert 0 < most <= 8


def _fail_with_all_of(room: DecodeBudget) -> None:
    with room.share(8) as share:
        assert share.take(4)
        raise ValueError("damaged")
