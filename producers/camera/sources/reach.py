"""Where the address of a camera may lead to.

Who adds a camera is trusted with the address that he writes: it may be of his own network, or of this machine. What
answers there is not: it may redirect to, or list in a playlist, only what a picture URL might name.
"""

from __future__ import annotations

import socket
from typing import Final

import httpx

from producers.api.uploads.addresses import Address, is_allowed, is_private, may_be_camera, parse_address
from sightline.errors import SourceError
from sightline.redaction import redact_url
from sightline.video.words import explain_name

_PORTS: Final = {"http": 80, "https": 443, "rtsp": 554, "rtsps": 322, "rtmp": 1935, "rtmps": 443, "srt": None}


class Reach:
    """The address of one camera, as it was written, and what may follow from it."""

    def __init__(self, url: httpx.URL, *, allow_private: bool) -> None:
        """Raises `SourceError`: its host is not known, or is nothing that may be a camera."""
        self._origin = _origin(url)
        self._url = url
        for address in (written := _resolve(url)):
            if not may_be_camera(address):
                raise SourceError(f"{_shown(url)}: its address {address} cannot be that of a camera")
        self._written = written
        self._private = allow_private or all(map(is_private, written))

    def is_written(self, url: httpx.URL) -> bool:
        """Whether it is the same server as was written, so that it may be told the password."""
        return _origin(url) == self._origin

    def addresses_of(self, url: httpx.URL) -> list[Address]:
        """The addresses to connect to.

        Raises:
            SourceError: it is of another server, and that is none the camera may send us to.
        """
        if self.is_written(url):
            return self._written
        if url.scheme not in ("http", "https"):
            raise SourceError(f"{_shown(self._url)}: it leads to {_shown(url)}; only http and https are followed")
        addresses = _resolve(url)
        for address in addresses:
            if not is_allowed(address, private=self._private):
                raise SourceError(
                    f"{_shown(self._url)}: it leads to {_shown(url)} at {address}, which is not followed; if you trust "
                    "that, give its address as the camera's"
                )
        return addresses


def _origin(url: httpx.URL) -> tuple[str, int | None]:
    return url.host, url.port or _PORTS.get(url.scheme)


def _resolve(url: httpx.URL) -> list[Address]:
    try:
        found = socket.getaddrinfo(url.host, url.port or _PORTS.get(url.scheme), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{_shown(url)}: {explain_name(url.host)}") from error
    return list(dict.fromkeys(parse_address(str(entry[4][0])) for entry in found))


def _shown(url: httpx.URL) -> str:
    return redact_url(str(url))
