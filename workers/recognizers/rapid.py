"""PP-OCRv6 recognition through RapidOCR, with the confidence of every character."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from sightline.settings import ModelSettings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.models.computing import computing
from workers.models.files import ModelFile, resolve
from workers.models.rapid import open_rapidocr
from workers.models.registry import Runtime, find_model
from workers.models.runtimes import choose_runtime, share_threads
from workers.pixels.images import BgrImage
from workers.recognizers.ctc import CHARACTERS, Probabilities
from workers.recognizers.scripts import is_unknown

_MODEL = "ppocr-rec"
_HEIGHT = 48  #: pixels; every crop is scaled to it
_MIN_WIDTH, _WIDTH_STEP, _MAX_WIDTH = 320, 80, 3200
#: Crops in one call. More are no faster, take memory, and each number of crops is a shape that the runtime has to
#: prepare for when it comes first, which takes as long as reading some crops.
_AT_ONCE = 4
_T = TypeVar("_T")
_BLANK = 0  #: the class that means "no character here"


class _Line(NamedTuple):
    """What the network said of a crop."""

    steps: npt.NDArray[np.float32]  #: (steps, characters)
    pixels: npt.NDArray[np.float32]  #: (3, 48, width), as the network saw it
    crop_shape: tuple[int, ...]


class RapidRecognizer:
    """Reads lines of text.

    Crops are grouped by their width at 48 px, rounded up to a step: a batch then wastes little on padding, a text does
    not depend on its neighbors in the batch, and the runtime sees few shapes (new ones cost it time and memory).
    """

    def __init__(self, file: ModelFile, runtime: Runtime, *, threads: int, max_batch_size: int) -> None:
        shares = share_threads(threads) if runtime == "openvino" else [threads]
        self.model = LoadedModel(
            name=file.name,
            sha256=file.sha256,
            runtime=runtime,
            input_size=(file.spec.input_size, _HEIGHT),
            calls_at_once=len(shares),
        )
        self._most_at_once = min(max_batch_size, _AT_ONCE)
        rapids = [open_rapidocr(file, use="Rec", runtime=runtime, threads=share) for share in shares]
        self._characters: list[str] = rapids[0].postprocess_op.character
        self._free = SimpleQueue[Any]()
        for rapid in rapids:
            self._free.put(rapid)
        self._of_plates = _columns(self._characters)

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        return self._each(crops, self._decode)

    def plate_probabilities(self, crops: Sequence[BgrImage]) -> list[Probabilities]:
        """How likely each step of each crop is which letter or digit; all other signs are blanks. See `ctc`."""
        return self._each(crops, self._plate_steps)

    def _each(self, crops: Sequence[BgrImage], read: Callable[[_Line], _T]) -> list[_T]:
        """What is read from each crop."""
        widths = [_padded_width(crop) for crop in crops]
        readings: dict[int, _T] = {}
        for width in sorted(set(widths)):
            indices = [index for index, own in enumerate(widths) if own == width]
            for start in range(0, len(indices), self._most_at_once):
                part = indices[start : start + self._most_at_once]
                readings.update(zip(part, self._read([crops[index] for index in part], width, read), strict=True))
        return [readings[index] for index in range(len(crops))]

    def _read(self, crops: list[BgrImage], width: int, read: Callable[[_Line], _T]) -> list[_T]:
        rapid = self._free.get()
        try:
            with computing.call():
                tensor = np.stack([rapid.resize_norm_img(crop, width / _HEIGHT) for crop in crops])
                scores: Any = rapid.session(tensor)  # (N, steps, characters); lent: the next call writes over it
                lines = zip(scores, tensor, crops, strict=True)
                return [read(_Line(steps, pixels, crop.shape)) for steps, pixels, crop in lines]
        finally:
            self._free.put(rapid)

    def _decode(self, line: _Line) -> Reading:
        """Greedy CTC: a class that repeats is one character, blanks fall out."""
        steps = line.steps
        classes, confidences = steps.argmax(axis=1), steps.max(axis=1)
        changed = np.concatenate([[True], classes[1:] != classes[:-1]])
        kept = changed & (classes != _BLANK)
        characters = [
            (self._characters[index], min(max(confidence, 0.0), 1.0))
            for index, confidence in zip(classes[kept].tolist(), confidences[kept].tolist(), strict=True)
        ]
        reading = _reading(characters)
        unknown = is_unknown(reading, classes, line.pixels, line.crop_shape)
        return reading.model_copy(update={"unread": "script"}) if unknown else reading

    def _plate_steps(self, line: _Line) -> Probabilities:
        steps = line.steps
        found = np.zeros((len(steps), len(CHARACTERS) + 1), np.float32)
        for column, indices in enumerate(self._of_plates, 1):
            found[:, column] = steps[:, indices].sum(axis=1)
        found[:, 0] = np.maximum(0, 1 - found[:, 1:].sum(axis=1))
        return found


def open_rapid_recognizer(settings: ModelSettings) -> RapidRecognizer:
    """Load PP-OCRv6 recognition from RapidOCR's wheel, or what the models file calls `ppocr-rec`.

    Raises:
        ModelError: missing or damaged weights, or RapidOCR is not installed.
    """
    runtime = choose_runtime(_MODEL, find_model(_MODEL, settings), settings)
    file = resolve(_MODEL, settings, suffix=".onnx")
    return RapidRecognizer(file, runtime, threads=settings.threads, max_batch_size=settings.max_batch_size)


def _columns(characters: Sequence[str]) -> list[list[int]]:
    """For each of `CHARACTERS`: the classes that mean it, capital or small."""
    return [[index for index, char in enumerate(characters) if char.upper() == wanted] for wanted in CHARACTERS]


def _reading(characters: list[tuple[str, float]]) -> Reading:
    while characters and characters[0][0].isspace():
        characters = characters[1:]
    while characters and characters[-1][0].isspace():
        characters = characters[:-1]
    if not characters:
        return Reading(text="", confidence=0.0)
    # A class may stand for more than one code point; each gets the confidence of its class.
    confidences = tuple(confidence for character, confidence in characters for _ in character)
    text = "".join(character for character, _ in characters)
    return Reading(text=text, confidence=sum(confidences) / len(confidences), char_confidences=confidences)


def _padded_width(crop: BgrImage) -> int:
    height, width = crop.shape[:2]
    steps = math.ceil(width * _HEIGHT / height / _WIDTH_STEP)
    return min(max(steps * _WIDTH_STEP, _MIN_WIDTH), _MAX_WIDTH)
