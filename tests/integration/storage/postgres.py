"""A PostgreSQL server of our own for one test run: real binaries, a temporary folder, a Unix socket, no port."""

from __future__ import annotations

import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.chaos.machine.postgres import find_binaries, prepare_postgres

__all__ = ["find_binaries", "running_server"]

START_TIMEOUT_S = 20


@contextmanager
def running_server(binaries: Path, *, durable: bool = False) -> Iterator[str]:
    """Start a server and give the URL of its database `postgres`; stop it and remove its folder at the end.

    `durable`: as in earnest, for who measures writes.
    """
    with tempfile.TemporaryDirectory(prefix="sightline-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # Otherwise no fsync: the folder does not outlive the run.
        options = () if durable else ("-F",)
        postgres = prepare_postgres(binaries, folder, *options, "-c", "max_connections=60")
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(postgres.command, stdout=log, stderr=log, cwd=folder, **postgres.user)
        try:
            yield _wait_until_ready(postgres.url, server, folder / "log")
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.send_signal(3)  # SIGQUIT: PostgreSQL's immediate shutdown
                server.wait(10)


def _wait_until_ready(url: str, server: subprocess.Popen[Any], log: Path) -> str:
    import psycopg

    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            psycopg.connect(url).close()
            return url
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from error
            time.sleep(0.05)
