"""Sightline's own figures: with models, in bundles of 1, 8 and 32 frames, and without, where queues cost all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.throughput import limit
from benchmarks.throughput.samples import Sample
from benchmarks.throughput.system import MODELS, STUBS, System, count_readings, running
from benchmarks.throughput.work import Work
from sightline.testing import make_picture

BUNDLES = (1, 8, 32)
_WARM_UP_FRAMES = 32
_NULL_TIMES, _NULL_LEAST = 8, 256  #: frames without models, for each with them, and at least


def measure_sightline(work: Work) -> list[Sample]:
    """One process a role, then all roles in one process; on SQLite, then on PostgreSQL if there is one."""
    found: list[Sample] = []
    for database in ("", work.postgres) if work.postgres else ("",):
        for fused in (False, True):
            found.extend(_with_models(work, fused=fused, database=database))
    return found


def measure_null(work: Work) -> list[Sample]:
    """Frames a second and worker process that pass through the queues when models take no time."""
    return [_null(work, fused=fused) for fused in (False, True)]


def _with_models(work: Work, *, fused: bool, database: str) -> Iterator[Sample]:
    given: Mapping[str, Any] = MODELS | ({"database_url": database} if database else {})
    where = "1 process" if fused else "3 roles"
    name = f"sightline, {where}{', PostgreSQL' if database else ''}"
    with running(work, given=given, fused=fused) as system:
        system.run(work.pictures, _WARM_UP_FRAMES, 8)
        for bundle in BUNDLES:
            before, meter = count_readings(system), system.meter()
            system.run(work.pictures, work.frames, bundle)
            speed, cpu_ms = work.frames / meter.wall_s(), meter.cpu_ms(work.frames)
            readings = (count_readings(system) - before) / work.frames
            yield Sample(f"{name}, bundle {bundle}", speed, "frames/s", limit.NAME, cpu_ms, readings)


def _null(work: Work, *, fused: bool) -> Sample:
    frames = max(_NULL_TIMES * work.frames, _NULL_LEAST)
    picture = [make_picture("AB123CD", width=64, height=48)]  # small: decoding is not what is measured
    with running(work, given=STUBS, fused=fused) as system:
        system.run(picture, _WARM_UP_FRAMES, 8)
        meter = system.meter()
        system.run(picture, frames, BUNDLES[-1])
        speed, cpu_ms = frames / meter.wall_s() / _workers(system), meter.cpu_ms(frames)
    name = f"null, {'1 process' if fused else '3 roles'}, per process"
    return Sample(name, speed, "frames/s", limit.NAME, cpu_ms)


def _workers(system: System) -> int:
    return len(system.processes.keys() - {"redis", "api"})
