"""The workers' Celery app where the stub detector is a simulated GPU."""

from __future__ import annotations

import sightline.testing
from benchmarks.lanes.detector import GpuDetector

sightline.testing.StubDetector = GpuDetector

from workers.app import app  # noqa: E402 - its workers open the stub when they start

__all__ = ["app"]
