"""Packages of other people, as pip leaves them, for the time of a test."""

from __future__ import annotations

import sys
from pathlib import Path

from sightline import entry_points
from sightline.pipelines import registry


def forget_packages() -> None:
    """Have them looked for again."""
    registry.cache_clear()
    entry_points.found.cache_clear()


def write_package(folder: Path, name: str, code: str, **points: str) -> None:
    """A package of one module. `points`: `pipelines="damage = our_damage:SPEC"` for the group `sightline.pipelines`."""
    (folder / f"{name}.py").write_text(code)
    for known in [each for each in sys.modules if each.partition(".")[0] == name]:
        del sys.modules[known]  # another test had a package of this name
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("".join(f"[sightline.{group}]\n{line}\n" for group, line in points.items()))
    forget_packages()
