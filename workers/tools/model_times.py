"""`python -m workers.tools.model_times FOLDER`: how long calls of the models of a pipeline take, as JSON.

The pictures of the folder go through the detector, their crops through the recognizer, batched as in a worker but alone
in this process: one image, then many. Time and CPU time of all threads are taken; a line through both gives a call and
an image.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from sightline.errors import BadImageError
from sightline.local.checkout import answer_once
from sightline.pipelines import DEFAULT, registry
from sightline.pipelines.built_in import DETECT, OCR
from sightline.settings import AcceptedSettings, ModelSettings, Settings, load_settings
from sightline.types import Pipeline
from sightline.wire.models import LoadedModel
from workers.batching.batcher import Batcher
from workers.detectors import open_detector
from workers.pixels.images import BgrImage, crop, decode
from workers.recognizers import open_plates_recognizer, open_recognizer

_Call = Callable[[Sequence[BgrImage]], Sequence[Any]]

_MANY = 8
_LEAST_CALLS = 3


def measure(folder: Path, settings: Settings, seconds: float, pipeline: Pipeline = Pipeline.PLATES) -> dict[str, Any]:
    """The stages that detect and read, by name, with the fields of `ModelTime`; and `crops_per_frame`.

    Nothing of a pipeline whose pictures nothing detects on: the models of other stages are their own affair.

    Raises:
        BadImageError: the folder has no picture, or one that cannot be read.
        ModelError: a model cannot be had; says what to do.
    """
    stages = registry().get(pipeline).stages
    if DETECT not in stages:
        return {}
    images = [_read(path, settings) for path in sorted(folder.iterdir()) if path.suffix.lower() in _SUFFIXES]
    if not images:
        raise BadImageError(f"{folder}: no pictures ({', '.join(sorted(_SUFFIXES))}); put some there")
    many = min(_MANY, settings.max_batch_size)
    name = getattr(settings, f"{pipeline}_model", "") or registry().get(pipeline).models.get(DETECT.name, "")
    detector = open_detector(name, settings)
    detector.warm()
    if OCR not in stages:
        return {DETECT.name: _times(_batched(detector.detect, detector.model, settings), images, many, seconds / 2)}
    of_plates = open_plates_recognizer(settings) if pipeline == Pipeline.PLATES else None
    recognizer = of_plates or open_recognizer(settings)
    found = [detector.detect([image])[0] for image in images]
    margin = detector.model.crop_margin if recognizer.model.context is None else recognizer.model.context
    crops = [crop(image, one, margin=margin) for image, each in zip(images, found, strict=True) for one in each]
    share_s = seconds / (4 if crops else 2)
    nothing = {"call_ms": 0.0, "image_ms": 0.0, "call_cpu_ms": 0.0, "image_cpu_ms": 0.0}
    return {
        "crops_per_frame": len(crops) / len(images),
        DETECT.name: _times(_batched(detector.detect, detector.model, settings), images, many, share_s),
        OCR.name: _times(_batched(recognizer.recognize, recognizer.model, settings), crops, many, share_s)
        if crops
        else nothing,
    }


_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


def _read(path: Path, settings: AcceptedSettings) -> BgrImage:
    try:
        return decode(path.read_bytes(), max_mb=settings.max_image_mb, max_mpx=settings.max_image_mpx)
    except BadImageError as error:
        raise BadImageError(f"{path}: {error}") from error


def _batched(process: _Call, model: LoadedModel, settings: ModelSettings) -> _Call:
    """Many are shared among the threads that may call the model."""
    batcher = Batcher(
        process,
        max_batch_size=min(settings.max_batch_size, model.most_at_once or settings.max_batch_size),
        max_wait_ms=0,
        name=model.name,
        calls_at_once=model.calls_at_once,
    )
    return lambda images: [ticket.result() for ticket in batcher.submit(images)]


def _times(call: _Call, images: Sequence[BgrImage], many: int, seconds: float) -> dict[str, float]:
    turns = itertools.cycle(images)
    one_ms, one_cpu_ms = _time(call, turns, 1, seconds)
    if many == 1:
        return {"call_ms": one_ms, "image_ms": 0.0, "call_cpu_ms": one_cpu_ms, "image_cpu_ms": 0.0}
    many_ms, many_cpu_ms = _time(call, turns, many, seconds)
    call_ms, image_ms = _line(one_ms, many_ms, many)
    call_cpu_ms, image_cpu_ms = _line(one_cpu_ms, many_cpu_ms, many)
    return {"call_ms": call_ms, "image_ms": image_ms, "call_cpu_ms": call_cpu_ms, "image_cpu_ms": image_cpu_ms}


def _time(call: _Call, turns: itertools.cycle[BgrImage], size: int, seconds: float) -> tuple[float, float]:
    """Of the faster calls, in milliseconds: a slow one was held up by something else. The first shows the model this
    batch size."""
    call([next(turns) for _ in range(size)])
    taken: list[tuple[float, float]] = []
    until = time.perf_counter() + seconds
    while len(taken) < _LEAST_CALLS or time.perf_counter() < until:
        batch = [next(turns) for _ in range(size)]
        began_at, cpu_at = time.perf_counter(), time.process_time()
        call(batch)
        taken.append(((time.perf_counter() - began_at) * 1000, (time.process_time() - cpu_at) * 1000))
    taken = sorted(taken)[: len(taken) // 2 + 1]
    return median(wall for wall, _ in taken), median(cpu for _, cpu in taken)


def _line(one: float, many: float, count: int) -> tuple[float, float]:
    """Price of a call and of an image in it, neither below zero."""
    image = min(max(0.0, (many - one) / (count - 1)), many / count)
    return max(0.0, one - image), image


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m workers.tools.model_times", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pipeline", type=Pipeline, default=DEFAULT)
    parser.add_argument("--seconds", type=float, default=8, help="in all (%(default)s)")
    options = parser.parse_args()
    return answer_once(lambda: json.dumps(measure(options.folder, load_settings(), options.seconds, options.pipeline)))


if __name__ == "__main__":
    raise SystemExit(main())
