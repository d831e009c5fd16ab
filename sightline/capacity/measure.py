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
from sightline.capacity.costs import ROLES, ModelTime, Price, RoleTimes, ServiceTimes
from sightline.capacity.load import Loaded, Loader
from sightline.capacity.meter import count_cores
from sightline.capacity.simulation import Backlog, Plan, simulate
from sightline.capacity.system import one_a_role, running
from sightline.local.checkout import run_once

#: Frames in a job of many, and what is open when there is always something to do.
MANY = 8
BACKLOG = Backlog(bundle=MANY, most_open=128)
ONE_EACH: dict[str, int] = dict.fromkeys(ROLES, 1)

#: Where the time goes, as shares of the seconds that were given; the rest is for starting.
_MODELS, _ONE, _MANY, _WARM_UP, _SATURATED = 0.15, 0.12, 0.15, 0.05, 0.25
_LEAST_SCALE, _MOST_SCALE = 0.5, 3.0
#: What is taken for a picture in a folder.
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")

Tell = Callable[[str], None]


def measure(
    folder: Path, given: Mapping[str, Any], environment: Mapping[str, str], seconds: float, tell: Tell
) -> ServiceTimes:
    """Measure with the pictures of `folder`; `given` are settings of the system beside those of the environment.

    Raises:
        SettingsError: a model cannot be had, or a picture not be read.
        StoreUnavailableError: the system does not store what is published; has the end of its log.
    """
    tell("models alone")
    arguments = (str(folder), "--seconds", f"{seconds * _MODELS:.1f}")
    models: dict[str, Any] = json.loads(run_once("workers.tools.model_times", *arguments, environment=environment))
    pictures = read_pictures(folder)
    tell("starting the system")
    with (
        tempfile.TemporaryDirectory(prefix="sightline-capacity-", ignore_cleanup_errors=True) as name,
        running(Path(name), one_a_role(), given=given) as system,
        closing(Loader(system, pictures)) as loader,
    ):
        system.run(pictures, 2 * MANY, MANY)
        tell("one frame at a time")
        one = loader.lone(1, seconds * _ONE)
        tell(f"{MANY} frames at a time")
        many = loader.lone(MANY, seconds * _MANY)
        tell("as much as it can do")
        full = loader.saturate(BACKLOG, seconds * _WARM_UP, seconds * _SATURATED)
        settings = system.settings
    return fit(models, one, many, full, settings.max_batch_size, settings.detect_concurrency)


def fit(
    models: Mapping[str, Any], one: Loaded, many: Loaded, full: Loaded, max_batch_size: int, concurrency: int
) -> ServiceTimes:
    """Service times of what was measured: models alone, jobs of one frame and of `MANY`, a backlog of the latter."""
    fitted = ServiceTimes(
        cores=count_cores(),
        max_batch_size=max_batch_size,
        concurrency=concurrency,
        crops_per_frame=models["crops_per_frame"],
        publish=_line(one.cpu_ms["publish"], many.cpu_ms["publish"]),
        redis=_line(one.cpu_ms["redis"], many.cpu_ms["redis"]),
        roles={role: _role(role, models, one, many) for role in ROLES},
        others_cores=full.others_cores,
        measured_frames_per_s=full.frames_per_s,
    )
    alone = simulate(Plan(fitted, ONE_EACH, fitted.cores), Cameras(1, 1, seed=1))
    delay_ms = max(0.0, one.latency_ms - alone.p50_ms)
    return _scaled(fitted, full).model_copy(update={"delay_ms": delay_ms})


def read_pictures(folder: Path) -> Sequence[bytes]:
    return [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES]


def _role(role: str, models: Mapping[str, Any], one: Loaded, many: Loaded) -> RoleTimes:
    if role not in models:
        return RoleTimes(**_line(one.cpu_ms[role], many.cpu_ms[role]).model_dump())
    model = ModelTime(**models[role])
    crops = models["crops_per_frame"] if role == "ocr" else 1.0
    without = [
        max(0.0, loaded.cpu_ms[role] - (model.cpu_ms(frames * crops) if crops else 0.0))
        for loaded, frames in ((one, 1), (many, MANY))
    ]
    price = _line(*without)
    # What a frame costs ocr is paid for its crops.
    frame_ms = price.frame_ms / crops if crops else 0.0
    return RoleTimes(message_ms=price.message_ms, frame_ms=frame_ms, model=model)


def _line(one_ms: float, many_ms: float) -> Price:
    """Through a job of one frame and one of many: the fixed price and that of a frame, neither below zero."""
    frame_ms = min(max(0.0, (many_ms - one_ms) / (MANY - 1)), many_ms / MANY)
    return Price(message_ms=max(0.0, one_ms - frame_ms), frame_ms=frame_ms)


def _scaled(times: ServiceTimes, full: Loaded) -> ServiceTimes:
    """CPU times as they were when all that there is was busy."""

    def scale(name: str, alone_ms: float) -> float:
        return min(_MOST_SCALE, max(_LEAST_SCALE, full.cpu_ms[name] / alone_ms)) if alone_ms else 1.0

    roles: dict[str, RoleTimes] = {}
    for role in ROLES:
        found = times.roles[role]
        frames = MANY * (times.crops_per_frame if role == "ocr" else 1.0)
        by = scale(role, found.cpu_ms(frames, times.max_batch_size) / MANY)
        model = found.model and found.model.model_copy(
            update={"call_cpu_ms": found.model.call_cpu_ms * by, "image_cpu_ms": found.model.image_cpu_ms * by}
        )
        price = _by(found, by)
        roles[role] = RoleTimes(message_ms=price.message_ms, frame_ms=price.frame_ms, model=model)
    prices = {
        name: _by(price, scale(name, price.ms(MANY) / MANY))
        for name, price in (("publish", times.publish), ("redis", times.redis))
    }
    return times.model_copy(update=prices | {"roles": roles})


def _by(price: Price, factor: float) -> Price:
    return Price(message_ms=price.message_ms * factor, frame_ms=price.frame_ms * factor)
