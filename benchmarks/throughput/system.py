"""Sightline as `sightline.capacity.system` starts it: one process a role, or one for all, and a look at its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.throughput.work import Work
from sightline.capacity.system import System, one_a_role
from sightline.capacity.system import running as running_in
from sightline.pipelines import registry
from sightline.types import Pipeline
from storage.database.opening import open_database
from storage.tables import Readings

__all__ = ["MODELS", "ROOT", "STUBS", "System", "count_readings", "running"]

ROOT = Path(__file__).parents[2]
STUBS = {"plates_model": "stub", "text_model": "stub", "objects_model": "stub", "recognizer": "stub"}
#: As the settings are, but for the models of other pipelines, which nobody asks for, and pictures: no entry keeps any.
MODELS = {"text_model": "stub", "objects_model": "stub"}


@contextmanager
def running(
    work: Work,
    *,
    given: Mapping[str, Any],
    fused: bool = False,
    api: bool = False,
    app: str = "workers.app",
    detectors: int = 1,
) -> Iterator[System]:
    """Start everything, in a folder of its own, and end it. `fused`: all roles in one process; `api`: with it.

    `app` is the module of the workers' Celery app; `detectors`: so many processes detect.
    """
    workers = {"worker": registry().roles_of(Pipeline.PLATES)} if fused else one_a_role({"detect": detectors})
    with running_in(work.folder, workers, given=given, api=api, app=app) as system:
        yield system


def count_readings(system: System) -> int:
    database = open_database(system.settings.sqlalchemy_url)
    with database.read() as connection:
        found = connection.scalar(sa.select(sa.func.count()).select_from(Readings))
    database.close()
    return int(found or 0)
