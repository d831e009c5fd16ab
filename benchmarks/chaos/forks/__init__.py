"""A pipeline that forks, cuts shards and joins, brought to the processes under test as a package brings one.

`find` looks for the plate of each picture, and beside it `spell` reads its text, some pictures a shard; `match` joins
both, and says the texts one by one while it does. So a stored frame has the one detection and the one reading that its
picture shows, as in the other pipelines.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import invalidate_caches
from pathlib import Path
from typing import Final

from sightline import entry_points
from sightline.pipelines import PipelineSpec, StageSpec, registry
from sightline.types import FrameResult, Pipeline

FORKS: Final = Pipeline("find-and-spell")
SPEC: Final = PipelineSpec(
    FORKS,
    accepts=("image",),
    result=FrameResult,
    stages=(
        StageSpec("find", "cpu.find", "benchmarks.chaos.forks.find"),
        StageSpec("spell", "cpu.spell", "benchmarks.chaos.forks.spell", after=(), shards=True),
        StageSpec("match", "cpu.match", "benchmarks.chaos.forks.match", after=("find", "spell"), streams=True),
    ),
)


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """The pipeline is there, as pip leaves a package: in this process, and in those with the folder on PYTHONPATH."""
    info = folder / "chaos_forks-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chaos-forks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{entry_points.PIPELINES}]\n{FORKS} = {__name__}:SPEC\n")
    sys.path.insert(0, str(folder))
    _look_again()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        _look_again()


def _look_again() -> None:
    invalidate_caches()
    entry_points.found.cache_clear()
    registry.cache_clear()
