"""A second opinion on a crop: where in it lines of text are, and what each of them says, by PP-OCR.

A crop as a whole is hard for a reader of single lines: the name of a state, a slogan and the frame are in it too.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, runtime_checkable

import cv2
import numpy as np

from sightline.settings import ModelSettings
from sightline.types import Detection, Reading
from sightline.wire.models import LoadedModel
from workers.detectors import Detector, open_detector
from workers.pixels.images import BgrImage, crop
from workers.recognizers.ctc import CHARACTERS, Probabilities, decode
from workers.recognizers.recognizer import Recognizer

_DETECTOR: Final = "ppocr-text"
_HEIGHT_PX: Final = 192  #: of a crop when lines are looked for; half of it is the plate
_MOST_PX: Final = 768  #: of its longest side
_LEAST_CONFIDENCE: Final = 0.25
_TALL: Final = 0.5  #: lines that are read are at least so high, as a share of the tallest one
_SAME_ROW: Final = 0.4  #: centers of lines side by side are no further apart, in their heights


class Line(NamedTuple):
    """What a line of text says, and where its middle is and how high it is, in pixels of the picture."""

    said: Probabilities
    center: tuple[float, float]
    height: float


@runtime_checkable
class _OfSteps(Protocol):
    """A recognizer that tells how likely each step of a line is which character."""

    def plate_probabilities(self, crops: Sequence[BgrImage]) -> list[Probabilities]: ...


class LineReader:
    """Finds lines of text in crops and reads them."""

    def __init__(self, detector: Detector | None, recognizer: Recognizer) -> None:
        """Without a detector each crop is one line."""
        self._detector, self._recognizer = detector, recognizer
        self._calls = threading.Semaphore(detector.model.calls_at_once if detector else 1)

    @property
    def model(self) -> LoadedModel:
        return self._recognizer.model

    def read(self, crops: Sequence[BgrImage]) -> list[list[Probabilities]]:
        """What the plate in each crop may say: each line, lines side by side, rows one below the other."""
        if self._detector is None:
            return [[one] for one in self._said(crops)]
        scaled = [_scaled(one) for one in crops]
        with self._calls:
            found = self._detector.detect(scaled)
        found = [_tall(boxes) for boxes in found]  # a slogan costs as much as a plate
        cut = [crop(image, box) for image, boxes in zip(scaled, found, strict=True) for box in boxes]
        said = iter(self._said(cut))
        return [arranged([Line(next(said), _center(box), _height(box)) for box in boxes]) for boxes in found]

    def _said(self, crops: Sequence[BgrImage]) -> list[Probabilities]:
        if isinstance(self._recognizer, _OfSteps):
            return self._recognizer.plate_probabilities(crops)
        return [probabilities_of(one) for one in self._recognizer.recognize(crops)]


def open_line_reader(settings: ModelSettings, recognizer: Recognizer) -> LineReader:
    """Load PP-OCR's text detection; `recognizer` reads what it finds. PaddleOCR lives where RapidOCR is not.

    Raises:
        ModelError: weights or RapidOCR are missing.
    """
    if recognizer.model.runtime == "paddleocr":
        return LineReader(None, recognizer)
    ours = settings.model_copy(update={"min_confidence": _LEAST_CONFIDENCE})
    return LineReader(open_detector(_DETECTOR, ours, side_by_side=True), recognizer)


def arranged(lines: Sequence[Line]) -> list[Probabilities]:
    """Each line that says something, then each row of several, then all rows, from top to bottom."""
    texts = [line for line in lines if decode(line.said).text]
    rows: list[list[Line]] = []
    for line in sorted(texts, key=lambda line: line.center[1]):
        if rows and abs(rows[-1][0].center[1] - line.center[1]) < _SAME_ROW * rows[-1][0].height:
            rows[-1].append(line)
        else:
            rows.append([line])
    in_order = [sorted(row, key=lambda line: line.center[0]) for row in rows]
    together = [row for row in in_order if len(row) > 1]
    if len(in_order) > 1:
        together.append([line for row in in_order for line in row])
    return [*(line.said for line in texts), *map(_joined, together)]


def probabilities_of(reading: Reading) -> Probabilities:
    """What a reader without steps says, as steps: what it is not sure of goes to the blank."""
    each = reading.char_confidences or (reading.confidence,) * len(reading.text)
    kept = [(char, sure) for char, sure in zip(reading.text.upper(), each, strict=False) if char in CHARACTERS]
    steps = np.zeros((2 * len(kept) + 1, len(CHARACTERS) + 1), np.float32)
    steps[:, 0] = 1
    for place, (char, sure) in enumerate(kept):
        steps[2 * place + 1, 0] = 1 - sure
        steps[2 * place + 1, CHARACTERS.index(char) + 1] = sure
    return steps


def _scaled(image: BgrImage) -> BgrImage:
    """The crop as large as text is found best."""
    height, width = image.shape[:2]
    scale = min(_HEIGHT_PX / height, _MOST_PX / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC), np.uint8)


def _tall(boxes: Sequence[Detection]) -> list[Detection]:
    tallest = max(map(_height, boxes), default=0.0)
    return [box for box in boxes if _height(box) >= _TALL * tallest]


def _height(box: Detection) -> float:
    return math.dist(box.corners[0], box.corners[3]) if box.corners else box.xyxy[3] - box.xyxy[1]


def _center(box: Detection) -> tuple[float, float]:
    x1, y1, x2, y2 = box.xyxy
    return (x1 + x2) / 2, (y1 + y2) / 2


def _joined(lines: Sequence[Line]) -> Probabilities:
    """What lines say one after the other, with a blank between two."""
    blank = np.zeros((1, len(CHARACTERS) + 1), np.float32)
    blank[0, 0] = 1
    return np.concatenate([part for line in lines for part in (line.said, blank)])
