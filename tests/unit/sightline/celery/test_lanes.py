"""The order of lanes in a worker that was given more than it has threads for."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from sightline.celery.fairness import Turns
from sightline.celery.lanes import LaneExecutor, _Pop


def test_the_highest_lane_is_begun_first_and_in_order_within() -> None:
    busy, done = threading.Event(), list[str]()

    def work(lane: str, name: str) -> None:
        if name == "first":
            busy.wait(5)
        done.append(f"{lane} {name}")

    executor = LaneExecutor(1, lambda lane, _name: lane)
    futures = [executor.submit(work, "bulk", "first")]
    while executor.waiting:
        pass  # it is begun before anything else is there
    for lane in ("bulk", "live", "interactive", "unheard-of"):
        futures += [executor.submit(work, lane, name) for name in ("a", "b")]
    busy.set()
    for future in futures:
        future.result(5)
    assert done[0] == "bulk first"
    assert done[1:5] == ["interactive a", "interactive b", "unheard-of a", "unheard-of b"]
    assert done[5:] == ["live a", "live b", "bulk a", "bulk b"]
    executor.shutdown()


def test_an_error_of_the_work_is_its_own() -> None:
    def fail(_lane: str) -> None:
        raise ValueError("its own")

    executor = LaneExecutor(1, lambda lane: lane)
    failed, fine = executor.submit(fail, "live"), executor.submit(str, "live")
    assert isinstance(failed.exception(5), ValueError)
    assert fine.result(5) == "live"
    executor.shutdown()


def test_bulk_holds_no_more_threads_than_it_may() -> None:
    executor = LaneExecutor(3, lambda lane, _event: lane, bulk_limit=2)
    begun, let_go = threading.Semaphore(0), threading.Semaphore(0)

    def hold(_lane: str, _event: str) -> None:
        begun.release()
        assert let_go.acquire(timeout=10)

    bulk = [executor.submit(hold, "bulk", "") for _ in range(5)]
    assert begun.acquire(timeout=10)
    assert begun.acquire(timeout=10)
    live = executor.submit(lambda _lane, _event: "at once", "live", "")
    assert live.result(10) == "at once"
    assert executor.waiting == 3
    assert not begun.acquire(timeout=0.05)  # the third thread stays free
    let_go.release(5)  # bulk that was put off goes on by itself
    for future in bulk:
        future.result(10)
    executor.shutdown()


def test_of_one_lane_the_later_stages_are_popped_first() -> None:
    """What waits there was detected by others, and was paid for; what is not begun they can do too."""
    sent: list[Any] = []
    client = SimpleNamespace(connection=SimpleNamespace(send_command=lambda *words: sent.extend(words)))
    channel: Any = SimpleNamespace(
        active_queues={"gpu.detect", "db.write", "cpu.ocr"},
        brpop_timeout=1,
        client=client,
        _create_client=lambda: client,
        sep=":",
        global_keyprefix="",
    )
    _Pop(channel, Turns(), bulk_limit=1).begin()
    queues = ("db.write", "cpu.ocr", "gpu.detect")
    wanted = [
        f"{queue}:{number}" if number else queue
        for lane in (range(3), range(3, 6), range(6, 10))
        for queue in queues
        for number in lane
    ]
    assert sent == ["BRPOP", *wanted, 1]
