"""What a chain of a forking pipeline, or a shard, leaves for the stage that puts it together: one blob."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import TypeAdapter, ValidationError

from sightline.errors import BadMessageError
from sightline.types import AnyResult, ItemResult

_RESULTS: Final = TypeAdapter(tuple[AnyResult, ...])


@dataclass(frozen=True)
class Part:
    """`blobs`: what its last stage left beside the results, as its `dump` wrote it."""

    results: tuple[ItemResult, ...]
    blobs: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    shards: Mapping[str, int] = field(default_factory=dict[str, int])  #: of stages before, by their names

    @property
    def has_failed(self) -> bool:
        """Whether nothing came of it."""
        return all(result.error for result in self.results)

    def pack(self) -> bytes:
        """A line of JSON that says how long everything is, then the results and the blobs."""
        results = _RESULTS.dump_json(self.results, exclude_defaults=True)
        sizes = {name: len(data) for name, data in self.blobs.items()}
        head = {"results": len(results), "shards": dict(self.shards), "blobs": sizes}
        return b"".join([json.dumps(head).encode(), b"\n", results, *self.blobs.values()])

    @classmethod
    def unpack(cls, data: bytes) -> Part:
        """Raises `BadMessageError`: this was written by another version."""
        try:
            head_line, _, rest = data.partition(b"\n")
            head = json.loads(head_line)
            at = head["results"]
            results, blobs = _RESULTS.validate_json(rest[:at]), dict[str, bytes]()
            for name, size in head["blobs"].items():
                blobs[name] = rest[at : at + size]
                at += size
            return cls(results, blobs, head["shards"])
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise BadMessageError(
                f"part: {data[:40]!r}… is none of this version: {error!s:.200}", field="part"
            ) from error


def part_key(job_id: str, chain: str, shard: int | None = None) -> str:
    """Where the results of a chain, or of a shard of a stage, lie in the frame store."""
    return f"{job_id}.part.{chain}" + ("" if shard is None else f".{shard}")


def shard_key(job_id: str, stage: str, shard: int) -> str:
    """Where lies what a shard works on."""
    return f"{job_id}.shard.{stage}.{shard}"
