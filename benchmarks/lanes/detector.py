"""A simulated GPU: a detector that finds nothing, 20 ms a batch, whatever its size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sightline.testing import StubDetector
from sightline.types import Detection

BATCH_S = 0.020


class GpuDetector(StubDetector):
    def detect(self, images: Sequence[Any]) -> list[list[Detection]]:
        time.sleep(BATCH_S)
        return [[] for _ in images]
