"""A clock of its own for a Python process: what it shows can be stepped while the process runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

STEP_S: Final = 3600
_HOOK = Path(__file__).parents[1] / "stepped"


def environment(folder: Path, name: str, path: str = "") -> Mapping[str, str]:
    """What a process needs so that `step` works. `path`: what it has on its PYTHONPATH besides."""
    step(folder, name, 0)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(_HOOK), path))), "CHAOS_CLOCK": str(_file(folder, name))}


def step(folder: Path, name: str, seconds: float) -> None:
    """From now on the process's clock is so much ahead of the true one."""
    fresh = _file(folder, name).with_suffix(".new")
    fresh.write_text(f"{seconds}\n")
    fresh.replace(_file(folder, name))


def _file(folder: Path, name: str) -> Path:
    return folder / f"clock-{name}.txt"
