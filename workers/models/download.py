"""Fetch one file over HTTPS: bounded, checked, and there as a whole or not at all.

What a cut connection brought is kept, and the rest is asked for. Processes that want the same file at the same time
wait for the one that came first.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import httpx

log = logging.getLogger(__name__)

MAX_DOWNLOAD_MB = 2048
_TIMEOUT = httpx.Timeout(30, connect=10)
_CHUNK = 1 << 16
_PAUSES_S = (1.0, 2.0, 4.0)  #: after connections that brought nothing
_MOST_CUTS = 50
_PARTIAL_CONTENT, _RANGE_NOT_SATISFIABLE = 206, 416

#: Told how many bytes are here, and how many there will be; 0: nobody knows.
Progress = Callable[[int, int], None]


def download(
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    max_mb: float = MAX_DOWNLOAD_MB,
    progress: Progress | None = None,
    transport: httpx.BaseTransport | None = None,
) -> str:
    """Fetch `url` into `target`; returns its sha256. Without `progress`, that goes to the log.

    What an earlier process began is gone on with if the sum is known: only then a mix of two files would be noticed.

    Raises:
        OSError: not reachable, refused, too large, another checksum, or not writable. `target` is untouched then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _part_of(target) as (part, is_done):
        if is_done:
            return sum_of(target)
        is_worth_keeping = sha256 is not None
        if not is_worth_keeping:
            part.truncate(0)
        try:
            _fill(part, url, max_mb, progress or _log_progress(url), transport)
            is_worth_keeping = False
            actual = sum_of(Path(part.name))
            if sha256 is not None and actual != sha256:
                raise OSError(f"damaged on the way: expected sha256 {sha256}, got {actual}")
            os.fchmod(part.fileno(), 0o644)
            os.fsync(part.fileno())
            Path(part.name).replace(target)
            return actual
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        finally:
            if _is_at(Path(part.name), part) and not (is_worth_keeping and part.seek(0, os.SEEK_END)):
                Path(part.name).unlink()


def sum_of(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _part_of(target: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """As much of the file as is here, for this process alone; and whether another one finished it meanwhile."""
    path, has_waited = target.with_name(f".{target.name}.part"), False
    while True:
        with path.open("a+b", buffering=0) as part:
            try:
                fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.info("waiting for another process that fetches %s", target.name)
                has_waited = True
                fcntl.flock(part, fcntl.LOCK_EX)
            if _is_at(path, part):
                is_done = has_waited and target.is_file()
                if is_done:
                    path.unlink()
                yield part, is_done
                return


def _is_at(path: Path, file: BinaryIO) -> bool:
    """Whether the open file is still the one of that name: its last owner may have renamed or deleted it."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _fill(part: BinaryIO, url: str, max_mb: float, progress: Progress, transport: httpx.BaseTransport | None) -> None:
    """Fetch what is missing, over as many connections as it takes while they bring something."""
    etag, came, cuts, idle = "", 0, 0, 0
    hooks = {"request": [_require_https]}
    with httpx.Client(follow_redirects=True, timeout=_TIMEOUT, transport=transport, event_hooks=hooks) as client:
        while True:
            before = part.seek(0, os.SEEK_END)
            try:
                with client.stream("GET", url, headers=_asking(before, etag)) as response:
                    etag = etag or response.headers.get("etag", "")
                    if _append(part, response, max_mb, progress):
                        return
            except httpx.TransportError as error:
                now = part.seek(0, os.SEEK_END)
                came, cuts, idle = came + max(0, now - before), cuts + 1, 0 if now > before else idle + 1
                if not came or cuts > _MOST_CUTS or idle > len(_PAUSES_S):
                    raise
                log.info("connection to %s lost (%s), going on after %.1f MB", url, type(error).__name__, now / 1e6)
                time.sleep(_PAUSES_S[idle - 1] if idle else 0)


def _asking(begin: int, etag: str) -> dict[str, str]:
    """For the bytes from `begin` on, if it is still the same file. Never compressed: bytes are counted."""
    headers = {"Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    if begin and etag and not etag.startswith("W/"):
        headers["If-Range"] = etag
    return headers


def _append(part: BinaryIO, response: httpx.Response, max_mb: float, progress: Progress) -> bool:
    """Add what the response brings. False: what is here does not fit to it, and is gone: ask for all.

    Raises:
        httpx.HTTPError: refused, or cut.
        OSError: too large.
    """
    size = part.seek(0, os.SEEK_END)
    is_rest = response.status_code == _PARTIAL_CONTENT
    is_beyond = response.status_code == _RANGE_NOT_SATISFIABLE
    if size and (is_beyond or (is_rest and not _begins_at(size, response))):
        part.truncate(0)
        return False
    response.raise_for_status()
    if not is_rest:  # the whole file, whatever was asked for
        part.truncate(0)
        size = 0
    total = size + int(response.headers.get("content-length", 0)) if "content-length" in response.headers else 0
    _require_small(part, total, max_mb)
    for chunk in response.iter_bytes(_CHUNK):
        part.write(chunk)
        size += len(chunk)
        _require_small(part, size, max_mb)
        progress(size, total)
    return True


def _begins_at(size: int, response: httpx.Response) -> bool:
    return response.headers.get("content-range", "").startswith(f"bytes {size}-")


def _require_small(part: BinaryIO, size: int, max_mb: float) -> None:
    if size > max_mb * 1e6:
        part.truncate(0)
        raise OSError(f"larger than {max_mb:g} MB")


def _require_https(request: httpx.Request) -> None:
    if request.url.scheme != "https":
        raise OSError(f"redirected away from https to {request.url}")


def _log_progress(url: str) -> Progress:
    """One line for the beginning, and one for each tenth."""
    shown = -1

    def show(size: int, total: int) -> None:
        nonlocal shown
        tenth = size * 10 // total if total else 0
        if tenth > shown:
            shown = tenth
            log.info("downloading %s: %s", url, f"{tenth * 10}% of {total / 1e6:.1f} MB" if total else "size unknown")

    return show
