"""Which chains and shards of a job have arrived, in Redis: whoever makes them complete sends what comes next.

One hash a job, which the ledger deletes with the job: a field for each chain that arrived, and of a stage with shards
how many there are and which arrived. Arriving again changes nothing and tells the same: a crash between arriving and
sending is delivered again, arrives again, sends again. Once it is noted that what comes next was sent, it does not: of
each shard of an overdue job there is a second copy, and each of them would send another merge.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sightline.redis.connection import broker_errors
from sightline.wire.messages import Job

if TYPE_CHECKING:
    import redis

#: A hash whose job was never settled (Redis lost the rest of it) goes by itself.
_KEPT_S: Final = 7 * 24 * 3600
_TOLD: Final = "#told"

# KEYS: arrivals, open jobs, due times of the job's line. ARGV: job_id, field, when the job is due, seconds it is kept,
# chains that may hold it for long. While one of these is out, the job is due no earlier than it was. Once all have
# arrived it is due as any other: a message that was lost with its worker in another branch is missed no later.
# Returns all that arrived; nothing if the job is not open.
_ARRIVE: Final = """
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return {} end
redis.call('HSET', KEYS[1], ARGV[2], 1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
local is_held = false
for at = 5, #ARGV do is_held = is_held or redis.call('HEXISTS', KEYS[1], ARGV[at]) == 0 end
if is_held then
  redis.call('ZADD', KEYS[3], 'XX', 'GT', ARGV[3], ARGV[1])
else
  redis.call('ZADD', KEYS[3], 'XX', ARGV[3], ARGV[1])
end
return redis.call('HKEYS', KEYS[1])
"""

# The same of a shard. ARGV[5]: the stage. Returns how many arrived, how many there are, and whether that was told.
_ARRIVE_SHARD: Final = """
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return {0, -1, 0} end
if redis.call('HSETNX', KEYS[1], ARGV[2], 1) == 1 then redis.call('HINCRBY', KEYS[1], ARGV[5] .. '#arrived', 1) end
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('ZADD', KEYS[3], 'XX', 'GT', ARGV[3], ARGV[1])
return {
  redis.call('HGET', KEYS[1], ARGV[5] .. '#arrived'), redis.call('HGET', KEYS[1], ARGV[5] .. '#shards') or -1,
  redis.call('HEXISTS', KEYS[1], ARGV[5] .. '#merge#told'),
}
"""

# KEYS: arrivals, open jobs. ARGV: job_id, field, seconds it is kept. Counts in a field; 0 if the job is not open.
_COUNT: Final = """
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('HINCRBY', KEYS[1], ARGV[2], 1)
"""


# KEYS: arrivals, open jobs. ARGV: job_id, field, seconds it is kept. Notes that a message was sent.
_TELL: Final = """
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], 1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
"""

# KEYS: arrivals, open jobs. ARGV: job_id, field, how many, seconds it is kept. Returns 0 if the job is not open.
_CUT: Final = """
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
"""


@dataclass(frozen=True)
class Shards:
    """Of one stage of a job."""

    count: int
    missing: tuple[int, ...]  #: those that did not arrive yet


class Arrived(NamedTuple):
    """Of the chains of a job. `told`: those whose first message was sent because all they need has arrived."""

    chains: set[str]
    told: set[str]


class Arrivals:
    """All methods raise `BrokerUnavailableError` when Redis does not answer."""

    def __init__(self, redis: redis.Redis, *, job_timeout_s: float) -> None:
        self._redis = redis
        self._job_timeout_s = job_timeout_s
        self._arrive = redis.register_script(_ARRIVE)
        self._arrive_shard = redis.register_script(_ARRIVE_SHARD)
        self._count = redis.register_script(_COUNT)
        self._cut = redis.register_script(_CUT)
        self._tell = redis.register_script(_TELL)

    def arrive(self, job: Job, chain: str, *, held: Collection[str] = ()) -> Arrived:
        """A chain has arrived. Returns all that have; none if the job is not open any more.

        `held`: the chains of the pipeline that may hold a job for long.
        """
        found = self._note(self._arrive, job, chain, *held)
        told = {name.removesuffix(_TOLD) for name in found if name.endswith(_TOLD)}
        return Arrived({name for name in found if "#" not in name}, told)

    def arrive_shard(self, job: Job, stage: str, shard: int) -> int | None:
        """A shard has arrived. Returns how many have not; -1 if all have, and the merge was sent; None if the job is
        not open any more.
        """
        arrived, count, is_told = map(int, self._note(self._arrive_shard, job, f"{stage}#{shard}", stage))
        return -1 if is_told else count - arrived if arrived else None

    def told(self, job: Job, chain: str) -> None:
        """The message was sent that a chain begins with, as all it needs has arrived."""
        self._note_told(job, f"{chain}{_TOLD}")

    def told_merge(self, job: Job, stage: str) -> None:
        """The message was sent on which the shards of a stage are merged."""
        self._note_told(job, f"{stage}#merge{_TOLD}")

    def cut(self, job: Job, stage: str, count: int) -> bool:
        """Note how many shards a stage has, before any is sent. The first number holds.

        Returns False if the job is not open any more: then nothing is noted.
        """
        keys, arguments = [_key(job.job_id), "sightline:jobs"], [job.job_id, f"{stage}#shards", count, _KEPT_S]
        with broker_errors():
            return bool(self._cut(keys=keys, args=arguments))

    def shards(self, job: Job, stage: str) -> Shards | None:
        """None: the stage has not cut the job yet."""
        with broker_errors():
            pipe = self._redis.pipeline(transaction=False)
            pipe.hget(_key(job.job_id), f"{stage}#shards")
            pipe.hkeys(_key(job.job_id))
            cut, found = pipe.execute()
        if cut is None:
            return None
        count = int(cut)
        return Shards(count, tuple(shard for shard in range(count) if f"{stage}#{shard}" not in found))

    def arrived(self, job: Job) -> set[str]:
        """The chains that have."""
        with broker_errors():
            found: Any = self._redis.hkeys(_key(job.job_id))
        return {name for name in found if "#" not in name}

    def seen_again(self, job: Job, what: str) -> int:
        """A chain or shard is seen again after its worker died. Returns how often it was, at least once."""
        return max(1, self._add(job, f"{what}#seen"))

    def sent_again(self, job: Job, chain: str) -> int:
        """A chain is sent again because it is overdue. Returns how often it was."""
        return self._add(job, f"{chain}#sent")

    def forget(self, job_id: str) -> None:
        """The job starts over."""
        with broker_errors():
            self._redis.delete(_key(job_id))

    def _note_told(self, job: Job, field: str) -> None:
        with broker_errors():
            self._tell(keys=[_key(job.job_id), "sightline:jobs"], args=[job.job_id, field, _KEPT_S])

    def _add(self, job: Job, field: str) -> int:
        with broker_errors():
            return int(
                self._count(keys=[_key(job.job_id), "sightline:jobs"], args=[job.job_id, field, _KEPT_S])  # pyright: ignore[reportArgumentType]
            )

    def _note(self, script: Any, job: Job, field: str, *more: str) -> Any:
        keys = [_key(job.job_id), "sightline:jobs", f"sightline:due:{job.lane}:{job.pipeline}"]
        arguments = [job.job_id, field, time.time() + self._job_timeout_s, _KEPT_S, *more]
        with broker_errors():
            return script(keys=keys, args=arguments)


def _key(job_id: str) -> str:
    return f"sightline:arrived:{job_id}"
