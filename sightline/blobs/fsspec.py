"""Pictures behind any file system that fsspec knows."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from sightline.blobs.bundles import by_themselves, packed, unpacked, with_others
from sightline.blobs.file_errors import file_errors
from sightline.blobs.names import checked
from sightline.errors import SettingsError, StoreUnavailableError


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
        with file_errors(self._root):
            self._fs.pipe({self._path(key): data for key, data in pixels.items()})

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        if not keys:
            return []
        with file_errors(self._root):
            paths = [self._path(key) for key in keys]
            found: dict[str, Any] = self._fs.cat(paths, on_error="return")
        values = [found.get(path) for path in paths]
        for value in values:
            if isinstance(value, Exception) and not isinstance(value, FileNotFoundError):
                raise StoreUnavailableError(f"frame store {self._root}: {value}") from value
        return [value if isinstance(value, bytes) else None for value in values]

    def delete_many(self, keys: Iterable[str]) -> None:
        with file_errors(self._root):
            for key in keys:
                try:
                    self._fs.rm_file(self._path(key))
                except FileNotFoundError:
                    continue

    def put_bundle(self, name: str, pixels: Mapping[str, bytes]) -> None:
        if pixels:
            self.put_many({name: b"".join(packed({**self._bundle(name, None), **pixels}))})

    def get_bundle(self, name: str, keys: Sequence[str]) -> list[bytes | None]:
        return with_others(self, self._bundle(name, keys) if keys else {}, keys)

    def delete_bundles(self, bundles: Mapping[str, Sequence[str]]) -> None:
        for name, keys in bundles.items():
            self.delete_many([name, *by_themselves(name, keys)])

    def _bundle(self, name: str, keys: Sequence[str] | None) -> dict[str, bytes]:
        (data,) = self.get_many([name])
        return {} if data is None else unpacked(BytesIO(data), keys)

    def prune(self) -> int:
        if self._ttl_s is None:
            return 0
        freed = 0
        with file_errors(self._root):
            for path in self._paths_before(time.time() - self._ttl_s):
                self._fs.rm_file(path)
                freed += 1
        return freed

    def keys_before(self, time_s: float) -> Iterator[str]:
        with file_errors(self._root):
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
        return f"{self._root}/{checked(key)}"
