"""Pictures in Redis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from sightline.blobs.names import checked
from sightline.errors import StoreUnavailableError
from sightline.redis.connection import connect, redis_errors


class RedisFrameStore:
    """One key a picture, freed by Redis when its time is over."""

    def __init__(self, url: str, ttl_s: float | None) -> None:
        self._redis = connect(url, decode_responses=False)
        self._ttl_ms = int(ttl_s * 1000) if ttl_s else None

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        if not pixels:
            return
        with _redis_errors():
            pipe = self._redis.pipeline(transaction=False)
            for key, data in pixels.items():
                pipe.set(_name(key), data, px=self._ttl_ms)
            pipe.execute()

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        with _redis_errors():
            found: Any = self._redis.mget([_name(key) for key in keys])
        return list(found)

    def delete_many(self, keys: Iterable[str]) -> None:
        names = [_name(key) for key in keys]
        if names:
            with _redis_errors():
                self._redis.unlink(*names)

    # One pipeline takes many keys as fast as one.
    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:  # noqa: ARG002
        self.put_many(pixels)

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:  # noqa: ARG002
        return self.get_many(keys)

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        self.delete_many([key for keys in bundles.values() for key in keys])

    def prune(self) -> int:
        return 0

    def keys_before(self, time_s: float) -> Iterator[str]:  # noqa: ARG002
        return iter(())


def _name(key: str) -> str:
    return f"sightline:frame:{checked(key)}"


def _redis_errors() -> AbstractContextManager[None]:
    return redis_errors("frame store in Redis did not take the command", StoreUnavailableError)
