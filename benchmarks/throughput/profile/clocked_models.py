"""The workers' Celery app with clocks in it, in what is done to pixels too. For `where --models`."""

from __future__ import annotations

from typing import Any

import workers.detectors.yolo
import workers.stages.detect
import workers.stages.ocr
from benchmarks.throughput.profile import clocks
from workers.app import app
from workers.detectors.openvino_session import OpenvinoSession
from workers.recognizers.voted import VotedRecognizer

__all__ = ["app"]


def _install() -> None:
    clocks.install()
    detect: Any = workers.stages.detect
    clocks.clock(detect, "decode_small", "decode")
    clocks.clock(detect, "crop", "crops, sharpness")
    yolo: Any = workers.detectors.yolo
    clocks.clock(yolo, "letterbox", "scale")
    clocks.clock(yolo, "resize", "scale")
    clocks.clock(yolo, "decode", "boxes")
    clocks.clock(OpenvinoSession, "forward", "networks of the detector")
    clocks.clock(VotedRecognizer, "recognize", "recognizer")
    ocr: Any = workers.stages.ocr
    clocks.clock(ocr, "sharpness", "crops, sharpness")


_install()
