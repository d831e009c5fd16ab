"""What a job has in the frame store. It follows from its message, so that whoever ends the job can free it."""

from __future__ import annotations

from collections.abc import Iterator

from sightline.blobs.names import crop_key, crops_name, frames_name
from sightline.pipelines import registry
from sightline.pipelines.graph import Graph
from sightline.types import FrameResult
from sightline.wire.messages import Message
from sightline.wire.parts import part_key, shard_key


def bundles_of(message: Message) -> dict[str, list[str]]:
    """All of it, as keys by bundle: its frames, and the payload between its stages as far as the message tells it."""
    job = message.job
    bundles = {frames_name(job.job_id): [frame.frame_id for frame in job.frames]}
    if job.pipeline in registry().with_payload:
        bundles[payload_name(message)] = [key for result in message.results for key in crop_keys(result)]
    if (graph := registry().graph(job.pipeline)) is not None:
        bundles[f"{job.job_id}.parts"] = [*_part_keys(message, graph)]
    return bundles


def _part_keys(message: Message, graph: Graph) -> Iterator[str]:
    """What chains and shards put down, and what shards were given."""
    job_id = message.job.job_id
    yield from (part_key(job_id, chain.name) for chain in graph.chains if not chain.is_last)
    for stage, count in (message.shards or {}).items():
        for shard in range(count):
            yield part_key(job_id, stage, shard)
            yield shard_key(job_id, stage, shard)


def payload_name(message: Message) -> str:
    """The bundle of the payload between two stages."""
    return crops_name(message.job.job_id)


def payload_keys(message: Message) -> list[str]:
    """What is in that bundle for the next stage: the crops of all frames that are still to be read."""
    return [key for result in message.results if not result.error and not result.dropped for key in crop_keys(result)]


def crop_keys(result: FrameResult) -> list[str]:
    """The keys of the crops of a frame's detections, in their order."""
    return [crop_key(result.frame.frame_id, index) for index in range(len(result.detections))]
