"""Everything by way of a Redis that listens on a socket of the machine, and nowhere else."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sightline.client.client import Sightline
from sightline.types import JobStatus
from tests.acceptance.parts.system import System
from tests.conftest import redis_program


@pytest.fixture
def socket_url() -> Iterator[str]:
    with TemporaryDirectory() as folder:  # a path of pytest's may be too long for a socket
        path = Path(folder, "redis.sock")
        process = subprocess.Popen(
            [redis_program(), "--port", "0", "--unixsocket", path, "--dir", folder, "--save", ""],
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < until
            time.sleep(0.05)
        yield f"unix://{path}?db=1"
        process.terminate()
        process.wait(10)


def test_a_job_is_stored(socket_url: str, tmp_path: Path, photo: Callable[[str, int], bytes]) -> None:
    system = System(tmp_path, socket_url, frames_url=socket_url, plates_model="stub", recognizer="stub")
    try:
        system.start("worker")
        with Sightline(system.settings) as client:
            assert client.submit(photo("KAB 4721", 1)).wait(60).status is JobStatus.STORED, system.log("worker")
    finally:
        system.stop()
