"""How full stores are: the memory of Redis, the disk of kept pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from prometheus_client.core import Metric
from pydantic import BaseModel

from producers.api.services import ApiServices
from sightline.metrics.families import gauge, gauges
from sightline.redis.connection import redis_errors

if TYPE_CHECKING:
    import redis


_PROBE: Final = "readiness"


class Disk(BaseModel):
    """The disk that kept pictures lie on, as the API's machine sees it."""

    bytes: int
    free_bytes: int


def disk_of_pictures(services: ApiServices) -> Disk | None:
    """None where pictures do not lie in a folder."""
    url = urlsplit(services.settings.picture_store_url)
    folder = Path(unquote(url.path))
    if url.scheme != "file" or not folder.is_dir():
        return None
    usage = shutil.disk_usage(folder)
    return Disk(bytes=usage.total, free_bytes=usage.free)


def picture_disk(services: ApiServices) -> Iterator[Metric]:
    if disk := disk_of_pictures(services):
        yield gauge("sightline_picture_disk_bytes", "The disk of the kept pictures.", disk.bytes)
        yield gauge("sightline_picture_disk_free_bytes", "Free on the disk of the kept pictures.", disk.free_bytes)


def usable_frames(services: ApiServices) -> Iterator[Metric]:
    """Nothing, if pixels can be put where they lie on their way; a folder is tried, as its disk may be full.

    Raises:
        StoreUnavailableError: they cannot.
    """
    store = services.publisher.frames
    if urlsplit(services.settings.frame_store_url).scheme == "file":
        store.put_many({_PROBE: b"1"})
        store.delete_many([_PROBE])
    else:
        store.get_many([_PROBE])
    yield from ()


def memory_of(name: str, redis: redis.Redis) -> Iterator[Metric]:
    """Of one Redis.

    Raises:
        BrokerUnavailableError: it does not answer.
        NotPermittedError: its user may not ask (INFO).
    """
    with redis_errors(f"Redis of {name} did not tell its memory"):
        info: Any = redis.info("memory")
    used, policy = info["used_memory"], str(info.get("maxmemory_policy", "unknown"))
    yield gauges("sightline_redis_memory_bytes", "Memory in use.", ("redis",), {(name,): used})
    # Of a Redis without a limit that of its machine is one: there the kernel ends it.
    limit = info.get("maxmemory") or info.get("total_system_memory") or 0
    meaning = "It may use so much; that of its machine where it has no limit."
    yield gauges("sightline_redis_memory_limit_bytes", meaning, ("redis",), {(name,): limit})
    labels, meaning = ("redis", "policy"), "1; the policy says what happens when memory is full."
    yield gauges("sightline_redis_policy_info", meaning, labels, {(name, policy): 1})
