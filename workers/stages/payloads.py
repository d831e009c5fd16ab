"""What a job has in the frame store. It follows from its message, so that whoever ends the job can free it."""

from __future__ import annotations

from collections.abc import Iterator

from sightline.blobs.names import frames_name, parts_name, payload_name
from sightline.pipelines import registry
from sightline.pipelines.graph import Graph
from sightline.wire.messages import Message
from sightline.wire.parts import part_key, shard_key


def bundles_of(message: Message) -> dict[str, list[str]]:
    """All of it, as keys by bundle: its items, and the payloads between its stages as far as the message tells them."""
    job = message.job
    bundles = {frames_name(job.job_id): job.keys}
    for payload in registry().payloads[job.pipeline]:
        bundles[payload_name(job.job_id, payload.name)] = payload.keys(message.results)
    if (graph := registry().graph(job.pipeline)) is not None:
        bundles[parts_name(job.job_id)] = [*_part_keys(message, graph)]
    return bundles


def _part_keys(message: Message, graph: Graph) -> Iterator[str]:
    """What chains and shards put down, and what shards were given."""
    job_id = message.job.job_id
    yield from (part_key(job_id, chain.name) for chain in graph.chains if not chain.is_last)
    for stage, count in (message.shards or {}).items():
        for shard in range(count):
            yield part_key(job_id, stage, shard)
            yield shard_key(job_id, stage, shard)


def payload_of(message: Message, task: str) -> tuple[str, list[str]]:
    """The bundle in which `task` is left something, and the keys of all items that are still worked on."""
    payload = registry().stages[task].payload
    if payload is None:
        return payload_name(message.job.job_id, "payload"), []
    alive = [result for result in message.results if not result.error and not result.dropped]
    return payload_name(message.job.job_id, payload.name), payload.keys(alive)
