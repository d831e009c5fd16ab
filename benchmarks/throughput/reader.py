"""A picture's way through the workers' own models in one call, and a plain table for what is found."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sightline.settings import Settings
from sightline.types import Detection, Reading
from workers.detectors import open_detector
from workers.pixels.images import crop, decode, use_one_thread
from workers.recognizers import open_plates_recognizer, open_recognizer

_TABLE: Final = """
create table if not exists found (
    frame text, x1 real, y1 real, x2 real, y2 real, confidence real, plate text, reading_confidence real
)"""
_INSERT: Final = "insert into found values (?, ?, ?, ?, ?, ?, ?, ?)"


class Found(NamedTuple):
    detection: Detection
    reading: Reading


class Reader:
    """Detector and recognizer of `plates` as the settings name them. Used by one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        use_one_thread()
        self._settings = settings
        self._detector = open_detector(settings.plates_model, settings)
        self._recognizer = open_plates_recognizer(settings) or open_recognizer(settings)
        self._detector.warm()

    def read(self, pictures: Sequence[bytes]) -> list[list[Found]]:
        """What each JPEG file shows; all pictures share one call of each model."""
        limit = self._settings.max_image_mpx
        images = [decode(picture, max_mpx=limit) for picture in pictures]
        detections = self._detector.detect(images)
        context = self._recognizer.model.context
        margin = self._detector.model.crop_margin if context is None else context
        crops = [
            crop(image, one, margin=margin) for image, found in zip(images, detections, strict=True) for one in found
        ]
        readings = iter(self._recognizer.recognize(crops))
        return [[Found(one, next(readings)) for one in found] for found in detections]

    def is_read(self, found: Found) -> bool:
        return bool(found.reading.text) and found.reading.confidence >= self._settings.min_reading_confidence


class Table:
    """One SQLite file, as somebody would write it in an hour. Safe to share between threads."""

    def __init__(self, path: Path, *, journal: str = "delete") -> None:
        self._connection = sqlite3.connect(path, timeout=60, check_same_thread=False)
        self._turn = threading.Lock()
        self._connection.execute(f"pragma journal_mode={journal}")
        self._connection.execute(_TABLE)
        self._connection.commit()

    def insert(self, frames: Sequence[str], found: Sequence[Sequence[Found]]) -> None:
        """All rows in one transaction."""
        rows = [
            (frame, *one.detection.xyxy, one.detection.confidence, one.reading.text, one.reading.confidence)
            for frame, each in zip(frames, found, strict=True)
            for one in each
        ]
        with self._turn, self._connection:
            self._connection.executemany(_INSERT, rows)

    def count_readings(self, min_confidence: float) -> int:
        query = "select count(*) from found where plate != '' and reading_confidence >= ?"
        return int(self._connection.execute(query, (min_confidence,)).fetchone()[0])

    def close(self) -> None:
        self._connection.close()
