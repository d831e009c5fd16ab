"""The ledger: the authority on which jobs are open, in Redis.

An entry is written before a job's message is published and settled after the SQL commit. Whatever has been open
without progress for too long is claimed by the sweeper and sent again. Every change is one Lua script, so a crash
leaves the ledger before or after it, never between, and the counts per source always balance:

    published = stored + repeated + dead + dropped + open      (in frames)
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import ValidationError

from sightline.delivery import ledger_lua as scripts
from sightline.delivery.agreement import Agreement
from sightline.delivery.arrivals import Arrivals
from sightline.errors import BacklogFullError
from sightline.ids import made_at, new_id
from sightline.pipelines import registry
from sightline.redis.connection import broker_errors
from sightline.types import Lane, Pipeline
from sightline.wire.messages import Job

if TYPE_CHECKING:
    import redis

    from sightline.settings import DeliverySettings

log = logging.getLogger(__name__)

#: Frames per outcome and source: {"gate": {"stored": 3, "dropped:stale": 1}}.
Outcomes = Mapping[str, Mapping[str, int]]

#: What a drop came to.
DropEnd = Literal["dropped", "closed", "being written"]

_PREFIX = "sightline:"
_DUE, _JOBS, _OPEN, _COUNTS, _ATTEMPTS, _SIGHTINGS = (
    _PREFIX + name for name in ("due:", "jobs", "open", "counts", "attempts", "sightings")
)
_KEYS = (_DUE, _JOBS, _OPEN, _COUNTS, _ATTEMPTS, _SIGHTINGS)
_DONE = _PREFIX + "done:"
_ALL_KEYS = (*_KEYS, _DONE, _PREFIX + "result:")
_GENERATION = _PREFIX + "generation"
_CANCELLED = _PREFIX + "cancelled"
_TOTAL = "*"  # no source id contains it


@dataclass(frozen=True)
class LedgerLimits:
    """The part of the settings the ledger needs."""

    max_open_frames: int
    max_open_frames_per_source: int
    live_max_open_frames: int
    job_timeout_s: float
    done_ttl_s: float
    #: A job whose message was never published (its producer died in between) is sent by the sweeper after this.
    publish_grace_s: float = 5.0

    @classmethod
    def from_settings(cls, settings: DeliverySettings) -> LedgerLimits:
        return cls(
            max_open_frames=settings.max_open_frames,
            max_open_frames_per_source=settings.max_open_frames_per_source,
            live_max_open_frames=settings.live_max_open_frames,
            job_timeout_s=settings.job_timeout_s,
            done_ttl_s=settings.result_ttl_s,
        )


@dataclass(frozen=True)
class Overdue:
    """A job the sweeper claimed. `attempt` is the number of the sending that is now due."""

    job: Job
    attempt: int
    is_cancelled: bool = False


class Ledger:
    """All methods raise `BrokerUnavailableError` when Redis does not answer."""

    def __init__(self, redis: redis.Redis, limits: LedgerLimits) -> None:
        self._redis = redis
        self._limits = limits
        self._lines = [_line(lane, pipeline) for lane in Lane for pipeline in registry().names]
        self.arrivals = Arrivals(redis, job_timeout_s=limits.job_timeout_s)
        self.agreement = Agreement(redis, done_ttl_s=limits.done_ttl_s)
        sources = scripts.sources(registry().graphs)
        self._admit, self._begin, self._settle, self._claim, self._withdraw, self._cancel, self._forget = (
            redis.register_script(sources[name])
            for name in ("admit", "begin", "settle", "claim", "withdraw", "cancel", "forget")
        )

    def admit(self, job: Job) -> Literal["admitted", "open", "done"]:
        """Enter a job before its message is published; `open` and `done` say that there is nothing to publish.

        Raises:
            BacklogFullError: nothing was entered.
        """
        limits = self._limits
        limit = limits.live_max_open_frames if job.lane is Lane.LIVE else limits.max_open_frames_per_source
        due_at = time.time() + limits.publish_grace_s
        arguments: list[Any] = [job.job_id, _line(job.lane, job.pipeline), job.model_dump_json(), due_at]
        arguments += [limits.max_open_frames, limit, *_flat(frames_per_source(job))]
        verdict, scope = self._run(self._admit, *arguments)
        if verdict == "full":
            what = "in total" if scope == _TOTAL else f"for source {scope!r}"
            most = limits.max_open_frames if scope == _TOTAL else limit
            raise BacklogFullError(
                f"backlog full {what}: {most} frames may be open; try again later",
                source_id=None if scope == _TOTAL else str(scope),
            )
        return verdict

    def withdraw(self, job: Job) -> None:
        """Take back an admission whose pixels could not be stored, unless another publisher relies on it by now."""
        self._run(self._withdraw, job.job_id, *_flat(frames_per_source(job)))

    def begin(self, job: Job, *, redelivered: bool = False, to_write: bool = False, held_s: float | None = None) -> int:
        """A stage starts on a job, or needs more time: gives it `job_timeout_s`, and enters it if no producer did.

        `held_s`: a stage that holds its jobs longer than that without progress.

        With `to_write` nobody may drop it meanwhile: who has a copy of the message might, when it is too late for it.

        Returns:
            0 if the job is finished and the message may be forgotten, below 0 if it was cancelled and is to be dropped,
            else 1 + how often it was seen again after a worker died with it.
        """
        now = time.time()
        # Not open, though its producer entered it, and so old that the mark of its end may have expired: a late copy.
        is_late = job.entered and now - job.published_at >= self._limits.done_ttl_s
        due_at = now + max(self._limits.job_timeout_s, held_s or 0)
        written_s = math.ceil(self._limits.job_timeout_s) if to_write and job.deadline_at is not None else 0
        arguments: list[Any] = [due_at, int(redelivered), int(is_late), written_s, *_flat(frames_per_source(job))]
        name, line = job.job_id, _line(job.lane, job.pipeline)
        # What was entered is open, but for a Redis that lost it: the job itself goes there only if it is missed.
        begun = -1 if not job.entered else int(self._run(self._begin, name, line, "", *arguments))
        return begun if begun != -1 else int(self._run(self._begin, name, line, job.model_dump_json(), *arguments))

    def settle(self, job_id: str, outcomes: Outcomes) -> bool:
        """Close a job. Returns False if it was closed already; then nothing is counted twice.

        A job that is `stored` is not published again while that is remembered; one that died or was dropped may be.
        """
        return int(self._run(self._settle, *self._end(job_id, _how(outcomes), outcomes))) == 1

    def settle_together(self, ended: Sequence[tuple[str, Outcomes, str]]) -> None:
        """Close jobs in one round trip, each with its result (as JSON), which is there for whoever waits for it."""
        calls = [self._end(job_id, _how(outcomes), outcomes, result=result) for job_id, outcomes, result in ended]
        self._run_together(self._settle, calls)

    def drop(self, job_id: str, outcomes: Outcomes) -> DropEnd:
        """Close a job by a rule, unless it was closed before or a writer is at it (`begin` with `to_write`)."""
        code = int(self._run(self._settle, *self._end(job_id, "dropped", outcomes, unless_written=True)))
        if code == 1:
            return "dropped"
        return "closed" if code == 0 else "being written"

    def cancel(self, job_id: str) -> bool:
        """Have an open job dropped as `cancelled`; False if it is not open. Cancelling again changes nothing.

        It stays open until a stage or the sweeper has brought it to the writer. What is being written is stored.
        """
        return bool(self._run(self._cancel, job_id, scripts.CANCELLED))

    def forget(self, job_ids: Sequence[str]) -> None:
        """Take away the results and deltas of finished jobs before their time, and let the jobs be published again.

        Late copies of their messages are known for what they are as before. A job that is open is left alone.
        """
        if job_ids:
            self._run_together(self._forget, [[job_id, int(self._limits.done_ttl_s)] for job_id in job_ids])

    def cancelled_since(self, since: float) -> dict[str, float]:
        """When jobs were cancelled, in epoch seconds, by their ids: those of the last minutes, after `since`."""
        with broker_errors():
            found: Any = self._redis.zrangebyscore(_CANCELLED, f"({since!r}", "+inf", withscores=True)
        return dict(found)

    def _end(
        self, job_id: str, how: str, outcomes: Outcomes, *, unless_written: bool = False, result: str = ""
    ) -> list[Any]:
        flat = [part for source, counts in outcomes.items() for pair in counts.items() for part in (source, *pair)]
        return [job_id, how, int(self._limits.done_ttl_s), int(unless_written), result, *flat]

    def claim_overdue(self, lane: Lane, pipeline: Pipeline, *, before: float) -> Iterator[Overdue]:
        """Jobs of a lane and pipeline that were due before an epoch time, each claimed when it is asked for.

        One sweeper alone gets each; it is due again later.
        """
        due_again_at = time.time() + self._limits.job_timeout_s
        while row := self._run(self._claim, "", _line(lane, pipeline), before, due_again_at):
            job_id, attempt, payload, seen = row
            try:
                yield Overdue(Job.model_validate_json(payload), int(attempt), is_cancelled=int(seen) < 0)
            except ValidationError as error:
                log.error("ledger entry of job %s is of another version, left alone: %s", job_id, error)

    def done_sources(self, job_id: str) -> set[str]:
        """The sources of a finished job; empty when its end is not remembered any more."""
        with broker_errors():
            ended: Any = self._redis.get(f"{_DONE}{job_id}")
        return set((ended or "").split()[1:])

    def generation(self) -> str:
        """The name of this ledger's life. A Redis that lost its memory gets a new one."""
        with broker_errors():
            self._redis.set(_GENERATION, new_id(), nx=True)
            return str(self._redis.get(_GENERATION))

    def which_are_open(self, job_ids: Sequence[str]) -> set[str]:
        """Those of these jobs that are open."""
        with broker_errors():
            pipe = self._redis.pipeline(transaction=False)
            for job_id in job_ids:
                pipe.hexists(_JOBS, job_id)
            return {job_id for job_id, is_open in zip(job_ids, pipe.execute(), strict=True) if is_open}

    def open_job(self, job_id: str) -> Job | None:
        """The open job with this id, or None."""
        with broker_errors():
            payload: Any = self._redis.hget(_JOBS, job_id)
        return Job.model_validate_json(payload) if payload else None

    def open_jobs(self, *, limit: int = 100, newest_first: bool = False) -> list[Job]:
        """Some open jobs: the higher lanes first, and in each those due soonest; or the newest of all lanes."""
        with broker_errors():
            due: list[Any] = []
            for line in self._lines:
                due += cast(
                    "list[Any]", self._redis.zrange(_DUE + line, 0, limit - 1, desc=newest_first, withscores=True)
                )
            if newest_first:
                due.sort(key=itemgetter(1), reverse=True)
            ids = [job_id for job_id, _ in due[:limit]]
            payloads: Any = self._redis.hmget(_JOBS, ids) if ids else []
        jobs = [Job.model_validate_json(payload) for payload in payloads if payload]
        return sorted(jobs, key=attrgetter("published_at"), reverse=True) if newest_first else jobs

    def has_open(self, pipelines: Iterable[Pipeline]) -> bool:
        """Whether a job of one of these pipelines is open."""
        with broker_errors():
            pipe = self._redis.pipeline(transaction=False)
            for pipeline in pipelines:
                for lane in Lane:
                    pipe.zrange(_DUE + _line(lane, pipeline), 0, 0)
            return any(pipe.execute())

    def oldest_open(self, lane: Lane, pipelines: Iterable[Pipeline], *, since: float) -> dict[Pipeline, float | None]:
        """When the oldest open job of each pipeline was made, in epoch seconds, of those made after `since`; None if
        there is none. Their ids tell it; jobs with ids of another kind are not seen.
        """
        wanted = list(pipelines)
        with broker_errors():
            pipe = self._redis.pipeline(transaction=False)
            for pipeline in wanted:
                pipe.zrange(_DUE + _line(lane, pipeline), 0, -1)
            found = pipe.execute()
        oldest: dict[Pipeline, float | None] = {}
        for pipeline, ids in zip(wanted, found, strict=True):
            times = [made for made in map(made_at, ids) if made is not None and made > since]
            oldest[pipeline] = min(times, default=None)
        return oldest

    def open_frames(self) -> dict[str, int]:
        """Open frames per source."""
        with broker_errors():
            found: Any = self._redis.hgetall(_OPEN)
        return _open_by_source(found)

    def counts(self) -> dict[str, dict[str, int]]:
        """Frames per source and outcome: published, stored, repeated, dead, dropped:<reason>."""
        with broker_errors():
            found: Any = self._redis.hgetall(_COUNTS)
        return _by_source([found])

    def balance(self) -> dict[str, dict[str, int]]:
        """The counts of all time, and frames that are `open`, at one moment."""
        with broker_errors():
            pipe = self._redis.pipeline()
            pipe.hgetall(_COUNTS)
            pipe.hgetall(_OPEN)
            counts, open_frames = pipe.execute()
        return _with_open([counts], _open_by_source(open_frames))

    def hourly_balance(self, hours: range) -> dict[str, dict[str, int]]:
        """The same of jobs published in these hours (counted since 1970, UTC), as far back as they are kept.

        Reads all jobs that are open, at once: else a job that ends meanwhile is counted twice, or not at all. It keeps
        Redis busy for 50 ms where 20,000 are open.
        """
        with broker_errors():
            pipe = self._redis.pipeline()
            for hour in hours:
                pipe.hgetall(f"{_COUNTS}:{hour}")
            pipe.hgetall(_JOBS)
            *counts, payloads = pipe.execute()
        open_frames: Counter[str] = Counter()
        for job in map(Job.model_validate_json, payloads.values()):
            if hours.start * scripts.HOUR_S <= job.published_at < hours.stop * scripts.HOUR_S:
                open_frames.update(frames_per_source(job))
        return _with_open(counts, open_frames)

    def hourly_since(self) -> float | None:
        """When the counts by hours began, in epoch seconds: at the first job, or when Redis had lost everything."""
        with broker_errors():
            since: Any = self._redis.get(f"{_COUNTS}:since")
        return None if since is None else float(since)

    def close(self) -> None:
        self._redis.close()

    def _run(self, script: Any, *arguments: Any) -> Any:
        with broker_errors():
            return script(keys=_ALL_KEYS, args=arguments)

    def _run_together(self, script: Any, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """A script once for each of some jobs, in one round trip. What was done of it when it fails is done again."""
        from redis.exceptions import NoScriptError

        if len(calls) == 1:
            return [self._run(script, *calls[0])]
        with broker_errors():
            try:
                return self._send_together(script, calls)
            except NoScriptError:
                self._redis.script_load(script.script)
                return self._send_together(script, calls)

    def _send_together(self, script: Any, calls: Sequence[Sequence[Any]]) -> list[Any]:
        pipe = self._redis.pipeline(transaction=False)
        for arguments in calls:
            pipe.evalsha(script.sha, len(_ALL_KEYS), *_ALL_KEYS, *arguments)
        return pipe.execute()


def _how(outcomes: Outcomes) -> str:
    """How a job ended whose frames ended so."""
    names = {outcome for counts in outcomes.values() for outcome in counts}
    return "dead" if "dead" in names else "stored" if names & {"stored", "repeated"} else "dropped"


def frames_per_source(job: Job) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for frame in job.frames:
        counts[frame.source_id] += 1
    return dict(counts)


def _open_by_source(found: Mapping[str, Any]) -> dict[str, int]:
    open_frames: dict[str, int] = defaultdict(int)
    for field, frames in found.items():
        source_id = field.partition("|")[2]
        if source_id != _TOTAL:
            open_frames[source_id] += int(frames)
    return dict(open_frames)


def _with_open(hashes: Iterable[Mapping[str, Any]], open_frames: Mapping[str, int]) -> dict[str, dict[str, int]]:
    counts = _by_source(hashes)
    for source_id, frames in open_frames.items():
        counts.setdefault(source_id, {})["open"] = frames
    return counts


def _by_source(hashes: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for fields in hashes:
        for field, frames in fields.items():
            source_id, _, outcome = field.partition("|")
            counts[source_id][outcome] += int(frames)
    return {source_id: dict(outcomes) for source_id, outcomes in counts.items()}


def _line(lane: Lane, pipeline: Pipeline) -> str:
    return f"{lane}:{pipeline}"


def _flat(per_source: Mapping[str, int]) -> list[Any]:
    return [part for pair in per_source.items() for part in pair]
