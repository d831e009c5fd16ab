"""The frame store: encoded pictures by key, so that queues carry only references (claim check).

Unfinished frames lie in a store with a TTL and are freed by the write stage; kept pictures lie in a second store
without one. `open_frame_store` picks the implementation by URL.

What one job puts is fetched and freed together: a *bundle*. Where every object has a price of its own, a file or a
request, a bundle is one object.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from sightline.errors import BadMessageError, SettingsError, StoreUnavailableError
from sightline.redis.connection import connect, redis_errors

_KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
_CROPS = ".crops"
_REDIS_SCHEMES = ("redis", "rediss", "unix")


class FrameStore(Protocol):
    """Keyed bytes. Every method raises `StoreUnavailableError` when the store does not answer, and
    `NotPermittedError` where Redis refuses its user."""

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        """Store all of them; a key that exists is overwritten."""
        ...

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The bytes of each key, in order; None where there is nothing."""
        ...

    def delete_many(self, keys: Iterable[str]) -> None:
        """Free them; missing keys are ignored."""
        ...

    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:
        """Store all of them under one name, beside what is in that bundle; a key that exists is overwritten."""
        ...

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:
        """As `get_many`. What is not in the bundle is looked for under its own key: others may have put it there."""
        ...

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        """Free bundles, by name, and frames that lie under their own keys; missing ones are ignored."""
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


def frames_name(job_id: str) -> str:
    """The bundle of a job's frames. No key is like it: ids have no dot."""
    return f"{job_id}.frames"


def crops_name(job_id: str) -> str:
    """The bundle of the crops of a job's frames."""
    return f"{job_id}{_CROPS}"


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


class FolderFrameStore:
    """One file a picture or bundle in 256 subfolders, for one machine or a shared mount.

    Files appear whole or not at all.
    """

    def __init__(self, folder: Path, ttl_s: float | None) -> None:
        self._folder = folder
        self._ttl_s = ttl_s

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        with _file_errors(self._folder):
            for key, data in pixels.items():
                _write(self._path(key), data)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        with _file_errors(self._folder):
            return [_read(self._path(key)) for key in keys]

    def delete_many(self, keys: Iterable[str]) -> None:
        with _file_errors(self._folder):
            for key in keys:
                _unlink(self._path(key))

    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:
        if pixels:
            path = self._path(name)
            with _file_errors(self._folder):
                _write(path, *_packed({**_read_bundle(path, None), **pixels}))

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:
        with _file_errors(self._folder):
            found = _read_bundle(self._path(name), keys) if keys else {}
        return _with_others(self, found, keys)

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        with _file_errors(self._folder):
            for name, keys in bundles.items():
                if not _unlink(self._path(name)):
                    self.delete_many(_by_themselves(name, keys))

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

    def _path(self, key: str) -> str:
        return f"{self._folder}/{zlib.crc32(_checked(key).encode()) & 0xFF:02x}/{key}"


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

    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:
        if pixels:
            self.put_many({name: b"".join(_packed({**self._bundle(name, None), **pixels}))})

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:
        return _with_others(self, self._bundle(name, keys) if keys else {}, keys)

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        for name, keys in bundles.items():
            self.delete_many([name, *_by_themselves(name, keys)])

    def _bundle(self, name: str, keys: Sequence[str] | None) -> dict[str, bytes]:
        (data,) = self.get_many([name])
        return {} if data is None else _unpacked(BytesIO(data), keys)

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


def _with_others(store: FrameStore, found: Mapping[str, bytes], keys: Sequence[str]) -> list[bytes | None]:
    missing = [key for key in keys if key not in found]
    others = dict(zip(missing, store.get_many(missing), strict=True)) if missing else {}
    return [found[key] if key in found else others[key] for key in keys]


def _by_themselves(name: str, keys: Sequence[str]) -> Sequence[str]:
    """What may lie outside its bundle: frames, as other producers put them. Crops never do."""
    return () if name.endswith(_CROPS) else keys


def _packed(pixels: Mapping[str, bytes]) -> list[bytes]:
    """A bundle in one object: a line of JSON with the sizes by key, then the bytes in that order."""
    sizes = {_checked(key): len(data) for key, data in pixels.items()}
    return [json.dumps(sizes).encode() + b"\n", *pixels.values()]


def _unpacked(file: BinaryIO, keys: Sequence[str] | None) -> dict[str, bytes]:
    """What is there of these keys; None: all."""
    sizes: dict[str, int] = json.loads(file.readline())
    found: dict[str, bytes] = {}
    for key, size in sizes.items():
        if keys is None or key in keys:
            found[key] = file.read(size)
        else:
            file.seek(size, os.SEEK_CUR)
    return found


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - hot: a Path costs as much as the file
            return file.read()
    except FileNotFoundError:
        return None


def _read_bundle(path: str, keys: Sequence[str] | None) -> dict[str, bytes]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return _unpacked(file, keys)
    except FileNotFoundError:
        return {}


def _write(path: str, *parts: bytes) -> None:
    folder, _, name = path.rpartition("/")
    temporary = f"{folder}/.{name[:64]}{secrets.token_hex(8)}"
    try:
        handle = _open_new(temporary)
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        handle = _open_new(temporary)
    try:
        with open(handle, "wb") as file:  # noqa: PTH123
            file.writelines(parts)
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        _unlink(temporary)
        raise


def _open_new(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _unlink(path: str) -> bool:
    """Whether it was there."""
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return False
    return True


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _redis_errors() -> AbstractContextManager[None]:
    return redis_errors("frame store in Redis did not take the command", StoreUnavailableError)


@contextmanager
def _file_errors(root: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreUnavailableError(f"frame store {root}: {error}") from error
