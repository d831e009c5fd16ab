"""Sightline's own figures: with models, in bundles of 1, 8 and 32 frames, and without, where queues cost all."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.throughput import limit
from benchmarks.throughput.pace import Pace
from benchmarks.throughput.samples import Sample
from benchmarks.throughput.system import MODELS, STUBS, System, count_readings, running
from benchmarks.throughput.work import Work
from sightline.testing import make_picture
from sightline.types import Detection
from workers.pixels import images

BUNDLES = (1, 8, 32)
WARM_UP_FRAMES = 32
NULL_PICTURE = make_picture("AB123CD", width=64, height=48)  #: nobody looks at it
_PLATE = Detection(xyxy=(600, 400, 720, 430), label="plate", class_id=0, confidence=0.9)
#: Frames without models, for each with them, and no more: seconds of them, lest the beginning and the end count.
_NULL_TIMES, _NULL_MOST = 32, 12_288
_NULL_WARM_UP_FRAMES = 512


def measure_sightline(work: Work) -> list[Sample]:
    """One process a role, then all roles in one process; that on PostgreSQL too if there is one."""
    found = [*_with_models(work, fused=False, database=""), *_with_models(work, fused=True, database="")]
    if work.postgres:
        found.extend(_with_models(work, fused=True, database=work.postgres))
    return found


def measure_null(work: Work) -> list[Sample]:
    """Frames a second and worker process that pass through the queues, and what pixels cost, which is not in them."""
    return [*(_null(work, fused=fused) for fused in (False, True)), _pixels(work)]


def _with_models(work: Work, *, fused: bool, database: str) -> Iterator[Sample]:
    given: Mapping[str, Any] = MODELS | ({"database_url": database} if database else {})
    where = "1 process" if fused else "3 roles"
    name = f"sightline, {where}{', PostgreSQL' if database else ''}"
    with running(work, given=given, fused=fused) as system:
        for bundle in BUNDLES:
            system.run(work.pictures, max(WARM_UP_FRAMES, 2 * bundle), bundle)
            before, pace, meter = count_readings(system), Pace(work.limit_now), system.meter()
            system.run(work.pictures, work.frames, bundle)
            speed, cpu_ms = work.frames / meter.wall_s(), meter.cpu_ms(work.frames)
            base, readings = pace.base(), (count_readings(system) - before) / work.frames
            yield Sample(f"{name}, bundle {bundle}", speed, "frames/s", limit.NAME, cpu_ms, readings, base)


def _null(work: Work, *, fused: bool) -> Sample:
    frames = min(_NULL_TIMES * work.frames, _NULL_MOST)
    with running(work, given=STUBS, fused=fused, app="benchmarks.throughput.null") as system:
        system.run([NULL_PICTURE], min(_NULL_WARM_UP_FRAMES, frames), BUNDLES[-1])
        meter = system.meter()
        system.run([NULL_PICTURE], frames, BUNDLES[-1])
        speed, cpu_ms = frames / meter.wall_s() / _workers(system), meter.cpu_ms(frames)
    name = f"null, {'1 process' if fused else '3 roles'}, per process"
    return Sample(name, speed, "frames/s", limit.NAME, cpu_ms)


def _pixels(work: Work) -> Sample:
    """What the stages do with the pixels of a frame with one plate, in one thread: `null` leaves it out."""
    spent: dict[str, float] = {"decode": 0.0, "cut": 0.0, "read back": 0.0}
    for picture in work.pictures:
        began_at = time.thread_time()
        image = images.decode(picture, max_mpx=50, max_mb=20)
        decoded_at = time.thread_time()
        crop = images.encode_jpeg(images.crop(image, _PLATE, margin=0.12), quality=95)
        cut_at = time.thread_time()
        images.sharpness(images.decode(crop, max_mpx=50, max_mb=20))
        ended_at = time.thread_time()
        for name, took_s in zip(spent, (decoded_at - began_at, cut_at - decoded_at, ended_at - cut_at), strict=True):
            spent[name] += took_s * 1000 / len(work.pictures)
    return Sample("pixels of a frame", sum(spent.values()), "ms", limit.NAME, spent)


def _workers(system: System) -> int:
    return len(system.processes.keys() - {"redis", "api"})
