"""The result board on a real Redis."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.delivery.result_board import AsyncResultBoard, ResultBoard
from sightline.redis.connection import connect, connect_async
from sightline.settings import load_settings
from sightline.types import JobResult
from tests.integration.delivery.test_ledger import make_job, result_of


def test_a_result_reaches_those_who_waited_before_and_after(redis_url: str) -> None:
    board = ResultBoard(connect(redis_url), result_ttl_s=60)
    result = result_of(make_job("gate"))
    assert board.wait(result.job_id, 0.01) is None
    threading.Timer(0.2, board.post, [result]).start()
    assert board.wait(result.job_id, 5) == result
    assert board.wait(result.job_id, 0.01) == result
    board.post(result)
    assert board.wait(result.job_id, 0.01) == result


async def test_sixty_four_may_wait_at_once(redis_url: str) -> None:
    client = connect_async(redis_url)
    board = AsyncResultBoard(client)
    results = [result_of(make_job("gate")) for _ in range(64)]
    waiting = [asyncio.create_task(board.wait(result.job_id, 10)) for result in results]
    await asyncio.sleep(0.1)
    poster = ResultBoard(connect(redis_url), result_ttl_s=60)
    for result in results:
        await asyncio.to_thread(poster.post, result)
    assert await asyncio.gather(*waiting) == results
    await client.aclose()


@pytest.mark.parametrize("forgotten", [False, True], ids=["script is known", "script is forgotten"])
def test_jobs_that_are_settled_together_are_each_settled_once_with_their_results(
    redis_url: str, forgotten: bool
) -> None:
    client = connect(redis_url)
    ledger = Ledger(client, LedgerLimits.from_settings(load_settings()))
    jobs = [make_job("gate"), make_job("yard"), make_job("gate")]
    ended = [(job.job_id, {job.frames[0].source_id: {"stored": 1}}, result_of(job).model_dump_json()) for job in jobs]
    for job in jobs:
        ledger.admit(job)
    assert ledger.settle(jobs[2].job_id, {"gate": {"stored": 1}})
    if forgotten:
        client.script_flush()
    for _ in range(2):
        ledger.settle_together(ended)
    assert ledger.counts() == {"gate": {"published": 2, "stored": 2}, "yard": {"published": 1, "stored": 1}}
    assert ledger.open_frames() == {}
    board = ResultBoard(client, result_ttl_s=60)
    assert [board.wait(job.job_id, 0.01) for job in jobs] == [
        JobResult.model_validate_json(result) for _, _, result in ended
    ]
    assert all(client.xlen(f"sightline:result:{job.job_id}") == 1 for job in jobs)
    assert all(int(client.ttl(f"sightline:result:{job.job_id}")) > 0 for job in jobs)  # pyright: ignore
