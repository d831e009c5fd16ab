"""Is the model right? Real systems with 1, 2 and 4 detect workers against what was predicted from one.

More workers than cores cannot be tried with a CPU model: they would compete for the cores. So a stub detects, which
sleeps in each call as long as a GPU would work, and each call takes one picture.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.capacity.cameras import Cameras
from sightline.capacity.costs import ServiceTimes
from sightline.capacity.load import Loader
from sightline.capacity.measure import BACKLOG, MANY, Tell, measure, read_contents
from sightline.capacity.simulation import Plan, simulate
from sightline.capacity.system import one_a_role, running
from sightline.local.machine import count_cores
from sightline.pipelines.built_in import DETECT
from sightline.settings import PREFIX
from sightline.testing import make_picture
from sightline.types import Pipeline

WORKERS = (1, 2, 4)
CALL_MS = 20
_MODELS = f'[models.simulated-gpu]\nkind = "stub"\nlabels = ["plate"]\ncall_ms = {CALL_MS}\n'
_FPS, _SEED = 5.0, 3
_LOAD = 0.7  #: of what was predicted, for the latency


@dataclass(frozen=True)
class Checked:
    """One row of the table."""

    workers: int
    predicted_frames_per_s: float
    measured_frames_per_s: float
    cameras: int  #: at 5 frames a second, for the latency
    predicted_p95_ms: float
    measured_p95_ms: float
    others_cores: float  #: kept busy by other processes meanwhile: they take from what is measured

    @property
    def frames_error(self) -> float:
        """Relative to what was measured."""
        return self.predicted_frames_per_s / self.measured_frames_per_s - 1

    @property
    def p95_error(self) -> float:
        return self.predicted_p95_ms / self.measured_p95_ms - 1


def check(seconds: float, tell: Tell) -> Iterator[Checked]:
    """Measure one worker of each role, then predict and run. Each takes some `seconds`, and its start.

    Raises:
        StoreUnavailableError: a system did not store what was published.
    """
    with tempfile.TemporaryDirectory(prefix="sightline-capacity-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for number in range(MANY):
            (folder / f"{number}.png").write_bytes(make_picture(f"KAB{number:04}"))
        models = folder / "models.toml"
        models.write_text(_MODELS)
        given: dict[str, Any] = {
            "models_file": models,
            "plates_model": "simulated-gpu",
            "text_model": "stub",
            "objects_model": "stub",
            "recognizer": "stub",
            "plates_recognizer": "",
            "max_batch_size": 1,
        }
        environment = os.environ | {PREFIX + key.upper(): str(value) for key, value in given.items()}
        times = measure(folder, given, environment, seconds, tell)
        for workers in WORKERS:
            tell(f"{workers} detect worker{'s' if workers > 1 else ''}")
            yield _check_one(folder, given, times, workers, seconds)


def _check_one(folder: Path, given: dict[str, Any], times: ServiceTimes, workers: int, seconds: float) -> Checked:
    counts = dict.fromkeys(times.roles, 1) | {DETECT.name: workers}
    plan = Plan(times, counts, count_cores())
    predicted = simulate(plan, BACKLOG, seed=_SEED)
    cameras = max(1, int(_LOAD * predicted.frames_per_s / _FPS))
    late = simulate(plan, Cameras(cameras, _FPS, _SEED), seed=_SEED)
    _, pictures = read_contents(folder, Pipeline.PLATES)
    with running(folder, one_a_role(counts), given=given) as system, closing(Loader(system, pictures)) as loader:
        system.run(pictures, 4 * workers * MANY, MANY)
        full = loader.saturate(BACKLOG, 2.0, seconds / 4)
        watched = loader.watch(Cameras(cameras, _FPS, _SEED), plan.tick_ms, 2.0, seconds / 2)
    return Checked(
        workers, predicted.frames_per_s, full.frames_per_s, cameras, late.p95_ms, watched.latency_ms, full.others_cores
    )
