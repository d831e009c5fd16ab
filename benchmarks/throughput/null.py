"""The workers' Celery app where models and pixels cost nothing: what is left is the price of the queues.

Every frame holds one plate and every plate reads the same. No picture is decoded, no crop is cut, encoded or looked at;
what such work costs is measured beside it. All else is as ever: ledger, lease, frame store, messages (three, or one
where one process does everything), the transaction with rows and passages, counters, events, the result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

import workers.stages.detect
import workers.stages.ocr
from sightline.types import Detection, Reading
from sightline.wire.models import LoadedModel
from workers.pixels.images import Picture

#: Environment variable: so long a picture keeps the detector, as if a GPU looked at it; for `where --model-ms`.
MODEL_MS: Final = "BENCHMARK_MODEL_MS"

_IMAGE: Final = np.zeros((720, 1280, 3), np.uint8)
_CROP: Final = bytes(2048)  #: as many bytes as the crop of a plate has
_DETECTIONS: Final = [Detection(xyxy=(600, 400, 720, 430), label="plate", class_id=0, confidence=0.9)]
_READING: Final = Reading(text="AB123CD", confidence=0.9, char_confidences=(0.9,) * 7)
_MODEL: Final = LoadedModel(name="null", sha256="0" * 64, runtime="null", labels=("plate",))


class NullDetector:
    def __init__(self, name: str) -> None:
        self.model = _MODEL.model_copy(update={"name": name})
        self._picture_s = float(os.environ.get(MODEL_MS, "0")) / 1000

    def detect(self, images: Sequence[Any]) -> list[list[Detection]]:
        if self._picture_s:
            time.sleep(self._picture_s * len(images))
        return [_DETECTIONS] * len(images)

    def warm(self) -> None:
        """There is nothing to warm."""


class NullRecognizer:
    model = _MODEL

    def recognize(self, crops: Sequence[Any]) -> list[Reading]:
        return [_READING] * len(crops)


def _install() -> None:
    detect: Any = workers.stages.detect
    detect.open_detector = lambda name, _: NullDetector(name)
    detect.decode_small = lambda *_, **__: Picture(_IMAGE, _IMAGE.shape[1], _IMAGE.shape[0])
    detect.crop = lambda *_, **__: _IMAGE
    detect.encode_jpeg = lambda *_, **__: _CROP
    ocr: Any = workers.stages.ocr
    ocr.open_recognizer = lambda *_: NullRecognizer()
    ocr.open_plates_recognizer = lambda *_: None
    ocr.decode = lambda *_, **__: _IMAGE
    ocr.sharpness = lambda *_: 100.0


_install()

from workers.app import app  # noqa: E402 - its workers open what was put in place of theirs

__all__ = ["app"]
