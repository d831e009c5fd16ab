"""How every stage treats a message: begin, work, and what each class of error means.

Transient errors are waited out with the message unacknowledged and leased. Poison goes to the dead letters at once.
A bug is loud; the ledger still holds the job, which the sweeper sends again until its attempts are used up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

from celery.exceptions import Reject

from sightline.celery.holds import Hold
from sightline.delivery.cancellations import CANCELLED
from sightline.delivery.handoff import dropped_outcomes
from sightline.errors import (
    BadMessageError,
    JobCancelledError,
    ModelError,
    NewerMessageError,
    NotPermittedError,
    PoisonError,
)
from sightline.logs import working_on
from sightline.pipelines import check_results, has_own_type, make_results, registry
from sightline.pipelines.queues import ARRIVE, WRITE_TASK
from sightline.retry import StoppedError
from sightline.tracing import is_sampled
from sightline.types import FrameError, ItemResult, JobResult, JobStatus
from sightline.wire.messages import Job, Message, parse_message
from workers.housekeeping.spans import stage_span, tell_wait
from workers.housekeeping.times import TIMES
from workers.stages.branches import (
    arrive,
    end_chain,
    is_joining,
    joined,
    keep_shards,
    seen_again,
    work_on_shards,
)
from workers.stages.context import JobContext
from workers.stages.newer import NewerMessages
from workers.stages.payloads import bundles_of, payload_of
from workers.stages.services import Services
from workers.stages.step import LeavesPayload, Stage, Step, TakesPayload

log = logging.getLogger(__name__)

_MEMORY_PAUSE_S = 2.0
_NEWER_PAUSE_S = 1.0

#: What this process gave back because it does not know it.
_newer = NewerMessages()
#: Messages that were seen before are worked on one at a time: whichever ends the process is found out, its
#: batch-mates are not blamed.
_alone = threading.Lock()


def run_message(
    stages: Mapping[str, Stage],
    task: str,
    services: Services,
    raw: Any,
    *,
    redelivered: bool,
    task_id: str = "",
    traceparent: str | None = None,
) -> None:
    """Bring a message off the queue of `task` through the stages that are in this process.

    `task_id` is that of its Celery task, by which the lease knows how long it may be held. `traceparent` came in that
    task's headers, and counts where the job names none.

    Raises:
        Reject: to have the message again (out of memory, the task was told to exit, the worker stops, or the message is
            for a newer one).
    """
    with _given_back(task, services):
        try:
            message = parse_message(raw)
            _check_place(message, task)
            if traceparent and message.job.traceparent is None:
                job = message.job.model_copy(update={"traceparent": traceparent})
                message = message.model_copy(update={"job": job})
        except BadMessageError as error:
            if isinstance(error, NewerMessageError) and _newer.is_left_to_others(raw):
                log.info("message to %s left to newer workers: %s", registry().routes[task], error)
                services.delivery.patience.pause(_NEWER_PAUSE_S)
                raise Reject(error, requeue=True) from error
            bury_message(services, registry().routes[task], raw, error)
            return
        with _alone if redelivered else nullcontext():
            services.delivery.patience.check()  # it may have stood in line: not begun, it is not counted
            TIMES.waited(registry().routes[task], message.job.lane, time.time() - message.handed_over_at)
            if is_sampled(message.job.traceparent):
                tell_wait(services.tracer, message, task)
            hold = services.holds.open(task_id)
            try:
                with working_on(message.job):
                    _run(stages, Step(task, message), services, hold, is_suspect=redelivered and task != WRITE_TASK)
            finally:
                services.holds.close(task_id)


def _run(stages: Mapping[str, Stage], first: Step, services: Services, hold: Hold, *, is_suspect: bool) -> None:
    job, step = first.message.job, first
    to_write, graph = first.task == WRITE_TASK, registry().graph(job.pipeline)
    sightings = services.delivery.begin(
        job,
        redelivered=is_suspect and graph is None,
        to_write=to_write,
        held_s=registry().stages[first.task].held_s,
    )
    if graph is not None and is_suspect and sightings > 0:
        sightings = 1 + seen_again(services, graph, first)
    begun_at = time.monotonic()
    if sightings > services.settings.max_attempts and not to_write:
        error = _WorkerLostError(f"its workers died {sightings - 1} times while they held it")
        bury(services, first.message, first.task, error.reason, str(error))
        return
    is_open, made_by = sightings != 0, None
    if sightings < 0:
        step = _cancelled(step)
    elif is_open and graph is not None and is_joining(graph, first):
        step = joined(services, graph, first)
        if not to_write and all(result.error for result in step.message.results):
            end_chain(services, step.message, first.task)
            return
    while is_open and (stage := stages.get(step.task)):
        following = _work(stage, step, services, hold)
        if following is None:
            return
        step, made_by = following, stage
        if is_suspect and step.task == WRITE_TASK:
            break  # it has proved itself: whatever its rows wait for is not counted against it, nor do others wait
        is_long = time.monotonic() - begun_at > services.settings.job_timeout_s / 4
        to_write = step.task == WRITE_TASK
        may_be_dropped = to_write and job.deadline_at is not None  # by who got a copy: until now, not from now on
        held_s = registry().stages[step.task].held_s if step.task in stages else None
        if is_long or may_be_dropped or held_s:
            begun, begun_at = services.delivery.begin(job, to_write=to_write, held_s=held_s), time.monotonic()
            is_open = begun != 0
            if begun < 0:
                step = _cancelled(step)
        elif services.cancellations.has(job):
            step = _cancelled(step)
    if is_open and step.task == ARRIVE:
        assert made_by is not None
        arrive(services, step, made_by, first.message.shard)
    elif is_open:
        hand_over(services, step, made_by)
    else:
        _free(services, step.message)  # a late copy of a job that is finished


def _check_place(message: Message, task: str) -> None:
    """Whether a message can be what `task` is given: results come from the stage before, and the first has none.

    Raises:
        BadMessageError: it is not.
    """
    pipeline = message.job.pipeline
    if task not in registry().tasks[pipeline]:
        raise BadMessageError(f"job.pipeline: {pipeline} has no stage {stage_name(task)}", field="job.pipeline")
    graph = registry().graph(pipeline)
    if message.shard is not None and (graph is None or not registry().stages[task].shards):
        raise BadMessageError(f"shard: {stage_name(task)} of {pipeline} has no shards; leave it out", field="shard")
    begins = task == registry().tasks[pipeline][0] if graph is None else graph.chain_of(task).head.task == task
    if begins and task != WRITE_TASK:
        if message.results:
            raise BadMessageError("results: nothing was found yet where a job begins; leave them out", field="results")
    elif not begins and not message.results:
        raise BadMessageError(f"results: {stage_name(task)} needs one per item, of the stage before", field="results")


def hand_over(services: Services, step: Step, made_by: Stage | None) -> None:
    """Send a step to whoever consumes its queue. Returns when its payload is stored and the broker has the message."""
    delivery, job = services.delivery, step.message.job
    if step.payload is not None:
        (name, _), blobs = payload_of(step.message, step.task), cast("LeavesPayload", made_by).dump(step.payload)
        # While it waits the job asks for more time. If it was finished elsewhere it is sent all the same: who takes it
        # frees its pixels.
        delivery.patience.insist(
            lambda: services.frames.put_bundle(name, blobs), f"store {name}", between=lambda: delivery.begin(job) > 0
        )
    delivery.hand_over(step.task, job, step.message.results, step.message.shards)


def _work(stage: Stage, step: Step, services: Services, hold: Hold) -> Step | None:
    """One stage. Returns what the next one is given; None: there is nothing more to do here."""
    message, delivery = step.message, services.delivery
    job, held_s = message.job, registry().stages[step.task].held_s

    def work() -> tuple[Step | None]:
        if stage.task != WRITE_TASK and _is_stale(job):
            drop(services, message, "stale")
            return (None,)
        context = JobContext(job, hold, registry().stages[step.task], services)
        given = replace(_with_payload(stage, step, services), context=context)
        begun_at = time.monotonic()
        with stage_span(services.tracer, message, step.task):
            if registry().stages[step.task].shards:
                done = work_on_shards(stage, given, services)
            else:
                done = stage.work(given)
                done = done if done is None or not message.shards else keep_shards(done, message.shards)
        TIMES.worked(stage_name(stage.task), job.lane, len(job.frames), time.monotonic() - begun_at)
        return (None if done is None else _as_its_pipeline_says(done, stage.task),)

    begun = 1

    def is_wanted() -> bool:
        nonlocal begun
        begun = delivery.begin(job, to_write=stage.task == WRITE_TASK, held_s=held_s)
        return begun > 0 or (begun < 0 and _is_cancelled(step))

    try:
        # While it waits the job asks for more time, and gives up if it was finished elsewhere, or here but for its end.
        what = f"{stage_name(stage.task)} job {job.job_id}"
        worked = delivery.patience.insist(work, what, between=is_wanted)
    except (PoisonError, ModelError) as error:
        if message.results and all(result.error for result in message.results):
            raise  # its dead letters themselves cannot be written: loud, and left to the sweeper
        log.warning("job %s is dead in %s: %s", job.job_id, stage.task, error)
        bury(services, message, stage.task, error.reason, str(error))
        return None
    except JobCancelledError:
        return _cancelled(step)
    if worked is None:
        if begun < 0:
            return _cancelled(step)
        _free(services, message)
        return None
    return worked[0]


def _as_its_pipeline_says(step: Step, made_by: str) -> Step:
    """The step with results of the type of its pipeline. An item of which a package left none has an error instead.

    Raises:
        BadMessageError: a stage of ours left results of another type.
    """
    message = step.message
    if not has_own_type(message.job.pipeline):
        message = message.with_results(message.results)
    elif made_by != WRITE_TASK:
        results = check_results(message.job.pipeline, message.results, message.job.frames, stage_name(made_by))
        message = message.model_copy(update={"results": results})
    return step if message is step.message else replace(step, message=message)


def _is_cancelled(step: Step) -> bool:
    return step.task == WRITE_TASK and all(result.dropped == CANCELLED for result in step.message.results)


def _cancelled(step: Step) -> Step:
    """What goes to the writer in its place. The first of two that come there decides, so no frame has two ends."""
    if _is_cancelled(step):
        return step  # it is that already, and was said
    log.info("job %s was cancelled", step.message.job.job_id)
    changes = {"results": _dropped(step.message, CANCELLED), "shard": None}
    return Step(WRITE_TASK, step.message.model_copy(update=changes))


def _with_payload(stage: Stage, step: Step, services: Services) -> Step:
    """The step with what another process stored for this stage."""
    if step.payload is not None or not hasattr(stage, "load"):  # `isinstance` of a protocol takes too long for here
        return step
    name, keys = payload_of(step.message, step.task)
    blobs = services.frames.get_bundle(name, keys)
    return replace(step, payload=cast("TakesPayload", stage).load(dict(zip(keys, blobs, strict=True))))


def _is_stale(job: Job) -> bool:
    """Whether nobody wants it any more. What came as far as the writer is stored: all of its work is done."""
    return job.deadline_at is not None and time.time() > job.deadline_at


def drop(services: Services, message: Message, rule: str) -> None:
    """End a job here: nothing of it is stored, and its frames are counted under the rule that dropped them.

    Frames that died in an earlier stage stay dead: with one of them the writer ends the job.
    """
    job, results = message.job, _dropped(message, rule)
    if any(result.error for result in results):
        services.delivery.hand_over(WRITE_TASK, job, results)
        return
    ended = services.delivery.drop(job, dropped_outcomes(results))
    if ended == "being written":
        return  # by another worker, which has all of its work: this was a late copy
    if ended == "dropped":
        services.board.post(
            JobResult(
                job_id=job.job_id,
                pipeline=job.pipeline,
                status=JobStatus.DROPPED,
                frames=results,
                finished_at=datetime.now(UTC),
            )
        )
    services.frames.delete_bundles(bundles_of(message))


def _dropped(message: Message, rule: str) -> tuple[ItemResult, ...]:
    results = message.per_item().results or make_results(message.job.pipeline, message.job.frames)
    return tuple(result if result.error else result.model_copy(update={"dropped": rule}) for result in results)


def _free(services: Services, message: Message) -> None:
    """Free what a finished job left: its first run may have died before, or put crops after they were freed."""
    services.delivery.patience.insist(
        lambda: services.frames.delete_bundles(bundles_of(message)), f"free the pixels of job {message.job.job_id}"
    )


@contextmanager
def _given_back(task: str, services: Services) -> Iterator[None]:
    """What must not end a task quietly gives its message back instead."""
    try:
        yield
    except StoppedError as error:
        raise Reject(error, requeue=True) from error
    except NotPermittedError as error:
        log.error("message of %s given back: %s", task, error)  # another worker may have the right
        raise Reject(error, requeue=True) from error
    except (MemoryError, SystemExit) as error:
        # Left to Celery these would never be acknowledged and would hold their slot for ever.
        log.exception("%s in %s, message given back in %.0f s", type(error).__name__, task, _MEMORY_PAUSE_S)
        # At once, it would come back and use up its attempts before any memory is freed.
        with suppress(StoppedError):
            services.delivery.patience.pause(_MEMORY_PAUSE_S)
        raise Reject(error, requeue=True) from error


def run_burial(stage_bury: Callable[[dict[str, Any]], None], services: Services, letter: dict[str, Any]) -> None:
    """Store a message that was no job. No ledger knows it, so it is held until it is stored."""
    with _given_back("dead_letter", services):
        services.delivery.patience.insist(lambda: stage_bury(letter), "store a dead letter")


def bury(services: Services, message: Message, task: str, reason: str, text: str) -> None:
    """Give every item of a job an error: they become dead letters, or the stage that joins this one decides."""
    job, error = message.job, FrameError(reason=reason, message=text[:500], stage=stage_name(task))
    results = make_results(job.pipeline, job.frames, error=error)
    end_chain(services, message.model_copy(update={"results": results}), task)


def stage_name(task: str) -> str:
    """`detect` for `sightline.detect`."""
    return task.rpartition(".")[2]


class _WorkerLostError(PoisonError):
    reason = "worker_lost"


def bury_message(services: Services, queue: str, raw: Any, error: BadMessageError) -> None:
    """What is no job has no ledger entry: it goes to the dead letters as it came.

    Raises:
        StoppedError: the worker stops, and the letter is not sent.
    """
    log.error("message to %s refused: %s", queue, error)
    role = next(role for role, consumed in registry().roles.items() if consumed == queue)
    services.delivery.bury_message({"stage": role, "reason": error.reason, "message": str(error), "payload": raw})
