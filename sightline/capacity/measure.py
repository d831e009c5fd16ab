"""Service times of this machine: the models alone, then the whole system with little and with too much to do.

CPU time of a role in jobs of one and of several frames gives, less that of its model, the price of a message and of
a frame. Saturated, the same work costs more (cores share caches and clock) or less (writers share transactions): prices
are scaled to what it was then, because that is what limits.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from sightline.capacity.cameras import Cameras
from sightline.capacity.costs import ModelTime, Price, RoleTimes, ServiceTimes
from sightline.capacity.load import Loaded, Loader
from sightline.capacity.route import Route
from sightline.capacity.simulation import Backlog, Plan, simulate
from sightline.capacity.system import one_a_role, running
from sightline.errors import SourceError
from sightline.local.checkout import run_once
from sightline.local.machine import count_cores
from sightline.pipelines import Medium, registry
from sightline.submission.texts import TEXT_SUFFIXES
from sightline.types import Pipeline

#: Frames in a job of many, and what is open when there is always something to do.
MANY = 8
BACKLOG = Backlog(bundle=MANY, most_open=128)

#: Where the time goes, as shares of the seconds that were given; the rest is for starting.
_MODELS, _ONE, _MANY, _WARM_UP, _SATURATED = 0.15, 0.12, 0.15, 0.05, 0.25
_LEAST_SCALE, _MOST_SCALE = 0.5, 3.0
#: What of a folder is taken for what.
SUFFIXES: Mapping[Medium, tuple[str, ...]] = {
    "image": (".jpg", ".jpeg", ".png", ".webp"),
    "audio": (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus"),
    "text": tuple(sorted(TEXT_SUFFIXES)),
}

Tell = Callable[[str], None]


def measure(
    folder: Path,
    given: Mapping[str, Any],
    environment: Mapping[str, str],
    seconds: float,
    tell: Tell,
    pipeline: Pipeline = Pipeline.PLATES,
) -> ServiceTimes:
    """Measure a pipeline with the pictures, or whatever it takes, of `folder`; `given` are settings beside the
    environment's.

    Raises:
        SettingsError: a model cannot be had, or a picture not be read.
        SourceError: there is nothing in the folder that the pipeline takes.
        StoreUnavailableError: the system does not store what is published; has the end of its log.
    """
    medium, contents = read_contents(folder, pipeline)
    tell("models alone")
    arguments = (str(folder), "--pipeline", pipeline, "--seconds", f"{seconds * _MODELS:.1f}")
    models: dict[str, Any] = json.loads(run_once("workers.tools.model_times", *arguments, environment=environment))
    tell("starting the system")
    with (
        tempfile.TemporaryDirectory(prefix="sightline-capacity-", ignore_cleanup_errors=True) as name,
        running(Path(name), one_a_role(pipeline=pipeline), given=given, pipeline=pipeline, medium=medium) as system,
        closing(Loader(system, contents)) as loader,
    ):
        system.run(contents, 2 * MANY, MANY)
        tell("one frame at a time")
        one = loader.lone(1, seconds * _ONE)
        tell(f"{MANY} frames at a time")
        many = loader.lone(MANY, seconds * _MANY)
        tell("as much as it can do")
        full = loader.saturate(BACKLOG, seconds * _WARM_UP, seconds * _SATURATED)
        settings = system.settings
    concurrency = {role: settings.concurrency([role]) for role in registry().roles_of(pipeline)}
    return fit(models, one, many, full, settings.max_batch_size, concurrency, pipeline)


def fit(
    models: Mapping[str, Any],
    one: Loaded,
    many: Loaded,
    full: Loaded,
    max_batch_size: int,
    concurrency: Mapping[str, int],
    pipeline: Pipeline = Pipeline.PLATES,
) -> ServiceTimes:
    """Service times of what was measured: models alone, jobs of one frame and of `MANY`, a backlog of the latter.

    `models` has `crops_per_frame`, and by stage the fields of `ModelTime` for those whose models were timed alone.
    `concurrency` is that of each role.
    """
    route = Route(pipeline)
    # Of what a package's stage leaves for the next nothing is known: it is taken to be one for each frame.
    crops = models.get("crops_per_frame", 1.0 if route.on_crops else 0.0)
    fitted = ServiceTimes(
        pipeline=pipeline,
        cores=count_cores(),
        max_batch_size=max_batch_size,
        concurrency=max(concurrency.values()),
        crops_per_frame=crops,
        publish=_line(one.cpu_ms["publish"], many.cpu_ms["publish"]),
        redis=_line(one.cpu_ms["redis"], many.cpu_ms["redis"]),
        roles={
            role: _role(
                models.get(role), one.cpu_ms[role], many.cpu_ms[role], crops if role in route.on_crops else 1.0
            ).model_copy(update={"concurrency": concurrency[role]})
            for role in route.roles
        },
        others_cores=full.others_cores,
        measured_frames_per_s=full.frames_per_s,
    )
    alone = simulate(Plan(fitted, dict.fromkeys(route.roles, 1), fitted.cores), Cameras(1, 1, seed=1))
    delay_ms = max(0.0, one.latency_ms - alone.p50_ms)
    return _scaled(fitted, full, route).model_copy(update={"delay_ms": delay_ms})


def read_contents(folder: Path, pipeline: Pipeline) -> tuple[Medium, Sequence[bytes]]:
    """What the files of a folder are that this pipeline takes, all of one medium, and what is in them.

    Raises SourceError: there are none.
    """
    accepts = registry().get(pipeline).accepts
    for medium in accepts:
        paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES[medium]]
        if paths:
            return medium, [path.read_bytes() for path in paths]
    known = " ".join(suffix for medium in accepts for suffix in SUFFIXES[medium])
    raise SourceError(f"{folder}: nothing in it that {pipeline} takes; put files there that end with one of {known}")


def _role(model_times: Mapping[str, float] | None, one_ms: float, many_ms: float, units: float) -> RoleTimes:
    """Of CPU times of a job of one frame and of one of many; of a frame the role works on so many `units`."""
    model = ModelTime(**model_times) if model_times else None
    if model and units:
        one_ms, many_ms = one_ms - model.cpu_ms(units), many_ms - model.cpu_ms(MANY * units)
    price = _line(max(0.0, one_ms), max(0.0, many_ms))
    frame_ms = price.frame_ms / units if units else 0.0
    return RoleTimes(message_ms=price.message_ms, frame_ms=frame_ms, model=model)


def _line(one_ms: float, many_ms: float) -> Price:
    """Through a job of one frame and one of many: the fixed price and that of a frame, neither below zero."""
    frame_ms = min(max(0.0, (many_ms - one_ms) / (MANY - 1)), many_ms / MANY)
    return Price(message_ms=max(0.0, one_ms - frame_ms), frame_ms=frame_ms)


def _scaled(times: ServiceTimes, full: Loaded, route: Route) -> ServiceTimes:
    """CPU times as they were when all that there is was busy."""

    def scale(name: str, alone_ms: float) -> float:
        return min(_MOST_SCALE, max(_LEAST_SCALE, full.cpu_ms[name] / alone_ms)) if alone_ms else 1.0

    roles: dict[str, RoleTimes] = {}
    for role, found in times.roles.items():
        frames = MANY * (times.crops_per_frame if role in route.on_crops else 1.0)
        by = scale(role, found.cpu_ms(frames, times.max_batch_size) / MANY)
        model = found.model and found.model.model_copy(
            update={"call_cpu_ms": found.model.call_cpu_ms * by, "image_cpu_ms": found.model.image_cpu_ms * by}
        )
        price = _by(found, by)
        roles[role] = found.model_copy(
            update={"message_ms": price.message_ms, "frame_ms": price.frame_ms, "model": model}
        )
    prices = {
        name: _by(price, scale(name, price.ms(MANY) / MANY))
        for name, price in (("publish", times.publish), ("redis", times.redis))
    }
    return times.model_copy(update=prices | {"roles": roles})


def _by(price: Price, factor: float) -> Price:
    return Price(message_ms=price.message_ms * factor, frame_ms=price.frame_ms * factor)
