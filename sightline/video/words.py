"""What FFmpeg's errors mean for who reads them, and what to do."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import av.error

_STATUS_WORDS: Final = {
    403: "it refuses this user (403); allow him to see the stream, in the camera's settings",
    404: "there is no such stream there (404); look up its path in the camera's manual",
    429: "it has too many viewers or requests (429)",
    500: "it answers with an error of its own (5xx); look at the camera, or restart it",
}
_STATUS_OF: Final[dict[type[Exception], int]] = {
    av.error.HTTPUnauthorizedError: 401,
    av.error.HTTPForbiddenError: 403,
    av.error.HTTPNotFoundError: 404,
    av.error.HTTPTooManyRequestsError: 429,
    av.error.HTTPServerError: 500,
}
_OS_WORDS: Final = {
    errno.ECONNREFUSED: "nothing answers at this port; is the port right, and the camera's service on?",
    errno.EHOSTUNREACH: "no way leads to this address; is the camera on, and in this network?",
    errno.ENETUNREACH: "no way leads to this address; is this machine in the camera's network?",
    errno.ECONNRESET: "it closed the connection",
    errno.EPIPE: "it closed the connection",
    errno.EPROTONOSUPPORT: "it offers neither RTP over TCP nor over UDP",
}


def explain(error: Exception, url: str, *, was_open: bool) -> str:
    """What went wrong with a stream, when it was opened or after that, and the cure where one is known."""
    parts = urlsplit(url)
    for kind, status in _STATUS_OF.items():
        if isinstance(error, kind):
            return explain_status(status, has_password="@" in parts.netloc)
    if isinstance(error, av.error.ProtocolNotFoundError):
        return (
            f"FFmpeg was built here without {parts.scheme}; let a relay such as MediaMTX turn the stream into rtsp, or "
            "install PyAV over an FFmpeg that has it"
        )
    if isinstance(error, OSError):
        if error.errno == errno.EIO and parts.hostname and not _is_known(parts.hostname):
            return explain_name(parts.hostname)
        if error.errno in _OS_WORDS:
            return _OS_WORDS[error.errno]
    if getattr(error, "errno", 0) == errno.EIO and was_open:
        return "the connection broke"
    if isinstance(error, av.error.InvalidDataError | av.error.EOFError) or getattr(error, "errno", 0) == errno.EIO:
        return "what comes from there is damaged" if was_open else "what comes from there is no video that can be read"
    return getattr(error, "strerror", None) or str(error)


def explain_status(status: int, *, has_password: bool) -> str:
    """What a status above 299 of a camera's HTTP or RTSP server means."""
    if status == 401:
        if has_password:
            return "user name or password is wrong (401)"
        return "it wants a user name and a password (401): write user:password@ in front of the host"
    return _STATUS_WORDS.get(500 if status >= 500 else status, f"it answers with the status {status}")


def explain_name(host: str) -> str:
    """There is no address to this name."""
    return f"the name {host!r} is not known; check how it is written, or give the address in digits"


def explain_file(error: Exception, path: str) -> str:
    """What is wrong with a file that cannot be opened or read."""
    if not isinstance(error, av.error.InvalidDataError | av.error.ArgumentError):  # of no kind, or of none we take
        return getattr(error, "strerror", None) or str(error)
    start = _start_of(path)
    if not start:
        return "the file is empty (0 bytes)"
    if start[4:8] == b"ftyp":
        return "its index is missing: the recording was cut off or never finished"
    return "the file is damaged or no video"


def _start_of(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(8)
    except OSError:
        return b"?"


def _is_known(host: str) -> bool:
    """Asked after a failure only. FFmpeg calls an unknown name an input/output error."""
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
