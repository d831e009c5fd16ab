"""The result board: finished results in Redis, for whoever waits.

A result is a Redis stream of one entry. Reading a stream from its start returns at once if the entry is there and
blocks until it comes otherwise, so there is no gap between looking and waiting, and any number may wait.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sightline.pipelines import as_results
from sightline.redis.connection import broker_errors
from sightline.types import JobResult

if TYPE_CHECKING:
    import redis
    import redis.asyncio

#: One blocking read; below the socket's time-out, so that a silent peer is noticed.
_BLOCK_MS = 5_000


def _key(job_id: str) -> str:
    return f"sightline:result:{job_id}"


class ResultBoard:
    """Raises `BrokerUnavailableError` when Redis does not answer."""

    def __init__(self, redis: redis.Redis, *, result_ttl_s: float) -> None:
        self._redis = redis
        self._ttl_s = int(result_ttl_s)

    def post(self, result: JobResult) -> None:
        """Publish a result. Posting again replaces it."""
        key = _key(result.job_id)
        with broker_errors():
            pipe = self._redis.pipeline()
            pipe.delete(key)
            pipe.xadd(key, {"result": result.model_dump_json()})
            pipe.expire(key, self._ttl_s)
            pipe.execute()

    def wait(self, job_id: str, timeout_s: float) -> JobResult | None:
        """The result, as soon as it is there; None when `timeout_s` passed first."""
        until = time.monotonic() + timeout_s
        while True:
            with broker_errors():
                reply: Any = self._redis.xread({_key(job_id): "0"}, count=1, block=_block_ms(until))
            if reply:
                return _parse(reply)
            if time.monotonic() >= until:
                return None


class AsyncResultBoard:
    """The same for asyncio; each waiter holds one connection of the pool. With no time to wait it only looks."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis

    async def wait(self, job_id: str, timeout_s: float) -> JobResult | None:
        until = time.monotonic() + timeout_s
        while True:
            with broker_errors():
                reply: Any = await self._redis.xread({_key(job_id): "0"}, count=1, block=_block_ms(until))
            if reply:
                return _parse(reply)
            if time.monotonic() >= until:
                return None


def _block_ms(until: float) -> int | None:
    """Redis blocks for a millisecond at least; None: not at all."""
    left_s = until - time.monotonic()
    return None if left_s <= 0 else max(1, min(_BLOCK_MS, int(left_s * 1000)))


def _parse(reply: Any) -> JobResult:
    # Without RESP3: [[key, [(entry_id, fields)]]]; with it: {key: [[(entry_id, fields)]]}
    entries = next(iter(reply.values()))[0] if isinstance(reply, dict) else reply[0][1]
    result = JobResult.model_validate_json(entries[0][1]["result"])
    frames = as_results(result.pipeline, result.frames)
    return result if frames is result.frames else result.model_copy(update={"frames": frames})
