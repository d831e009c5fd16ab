"""Fetch one file over HTTPS: bounded, checked, and there as a whole or not at all."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

log = logging.getLogger(__name__)

MAX_DOWNLOAD_MB = 2048
_TIMEOUT_S = 30
_CHUNK = 1 << 20


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    max_mb: float = MAX_DOWNLOAD_MB,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Fetch `url` into `target`; progress goes to the log. Other processes may do the same at the same time.

    Raises:
        OSError: not reachable, refused, too large, another checksum, or not writable. `target` is untouched then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    temporary = Path(name)
    try:
        digest = hashlib.sha256()
        with os.fdopen(handle, "wb") as file:
            for chunk in _chunks(url, max_mb, transport):
                digest.update(chunk)
                file.write(chunk)
        if sha256 is not None and digest.hexdigest() != sha256:
            raise OSError(f"damaged on the way: expected sha256 {sha256}, got {digest.hexdigest()}")
        temporary.chmod(0o644)
        temporary.replace(target)
    except httpx.HTTPError as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _chunks(url: str, max_mb: float, transport: httpx.BaseTransport | None) -> Iterator[bytes]:
    with (
        httpx.Client(
            follow_redirects=True, timeout=_TIMEOUT_S, transport=transport, event_hooks={"request": [_require_https]}
        ) as client,
        client.stream("GET", url) as response,
    ):
        response.raise_for_status()
        total = int(response.headers.get("content-length", 0))
        received, shown = 0, 0
        log.info("downloading %s (%s MB)", url, f"{total / 1e6:.1f}" if total else "?")
        for chunk in response.iter_bytes(_CHUNK):
            received += len(chunk)
            if received > max_mb * 1e6:
                raise OSError(f"larger than {max_mb:g} MB")
            if total and received * 10 // total > shown:
                shown = received * 10 // total
                log.info("downloading %s: %d%%", url, shown * 10)
            yield chunk


def _require_https(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise OSError(f"redirected away from https to {request.url}")
