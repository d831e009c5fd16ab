"""Where a pipeline forks and joins: results are put down, arrive, and whoever completes them sends what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sightline.blobs.store import FrameStore
from sightline.delivery.arrivals import Arrivals
from sightline.delivery.broker import Broker, task_id
from sightline.errors import FrameMissingError
from sightline.pipelines import as_results, make_results, registry
from sightline.pipelines.graph import Chain
from sightline.types import FrameError
from sightline.wire.messages import MAX_SHARDS, Job, Message
from sightline.wire.parts import Part, part_key, shard_key


class Branches:
    """Every method may be repeated: the same is put down, arrives, is sent. Raises what Redis and the store raise."""

    def __init__(self, arrivals: Arrivals, frames: FrameStore, broker: Broker) -> None:
        self.arrivals = arrivals
        self._frames = frames
        self._broker = broker

    def arrive(self, job: Job, chain: Chain, part: Part) -> None:
        """A chain has ended, well or not: send each chain that has now all it needs."""
        graph = registry().graph(job.pipeline)
        assert graph is not None
        key = part_key(job.job_id, chain.name)
        self._frames.put_many({key: part.pack()})
        arrived = self.arrivals.arrive(job, chain.name, held=graph.held)
        if not arrived.chains:
            self._frames.delete_many([key])  # of a late copy: the job has ended, and nobody else would free it
        for following in graph.after(chain.name):
            if arrived.chains.issuperset(following.needs) and following.name not in arrived.told:
                self.send(job, following)
                self.arrivals.told(job, following.name)

    def send(self, job: Job, chain: Chain) -> None:
        """Send the message that a chain begins with: `{job}:{stage}`. What it joins lies in the frame store."""
        self._send(chain.head.task, Message(job=job), task_id(job.job_id, chain.head.task))

    def arrive_shard(self, job: Job, chain: Chain, shard: int, part: Part) -> None:
        """A shard has ended: if it was the last, send the message on which its stage merges them."""
        stage = chain.head.name
        key = part_key(job.job_id, stage, shard)
        self._frames.put_many({key: part.pack()})
        missing = self.arrivals.arrive_shard(job, stage, shard)
        if missing is None:
            self._frames.delete_many([key])  # as above
        elif not missing:
            self.send(job, chain)
            self.arrivals.told_merge(job, stage)

    def cut(self, job: Job, chain: Chain, shards: Iterable[bytes]) -> None:
        """The stage of a chain cuts a job into shards: put each down before the next is made, send their messages."""
        stage, keys = chain.head.name, list[str]()
        for number, data in enumerate(shards):
            if number == MAX_SHARDS:
                self._frames.delete_many(keys)
                raise RuntimeError(f"{stage}: split gave more than {MAX_SHARDS} shards")
            keys.append(shard_key(job.job_id, stage, number))
            self._frames.put_many({keys[-1]: data})
        if self.arrivals.cut(job, stage, len(keys)):
            self.send_shards(job, chain, range(len(keys)))
        else:
            self._frames.delete_many(keys)  # as above

    def send_shards(self, job: Job, chain: Chain, shards: Iterable[int]) -> None:
        """Send the message of each: `{job}:{stage}:{k}`."""
        task = chain.head.task
        for shard in shards:
            self._send(task, Message(job=job, shard=shard), f"{task_id(job.job_id, task)}:{shard}")

    def gather(self, job: Job, chains: Sequence[str]) -> dict[str, Part]:
        """What chains left, by their names."""
        keys = [part_key(job.job_id, name) for name in chains]
        return dict(zip(chains, self._read(job, keys), strict=True))

    def gather_shards(self, job: Job, stage: str, count: int) -> list[Part]:
        """What the shards of a stage left, in their order."""
        return self._read(job, [part_key(job.job_id, stage, shard) for shard in range(count)])

    def _read(self, job: Job, keys: Sequence[str]) -> list[Part]:
        found = zip(keys, self._frames.get_many(keys), strict=True)
        return [_lost(job, key) if data is None else _unpacked(job, data) for key, data in found]

    def _send(self, task: str, message: Message, identity: str) -> None:
        self._broker.send(task, message.pack(), task_id=identity, lane=message.job.lane)


def failed(job: Job, error: FrameError) -> Part:
    """What arrives of a chain or shard of which nothing came."""
    return Part(make_results(job.pipeline, job.frames, error=error))


def _unpacked(job: Job, data: bytes) -> Part:
    part = Part.unpack(data)
    return replace(part, results=as_results(job.pipeline, part.results))


def _lost(job: Job, key: str) -> Part:
    text = f"{key} is not in the frame store any more: what a stage had found is lost (its TTL is over)"
    return failed(job, FrameError(reason=FrameMissingError.reason, message=text, stage="join"))
