"""Photos, recordings and texts that are no files here: standard input (`-`) and URLs."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

import httpx

from sightline.errors import BadImageError, SourceError
from sightline.images.header import ImageLimits
from sightline.submission.jobs import NewFrame
from sightline.submission.sounds import NewSound
from sightline.submission.texts import NewText, decode_text

STDIN: Final = "-"
_TIMEOUT_S: Final = 30.0


def is_remote(what: str) -> bool:
    return what == STDIN or what.lower().startswith(("http://", "https://"))


def read_remote(what: str, limits: ImageLimits) -> NewFrame:
    """One photo. Of a URL it was taken when its EXIF says, else when the server says that it was last modified.

    Raises:
        BadImageError: it is larger than the limit; no more than that is read.
        SourceError: nothing is there, or it cannot be fetched.
    """
    most = int(limits.max_mb * 1_000_000)
    if what == STDIN:
        data = _read_stdin(most)
        return NewFrame.photo(_bounded(data, most, what), "stdin", limits=limits)
    data, modified_at = _fetch(what, most)
    name = PurePosixPath(unquote(urlsplit(what).path)).name
    return NewFrame.photo(_bounded(data, most, what), name, limits=limits, modified_at=modified_at)


def read_remote_sound(what: str, max_mb: float) -> NewSound:
    """One recording, of the time when the server says that it was last modified, else of now.

    Raises SourceError: nothing is there, or it cannot be fetched.
    """
    most = int(max_mb * 1_000_000)
    if what == STDIN:
        return NewSound(_read_stdin(most), datetime.now(UTC), "stdin", time_from="received")
    data, modified_at = _fetch(what, most)
    name = PurePosixPath(unquote(urlsplit(what).path)).name
    return NewSound(data, modified_at or datetime.now(UTC), name, time_from="file" if modified_at else "received")


def read_stdin_text(max_mb: float) -> NewText:
    """Raises SourceError where nothing is piped in, BadMessageError where that is no UTF-8."""
    data = _read_stdin(int(max_mb * 1_000_000))
    return NewText(decode_text(data, "stdin"), datetime.now(UTC), "stdin", time_from="received")


def _read_stdin(most: int) -> bytes:
    if sys.stdin.isatty():
        raise SourceError("-: standard input is this terminal; pipe a photo or a text into the command")
    return sys.stdin.buffer.read(most + 1)


def _fetch(url: str, most: int) -> tuple[bytes, datetime | None]:
    data = bytearray()
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT_S) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                data += part
                if len(data) > most:
                    break
            return bytes(data), _moment(response.headers.get("last-modified"))
    except httpx.HTTPStatusError as error:
        raise SourceError(f"{url}: the server answered {error.response.status_code}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SourceError(f"{url}: cannot be fetched: {error}") from error


def _bounded(data: bytes, most: int, what: str) -> bytes:
    if len(data) > most:
        raise BadImageError(f"{what}: more than {most / 1_000_000:g} MB; send it smaller, or a video as a file")
    return data


def _moment(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text or "").astimezone(UTC)
    except (ValueError, OverflowError):
        return None
