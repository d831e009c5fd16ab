"""A picture decoded, with the checks before."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.guard.figures import Figure, Ratio
from workers.pixels import images


@contextmanager
def decode_figures(_folder: Path) -> Generator[list[Figure]]:
    noise = np.random.default_rng(1).integers(0, 256, (45, 80, 3), np.uint8)
    jpeg = images.encode_jpeg(np.asarray(cv2.resize(noise, (640, 360)), np.uint8))

    def ours() -> Any:
        return images.decode(jpeg, max_mb=20, max_mpx=50)

    def bare() -> Any:
        return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)

    what = "decode of a 360p JPEG to cv2.imdecode"
    yield [
        Ratio(
            "decode", what, "workers/pixels/images.py, sightline/images/header.py", lambda: ours, lambda: bare, pairs=30
        )
    ]
