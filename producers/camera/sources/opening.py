"""Which kind of source a URL asks for: a stream, a file or a USB camera."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

from producers.camera.sources.files import FileSource
from producers.camera.sources.source import Source, SourceOptions
from producers.camera.sources.streams import LIVE_SCHEMES, open_stream
from producers.camera.sources.usb import UsbSource
from producers.camera.sources.web import open_web
from sightline.errors import SourceError
from sightline.redaction import redact_url

_WEB_SCHEMES = ("http", "https")
STREAM_SCHEMES = (*LIVE_SCHEMES, *_WEB_SCHEMES)


def open_source(url: str, options: SourceOptions, stop: threading.Event) -> Source:
    """Open what `url` names: `rtsp://…`, `rtmp://…`, `http://…`, a video file, or a USB index such as `0`.

    Args:
        stop: ends the waits of a source that is paced.

    Raises:
        SourceError: the URL is of no kind we know, or what it names cannot be opened.
    """
    if url.isdecimal():
        return UsbSource(int(url), options)
    if is_file(url):
        return FileSource(file_path(url), options, stop)
    open_it = open_web if urlsplit(url).scheme in _WEB_SCHEMES else open_stream
    return open_it(url, options, stop)


def is_file(url: str) -> bool:
    """Whether `url` names a file: not a stream, not a USB index."""
    return not url.isdecimal() and urlsplit(url).scheme not in STREAM_SCHEMES


def file_path(url: str) -> Path:
    """The path behind a plain path or a `file://` URL.

    Raises:
        SourceError: it is a URL of another kind.
    """
    if "://" not in url:
        return Path(url)
    parts = urlsplit(url)
    if parts.scheme != "file":
        known = ", ".join(STREAM_SCHEMES)
        raise SourceError(f"{redact_url(url)}: use one of {known}, a video file, or a USB index such as 0")
    return Path(unquote(parts.path))
