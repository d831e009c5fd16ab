"""Starts real RTSP servers: GStreamer's, from the system's packages."""

from __future__ import annotations

import os
import select
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

PASSWORD: Final = "s3cret"
_SERVER = Path(__file__).with_name("rtsp_server.py")
#: GStreamer's Python bindings come with the system, not with the virtual environment.
_SYSTEM_PYTHON = Path("/usr/bin/python3")

#: Serves a clip (H.264 in MP4) on a port, at `rtsp_url(port)`; with `password` and `transport` ("udp": by no other).
ServeRtsp = Callable[..., "subprocess.Popen[str]"]


def rtsp_url(port: int) -> str:
    return f"rtsp://viewer:{PASSWORD}@127.0.0.1:{port}/clip"


@contextmanager
def rtsp_servers() -> Iterator[ServeRtsp]:
    """All servers that were started are killed at the end."""
    servers: list[subprocess.Popen[str]] = []

    def start(clip: Path, port: int, *, password: str = PASSWORD, transport: str = "") -> subprocess.Popen[str]:
        if not _SYSTEM_PYTHON.exists():
            _no_server("there is no /usr/bin/python3")
        command = [_SYSTEM_PYTHON, _SERVER, clip, str(port), "viewer", password, transport]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        servers.append(server)
        assert server.stdout is not None
        assert select.select([server.stdout], [], [], 20)[0], "the RTSP server does not start"
        if server.stdout.readline() != "ready\n":
            assert server.wait(5) == 77
            _no_server("GStreamer's RTSP server is not installed; see tests/acceptance/parts/rtsp_server.py")
        return server

    yield start
    for server in servers:
        server.kill()
        server.wait(5)
        if server.stdout is not None:
            server.stdout.close()


def _no_server(why: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)
