"""The frame store: encoded pictures by key, so that queues carry only references (claim check).

Unfinished frames lie in a store with a TTL and are freed by the write stage; kept pictures lie in a second store
without one. `open_frame_store` picks the implementation by URL.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from sightline.errors import BadMessageError, SettingsError, StoreUnavailableError
from sightline.redis_connection import connect

_KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
_REDIS_SCHEMES = ("redis", "rediss", "unix")


class FrameStore(Protocol):
    """Keyed bytes. Every method raises `StoreUnavailableError` when the store does not answer."""

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        """Store all of them; a key that exists is overwritten."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The bytes of each key, in order; None where there is nothing."""
        ...

    def delete_many(self, keys: Iterable[str]) -> None:
        """Free them; missing keys are ignored."""
        ...

    def prune(self) -> int:
        """Free what is past its TTL, where the store does not do so by itself. Returns how many."""
        ...

    def keys_before(self, time_s: float) -> Iterator[str]:
        """Keys that were last put before this time (epoch seconds), where the store knows."""
        ...


def open_frame_store(url: str, *, ttl_s: float | None) -> FrameStore:
    """The store behind `url`: `redis://`, `file:///folder`, or any fsspec URL such as `s3://bucket/prefix`.

    Raises:
        SettingsError: the URL's scheme is unknown or its library is not installed.
    """
    scheme = urlsplit(url).scheme
    if scheme in _REDIS_SCHEMES:
        return RedisFrameStore(url, ttl_s)
    if scheme == "file":
        return FolderFrameStore(Path(unquote(urlsplit(url).path)), ttl_s)
    return FsspecFrameStore(url, ttl_s)


def crop_key(frame_id: str, detection_index: int) -> str:
    """Where the crop of a frame's detection lies in the frame store."""
    return f"{frame_id}.c{detection_index}"


class RedisFrameStore:
    """One key a picture, freed by Redis when its time is over."""

    def __init__(self, url: str, ttl_s: float | None) -> None:
        self._redis = connect(url, decode_responses=False)
        self._ttl_ms = int(ttl_s * 1000) if ttl_s else None

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
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

    def prune(self) -> int:
        return 0

    def keys_before(self, time_s: float) -> Iterator[str]:  # noqa: ARG002
        return iter(())


class FolderFrameStore:
    """One file a picture in 256 subfolders, for one machine or a shared mount. Files appear whole or not at all."""

    def __init__(self, folder: Path, ttl_s: float | None) -> None:
        self._folder = folder
        self._ttl_s = ttl_s

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        with _file_errors(self._folder):
            for key, data in pixels.items():
                self._write(self._path(key), data)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        with _file_errors(self._folder):
            return [_read(self._path(key)) for key in keys]

    def delete_many(self, keys: Iterable[str]) -> None:
        with _file_errors(self._folder):
            for key in keys:
                self._path(key).unlink(missing_ok=True)

    def prune(self) -> int:
        if self._ttl_s is None or not self._folder.is_dir():
            return 0
        oldest = time.time() - self._ttl_s
        freed = 0
        with _file_errors(self._folder):
            for entry in self._folder.glob("[0-9a-f][0-9a-f]/*"):
                if _modified_at(entry) < oldest:
                    entry.unlink(missing_ok=True)
                    freed += 1
        return freed

    def keys_before(self, time_s: float) -> Iterator[str]:
        for folder in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            with _file_errors(self._folder):
                keys = [path.name for path in folder.iterdir() if _KEY.match(path.name) and _modified_at(path) < time_s]
            yield from keys

    def _path(self, key: str) -> Path:
        return self._folder / f"{zlib.crc32(_checked(key).encode()) & 0xFF:02x}" / key

    def _write(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


class FsspecFrameStore:
    """Any file system fsspec knows (S3, GCS, Azure, ...). Old objects are freed by `prune` or a bucket rule."""

    def __init__(self, url: str, ttl_s: float | None) -> None:
        import fsspec  # pyright: ignore[reportMissingTypeStubs]

        try:
            self._fs, self._root = fsspec.core.url_to_fs(url)
        except (ValueError, ImportError) as error:
            raise SettingsError(f"frame store URL {urlsplit(url).scheme}://…: {error}") from error
        self._ttl_s = ttl_s

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        with _file_errors(self._root):
            self._fs.pipe({self._path(key): data for key, data in pixels.items()})

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        with _file_errors(self._root):
            paths = [self._path(key) for key in keys]
            found: dict[str, Any] = self._fs.cat(paths, on_error="return")
        values = [found.get(path) for path in paths]
        for value in values:
            if isinstance(value, Exception) and not isinstance(value, FileNotFoundError):
                raise StoreUnavailableError(f"frame store {self._root}: {value}") from value
        return [value if isinstance(value, bytes) else None for value in values]

    def delete_many(self, keys: Iterable[str]) -> None:
        with _file_errors(self._root):
            for key in keys:
                try:
                    self._fs.rm_file(self._path(key))
                except FileNotFoundError:
                    continue

    def prune(self) -> int:
        if self._ttl_s is None:
            return 0
        freed = 0
        with _file_errors(self._root):
            for path in self._paths_before(time.time() - self._ttl_s):
                self._fs.rm_file(path)
                freed += 1
        return freed

    def keys_before(self, time_s: float) -> Iterator[str]:
        with _file_errors(self._root):
            paths = self._paths_before(time_s)
        return (path.rpartition("/")[2] for path in paths)

    def _paths_before(self, time_s: float) -> list[str]:
        found: list[str] = []
        for info in self._fs.ls(self._root, detail=True) if self._fs.exists(self._root) else []:
            modified = info.get("LastModified") or info.get("created") or info.get("mtime")
            stamp = modified.timestamp() if hasattr(modified, "timestamp") else modified
            if stamp is not None and stamp < time_s:
                found.append(str(info["name"]))
        return found

    def _path(self, key: str) -> str:
        return f"{self._root}/{_checked(key)}"


def _checked(key: str) -> str:
    if not _KEY.match(key) or ".." in key:
        raise BadMessageError(f"frame key: {key[:80]!r} is not 1..128 of A-Z a-z 0-9 _ . -", field="frame_id")
    return key


def _name(key: str) -> str:
    return f"sightline:frame:{_checked(key)}"


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


@contextmanager
def _redis_errors() -> Iterator[None]:
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        raise StoreUnavailableError(f"frame store in Redis did not answer: {error}") from error


@contextmanager
def _file_errors(root: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(f"frame store {root}: {error}") from error
