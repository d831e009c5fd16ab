"""What a streaming stage says while it works, for whoever listens: a Redis stream a job, bounded, which goes by itself.

Each attempt of a stage begins with an entry that names it and numbers what it says. So who reads can tell a new
attempt from the old one, drops what a late worker of an old one still says, and may come back with the id it was at.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from sightline.delivery.shared_reads import MAX_READ, SharedReads, block_ms, entries_by_key
from sightline.redis.connection import broker_errors
from sightline.types import JobResult, Value

if TYPE_CHECKING:
    import redis
    import redis.asyncio

#: Of a job; the oldest go first. Some more may stay, Redis cuts whole nodes.
MAX_DELTAS: Final = 10_000
_EXPIRE_EVERY: Final = 64
_START: Final = "0"


class StreamEvent(Value):
    """What somebody hears who listens to a job.

    `delta`: `data` is the next piece. `restart`: the stage starts over, as after a crash; what it said before is void.
    `gap`: pieces are gone that were not read in time. `result`: the end.
    """

    event: Literal["delta", "restart", "gap", "result"]
    id: str  #: come back with it, and what follows is heard
    stage: str = ""
    data: Any = None
    result: JobResult | None = None


class Delta(NamedTuple):
    """A piece of what a stage says."""

    job_id: str
    stage: str
    attempt: str  #: its name
    number: int  #: of the piece within its attempt, from 1; 0: the attempt begins, and says nothing yet
    data: Any = None

    @property
    def entry(self) -> dict[Any, Any]:
        said = {"data": json.dumps(self.data)} if self.number else {}
        return {"stage": self.stage, "attempt": self.attempt, "number": self.number, **said}


class DeltaStream:
    """Raises `BrokerUnavailableError` when Redis does not answer."""

    def __init__(self, redis: redis.Redis, *, ttl_s: float) -> None:
        self._redis = redis
        self._ttl_s = int(ttl_s)

    def add(self, *deltas: Delta) -> None:
        """Say the next pieces of some jobs, in one round trip. Saying one twice does no harm."""
        with broker_errors():
            pipe = self._redis.pipeline(transaction=False)
            for delta in deltas:
                pipe.xadd(_key(delta.job_id), delta.entry, maxlen=MAX_DELTAS, approximate=True)
                if delta.number % _EXPIRE_EVERY == 0:
                    pipe.expire(_key(delta.job_id), self._ttl_s)
            pipe.execute()

    def listen(self, job_id: str, last_id: str = _START, *, silent_s: float) -> Iterator[StreamEvent]:
        """What is said of a job from an id on, until its result. Ends without one after `silent_s` of silence."""
        reader = _Reader(job_id, last_id)
        with broker_errors():
            reader.resume(self._redis.xrange(_key(job_id), last_id, last_id) if last_id != _START else [])
        until = time.monotonic() + silent_s
        while not reader.is_done and time.monotonic() < until:
            with broker_errors():
                reply: Any = self._redis.xread(reader.places, count=MAX_READ, block=block_ms(until))
            for event in reader.take(entries_by_key(reply)):
                yield event
                until = time.monotonic() + silent_s


class AsyncDeltaStream:
    """The same for asyncio, for as many listeners as one likes: those that wait at the same time share one read."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis
        self._reads = SharedReads(redis)

    async def listen(self, job_id: str, last_id: str = _START, *, silent_s: float) -> AsyncIterator[StreamEvent]:
        """See `DeltaStream.listen`."""
        reader = _Reader(job_id, last_id)
        with broker_errors():
            reader.resume(await self._redis.xrange(_key(job_id), last_id, last_id) if last_id != _START else [])
        until = time.monotonic() + silent_s
        while not reader.is_done and time.monotonic() < until:
            entries = await self._reads.read(reader.places, until)
            for event in reader.take(entries):
                yield event
                until = time.monotonic() + silent_s


class _Reader:
    """Makes events of what Redis answers."""

    def __init__(self, job_id: str, last_id: str) -> None:
        self._deltas, self._result = _key(job_id), f"sightline:result:{job_id}"
        self._last_id = last_id
        self._heard: dict[str, tuple[str, int]] = {}  #: attempt and number by stage
        self.is_done = False

    @property
    def places(self) -> dict[Any, Any]:
        """What to read, and from where on."""
        return {self._deltas: self._last_id, self._result: _START}

    def resume(self, entries: Any) -> None:
        """The entry somebody was at who comes back, if it is still there."""
        for _, fields in entries:
            self._heard[fields["stage"]] = (fields["attempt"], int(fields["number"]))

    def take(self, entries: Mapping[str, Any]) -> Iterator[StreamEvent]:
        for entry_id, fields in entries.get(self._deltas, ()):
            self._last_id = entry_id
            yield from self._events(entry_id, fields)
        if not entries.get(self._deltas):  # what was said comes before the end
            for _, fields in entries.get(self._result, ()):
                self.is_done = True
                result = JobResult.model_validate_json(fields["result"])
                yield StreamEvent(event="result", id=self._last_id, result=result)

    def _events(self, entry_id: str, fields: Mapping[str, str]) -> Iterator[StreamEvent]:
        stage, attempt, number = fields["stage"], fields["attempt"], int(fields["number"])
        known, last = self._heard.get(stage, (None, 0))
        if number == 0:
            if known == attempt:
                return  # said twice
            self._heard[stage] = (attempt, 0)
            if known is not None:
                yield StreamEvent(event="restart", id=entry_id, stage=stage)
            return
        if known not in (None, attempt) or number <= last:
            return  # of an attempt that is void, or said twice
        if number > last + 1:
            yield StreamEvent(event="gap", id=entry_id, stage=stage)
        self._heard[stage] = (attempt, number)
        yield StreamEvent(event="delta", id=entry_id, stage=stage, data=json.loads(fields["data"]))


def _key(job_id: str) -> str:
    return f"sightline:deltas:{job_id}"
