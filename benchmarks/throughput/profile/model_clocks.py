"""Clocks in what is done to pixels, in a worker as in the plain loop."""

from __future__ import annotations

from typing import Any

import workers.detectors.yolo
from benchmarks.throughput.profile.clock import clock
from workers.detectors.openvino_session import OpenvinoSession
from workers.detectors.text import TextDetector
from workers.recognizers.plates import PlateRecognizer
from workers.recognizers.rapid import RapidRecognizer
from workers.recognizers.voted import VotedRecognizer


def install() -> None:
    yolo: Any = workers.detectors.yolo
    clock(yolo, "letterbox", "scale")
    clock(yolo, "resize", "scale")
    clock(yolo, "decode", "boxes")
    clock(OpenvinoSession, "forward", "networks of the detector")
    clock(PlateRecognizer, "look", "recognizer: plates-recognizer")
    clock(TextDetector, "detect", "recognizer: PP-OCR finds lines")
    clock(RapidRecognizer, "plate_probabilities", "recognizer: PP-OCR reads lines")
    clock(VotedRecognizer, "recognize", "recognizer: what is left")
