"""What a streaming stage says while it works, for whoever listens: a Redis stream a job, bounded, which goes by itself.

Each attempt of a stage begins with an entry that names it and numbers what it says. So who reads can tell a new
attempt from the old one, drops what a late worker of an old one still says, and may come back with the id it was at.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from sightline.ids import new_id
from sightline.redis.connection import broker_errors
from sightline.types import JobResult, Value

if TYPE_CHECKING:
    import redis
    import redis.asyncio

#: Of a job; the oldest go first. Some more may stay, Redis cuts whole nodes.
MAX_DELTAS: Final = 10_000
_EXPIRE_EVERY: Final = 64
_BLOCK_S: Final = 5.0
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
    attempt: str  #: as `begin` named it
    number: int  #: of the piece within its attempt, from 1
    data: Any

    @property
    def entry(self) -> dict[Any, Any]:
        return {
            "stage": self.stage,
            "attempt": self.attempt,
            "number": self.number,
            "data": json.dumps(self.data),
        }


class DeltaStream:
    """Raises `BrokerUnavailableError` when Redis does not answer."""

    def __init__(self, redis: redis.Redis, *, ttl_s: float) -> None:
        self._redis = redis
        self._ttl_s = int(ttl_s)

    def begin(self, job_id: str, stage: str) -> str:
        """An attempt of a stage begins. Returns its name."""
        attempt = new_id()
        self._add([(job_id, {"stage": stage, "attempt": attempt, "number": 0}, True)])
        return attempt

    def add(self, *deltas: Delta) -> None:
        """Say the next piece of some jobs. Saying one twice does no harm."""
        self._add([(delta.job_id, delta.entry, delta.number % _EXPIRE_EVERY == 0) for delta in deltas])

    def _add(self, entries: Sequence[tuple[str, dict[Any, Any], bool]]) -> None:
        with broker_errors():
            pipe = self._redis.pipeline(transaction=False)
            for job_id, entry, expire in entries:
                pipe.xadd(_key(job_id), entry, maxlen=MAX_DELTAS, approximate=True)
                if expire:
                    pipe.expire(_key(job_id), self._ttl_s)
            pipe.execute()

    def listen(self, job_id: str, last_id: str = _START, *, silent_s: float) -> Iterator[StreamEvent]:
        """What is said of a job from an id on, until its result. Ends without one after `silent_s` of silence."""
        reader = _Reader(job_id, last_id)
        with broker_errors():
            reader.resume(self._redis.xrange(_key(job_id), last_id, last_id) if last_id != _START else [])
        until = time.monotonic() + silent_s
        while not reader.is_done and time.monotonic() < until:
            with broker_errors():
                reply: Any = self._redis.xread(reader.places, count=500, block=_block_ms(until))
            for event in reader.take(reply):
                yield event
                until = time.monotonic() + silent_s


class AsyncDeltaStream:
    """The same for asyncio; each listener holds one connection of the pool."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis

    async def listen(self, job_id: str, last_id: str = _START, *, silent_s: float) -> AsyncIterator[StreamEvent]:
        """See `DeltaStream.listen`."""
        reader = _Reader(job_id, last_id)
        with broker_errors():
            reader.resume(await self._redis.xrange(_key(job_id), last_id, last_id) if last_id != _START else [])
        until = time.monotonic() + silent_s
        while not reader.is_done and time.monotonic() < until:
            with broker_errors():
                reply: Any = await self._redis.xread(reader.places, count=500, block=_block_ms(until))
            for event in reader.take(reply):
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

    def take(self, reply: Any) -> Iterator[StreamEvent]:
        entries = _by_key(reply)
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


def _by_key(reply: Any) -> dict[str, Any]:
    # Without RESP3: [[key, [(entry_id, fields)]]]; with it: {key: [[(entry_id, fields)]]}
    if isinstance(reply, dict):
        return {key: entries[0] for key, entries in reply.items()}
    return dict(reply or ())


def _block_ms(until: float) -> int:
    return max(1, int(min(_BLOCK_S, until - time.monotonic()) * 1000))


def _key(job_id: str) -> str:
    return f"sightline:deltas:{job_id}"
