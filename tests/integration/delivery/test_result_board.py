"""The result board on a real Redis."""

from __future__ import annotations

import asyncio
import threading

from sightline.delivery.result_board import AsyncResultBoard, ResultBoard
from sightline.redis.connection import connect, connect_async
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
