"""What the runner of stages does where a pipeline forks or joins, or a stage cuts shards. Others never come here.

A chain is what one message passes: see `sightline.pipelines.graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain as chain_up

from sightline.errors import FrameMissingError
from sightline.pipelines import make_results, registry
from sightline.pipelines.graph import Chain, Graph
from sightline.pipelines.queues import ARRIVE, WRITE_TASK
from sightline.wire.messages import MAX_SHARDS, Job, Message
from sightline.wire.parts import Part, shard_key
from workers.stages.joining import join
from workers.stages.services import Services
from workers.stages.step import CutsShards, LeavesPayload, Stage, Step


def seen_again(services: Services, graph: Graph, step: Step) -> int:
    """How often this chain, or shard, was seen again after a worker died with it: the others are innocent."""
    message, name = step.message, graph.chain_of(step.task).name
    what = name if message.shard is None else f"{name}#{message.shard}"
    seen = services.delivery.patience.insist(
        lambda: services.branches.arrivals.seen_again(message.job, what), f"count job {message.job.job_id}"
    )
    assert seen is not None
    return seen


def is_joining(graph: Graph, step: Step) -> bool:
    """Whether what this message is about lies in the frame store."""
    chain = graph.chain_of(step.task)
    return bool(chain.needs) and chain.head.task == step.task and not step.message.results


def joined(services: Services, graph: Graph, step: Step) -> Step:
    """The step with what the chains left that it needs: each for itself, and together as the results of the message."""
    message, chain = step.message, graph.chain_of(step.task)
    parts = services.delivery.patience.insist(
        lambda: services.branches.gather(message.job, chain.needs), f"gather job {message.job.job_id}"
    )
    assert parts is not None
    results = join(message.job, parts, chain.needed)
    shards = {name: count for part in parts.values() for name, count in part.shards.items()}
    return replace(step, message=message.model_copy(update={"results": results, "shards": shards or None}), parts=parts)


def arrive(services: Services, step: Step, made_by: Stage, shard: int | None) -> None:
    """Put down what a chain, or a shard, found; send what comes next if that completes it. Blocks until it is done."""
    blobs: Mapping[str, bytes] = {}
    if step.payload is not None:
        assert isinstance(made_by, LeavesPayload)
        blobs = made_by.dump(step.payload)
    message = step.message.model_copy(update={"shard": shard})
    _arrive(services, message, made_by.task, Part(message.results, blobs, message.shards or {}))


def end_chain(services: Services, message: Message, task: str) -> None:
    """Nothing came of it but errors: the job ends, or the chain or shard arrives with them and the join decides."""
    graph = registry().graph(message.job.pipeline)
    if graph is None or (graph.chain_of(task).is_last and message.shard is None):
        services.delivery.hand_over(WRITE_TASK, message.job, message.results)
    else:
        _arrive(services, message, task, Part(message.results, shards=message.shards or {}))


def _arrive(services: Services, message: Message, task: str, part: Part) -> None:
    job, shard, chain = message.job, message.shard, _chain_of(message, task)

    def once() -> None:
        if shard is None:
            services.branches.arrive(job, chain, part)
        else:
            services.branches.arrive_shard(job, chain, shard, part)

    _insist(services, job, once, f"arrive with job {job.job_id} at the end of {chain.name}")


def work_on_shards(stage: Stage, step: Step, services: Services) -> Step | None:
    """Cut a job, work on one of its shards, or merge them: its message, and what has arrived, say which."""
    assert isinstance(stage, CutsShards)
    job, shard, chain = step.message.job, step.message.shard, _chain_of(step.message, step.task)
    name = chain.head.name
    if shard is not None:
        (data,) = services.frames.get_many([shard_key(job.job_id, name, shard)])
        if data is None:
            text = f"shard {shard} of {name} is not in the frame store any more (its TTL is over)"
            raise FrameMissingError(text, frame_id=job.frames[0].frame_id)
        done = stage.work(replace(step, shard=data))
        return None if done is None else replace(done, task=ARRIVE)
    cut = services.branches.arrivals.shards(job, name)
    if cut is None:
        shards = iter(stage.split(step))
        first, second = next(shards, None), next(shards, None)
        if first is None:
            raise RuntimeError(f"{name}: split gave no shard; it gives 1 to {MAX_SHARDS}")
        if second is None:
            done = stage.work(replace(step, shard=first))
            return None if done is None else stage.merge(step, [Part(done.message.results, _dumped(stage, done))])
        services.branches.cut(job, chain, chain_up((first, second), shards))
        return None
    if cut.missing:  # who cut it died before all were sent, or some are overdue
        services.branches.send_shards(job, chain, cut.missing)
        return None
    parts = services.branches.gather_shards(job, name, cut.count)
    errors = [part.results[0].error for part in parts if part.has_failed]
    merged = keep_shards(step, {**(step.message.shards or {}), name: cut.count})
    if errors and (chain.needed == "all" or len(errors) == len(parts)):
        results = make_results(job.pipeline, job.frames, error=errors[0])
        end_chain(services, merged.message.model_copy(update={"results": results}), step.task)
        return None
    return keep_shards(stage.merge(merged, parts), merged.message.shards or {})


def keep_shards(step: Step, shards: Mapping[str, int]) -> Step:
    """The step that remembers how its job was cut: whoever ends the job frees the shards."""
    return replace(step, message=step.message.model_copy(update={"shards": dict(shards)}))


def _dumped(stage: Stage, step: Step) -> Mapping[str, bytes]:
    return stage.dump(step.payload) if step.payload is not None and isinstance(stage, LeavesPayload) else {}


def _chain_of(message: Message, task: str) -> Chain:
    graph = registry().graph(message.job.pipeline)
    assert graph is not None
    return graph.chain_of(task)


def _insist(services: Services, job: Job, call: Callable[[], None], what: str) -> None:
    """Until it is done, or the job was finished elsewhere."""
    services.delivery.patience.insist(call, what, between=lambda: services.delivery.begin(job) > 0)
