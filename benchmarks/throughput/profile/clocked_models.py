"""The workers' Celery app with clocks in it, in what is done to pixels too. For `where --models`."""

from __future__ import annotations

from typing import Any

import workers.stages.detect
import workers.stages.ocr
from benchmarks.throughput.profile import clocks, model_clocks
from benchmarks.throughput.profile.clock import clock
from workers.app import app

__all__ = ["app"]


def _install() -> None:
    clocks.install()
    model_clocks.install()
    detect: Any = workers.stages.detect
    clock(detect, "decode_small", "decode")
    clock(detect, "crop", "crops, sharpness")
    ocr: Any = workers.stages.ocr
    clock(ocr, "sharpness", "crops, sharpness")


_install()
