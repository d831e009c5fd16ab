"""A clock of its own for a process, by libfaketime: what it shows can be stepped while the process runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

STEP_S = 3600
_LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/local/lib/faketime/libfaketimeMT.so.1")


def find_library() -> Path | None:
    return next((found for pattern in _LIBRARIES for found in Path("/").glob(pattern.lstrip("/"))), None)


def environment(folder: Path, name: str) -> Mapping[str, str]:
    """What a process needs so that `step` works; nothing where the library is missing."""
    library = find_library()
    if library is None:
        return {}
    step(folder, name, 0)
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(_file(folder, name)),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_CACHE_DURATION": "1",
    }


def step(folder: Path, name: str, seconds: int) -> None:
    """Within a second the process's clock is so much ahead of the true one."""
    fresh = _file(folder, name).with_suffix(".new")
    fresh.write_text(f"{seconds:+d}\n")
    fresh.replace(_file(folder, name))


def _file(folder: Path, name: str) -> Path:
    return folder / f"clock-{name}.txt"
