"""Pictures in a folder."""

from __future__ import annotations

import os
import secrets
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sightline.blobs.bundles import by_themselves, packed, unpacked, with_others
from sightline.blobs.file_errors import file_errors
from sightline.blobs.names import KEY, checked


class FolderFrameStore:
    """One file a picture or bundle in 256 subfolders, for one machine or a shared mount.

    Files appear whole or not at all.
    """

    def __init__(self, folder: Path, ttl_s: float | None) -> None:
        self._folder = folder
        self._ttl_s = ttl_s

    def put_many(self, pixels: Mapping[str, bytes]) -> None:
        with file_errors(self._folder):
            for key, data in pixels.items():
                _write(self._path(key), data)

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        with file_errors(self._folder):
            return [_read(self._path(key)) for key in keys]

    def delete_many(self, keys: Iterable[str]) -> None:
        with file_errors(self._folder):
            for key in keys:
                _unlink(self._path(key))

    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:
        if pixels:
            path = self._path(name)
            with file_errors(self._folder):
                _write(path, *packed({**_read_bundle(path, None), **pixels}))

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:
        with file_errors(self._folder):
            found = _read_bundle(self._path(name), keys) if keys else {}
        return with_others(self, found, keys)

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        with file_errors(self._folder):
            for name, keys in bundles.items():
                if not _unlink(self._path(name)):
                    self.delete_many(by_themselves(name, keys))

    def prune(self) -> int:
        if self._ttl_s is None or not self._folder.is_dir():
            return 0
        oldest = time.time() - self._ttl_s
        freed = 0
        with file_errors(self._folder):
            for entry in self._folder.glob("[0-9a-f][0-9a-f]/*"):
                if _modified_at(entry) < oldest:
                    entry.unlink(missing_ok=True)
                    freed += 1
        return freed

    def keys_before(self, time_s: float) -> Iterator[str]:
        for folder in sorted(self._folder.glob("[0-9a-f][0-9a-f]")):
            with file_errors(self._folder):
                keys = [path.name for path in folder.iterdir() if KEY.match(path.name) and _modified_at(path) < time_s]
            yield from keys

    def _path(self, key: str) -> str:
        return f"{self._folder}/{zlib.crc32(checked(key).encode()) & 0xFF:02x}/{key}"


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - hot: a Path costs as much as the file
            return file.read()
    except FileNotFoundError:
        return None


def _read_bundle(path: str, keys: Sequence[str] | None) -> dict[str, bytes]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return unpacked(file, keys)
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
