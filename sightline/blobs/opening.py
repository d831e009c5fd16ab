"""Opens the frame store behind a URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from sightline.blobs.folder import FolderFrameStore
from sightline.blobs.fsspec import FsspecFrameStore
from sightline.blobs.redis import RedisFrameStore
from sightline.blobs.store import FrameStore

_REDIS_SCHEMES = ("redis", "rediss", "unix", "sentinel")


def open_frame_store(url: str, *, ttl_s: float | None) -> FrameStore:
    """The store behind `url`: `redis://`, `sentinel://`, `file:///folder`, or any fsspec URL such as `s3://bucket/prefix`.

    Raises:
        SettingsError: the URL's scheme is unknown or its library is not installed.
    """
    scheme = urlsplit(url).scheme
    if scheme in _REDIS_SCHEMES:
        return RedisFrameStore(url, ttl_s)
    if scheme == "file":
        return FolderFrameStore(Path(unquote(urlsplit(url).path)), ttl_s)
    return FsspecFrameStore(url, ttl_s)
