"""Starts the server that somebody else made, in an interpreter of its own, and ends it with all that it started."""

from __future__ import annotations

import os
import site
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.throughput.peers.peer_model import PACKAGES
from benchmarks.throughput.system import ROOT

TIMEOUT_S, _GRACE_S = 300, 15


def why_not(name: str, packages: Sequence[str], python: Path | None) -> str:
    """Why a peer is left out, or ""."""
    if python is not None:
        code = f"import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, {tuple(packages)!r})))"
        if subprocess.run([python, "-c", code], check=False).returncode == 0:
            return ""
    return f"{name}: left out: not installed (--peers-python names an interpreter that has it, and python-multipart)"


@contextmanager
def serving(
    python: Path, module: str, parent: Path, port: int, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """`python -m MODULE PORT FOLDER` in a new folder in `parent`. Gives the process and its log."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    log = folder / "log"
    given = {PACKAGES: os.pathsep.join(site.getsitepackages()), "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    with log.open("wb") as file:
        command = [str(python), "-m", module, str(port), str(folder)]
        server = subprocess.Popen(command, cwd=folder, env=os.environ | given | environment, stdout=file, stderr=file)
    try:
        yield server, log
    finally:
        _end(server)


def wait_for(server: subprocess.Popen[bytes], post: Callable[[int], int], log: Path) -> None:
    """Until it answers. Raises RuntimeError with its log where it never does."""
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until and server.poll() is None:
        with suppress(httpx.HTTPError):
            post(0)
            return
        time.sleep(0.2)
    raise RuntimeError(f"the peer does not answer\n{log.read_text(errors='replace')[-3000:]}")


def family(server: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The server and all that it started."""
    parent = psutil.Process(server.pid)
    return [parent, *parent.children(recursive=True)]


def _end(server: subprocess.Popen[bytes]) -> None:
    """With all that it started: neither peer is sure to end its own children."""
    children = family(server)[1:] if server.poll() is None else []
    server.terminate()
    with suppress(subprocess.TimeoutExpired):
        server.wait(_GRACE_S)
    for process in psutil.wait_procs(children, timeout=_GRACE_S)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    server.kill()
    server.wait(10)
