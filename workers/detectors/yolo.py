"""The YOLO26 detector: letterbox, forward in some runtime, decode. All runtimes share what is before and after."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import ModelError
from sightline.models import LoadedModel
from sightline.settings import Settings
from sightline.types import Detection
from workers.detectors.sessions import OnnxruntimeSession, OpenvinoSession, Session
from workers.images import BgrImage
from workers.models import ModelFile, Runtime, resolve

_PADDING_GRAY = 114  #: what the model saw around pictures in training


class Placement(NamedTuple):
    """How an image lies in the model's input: `input = image * scale + (left, top)`."""

    scale: float
    left: int
    top: int


class YoloDetector:
    """Finds objects with an end-to-end YOLO26: its output (N, 300, 6) needs no non-maximum suppression."""

    def __init__(self, file: ModelFile, session: Session, *, min_confidence: float) -> None:
        width, height = session.input_size or (file.spec.input_size, file.spec.input_size)
        self.model = LoadedModel(
            name=file.name,
            sha256=file.sha256,
            runtime=session.runtime,
            labels=file.spec.labels or session.labels,
            input_size=(width, height),
        )
        self._session = session
        self._min_confidence = min_confidence

    def detect(self, images: Sequence[BgrImage]) -> list[list[Detection]]:
        found: list[list[Detection]] = []
        for part in _chunks(images, self._session.batch_size or len(images)):
            batch, placements = letterbox(part, self.model.input_size)
            rows = self._forward(batch)
            for image, placement, image_rows in zip(part, placements, rows[: len(part)], strict=True):
                found.append(decode(image_rows, placement, image.shape[:2], self.model.labels, self._min_confidence))
        return found

    def warm(self) -> None:
        self.detect([np.zeros((480, 640, 3), np.uint8)])

    def _forward(self, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        missing = (self._session.batch_size or len(batch)) - len(batch)
        if missing:  # exported with a fixed batch: fill up with blanks, whose rows `detect` leaves out
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.uint8)])
        rows = self._session.forward(batch)
        if rows.ndim != 3 or rows.shape[0] != len(batch) or rows.shape[2] != 6:
            raise ModelError(
                f"model {self.model.name!r}: output {rows.shape} instead of ({len(batch)}, 300, 6), it was exported "
                "without its end-to-end head; export it with `python -m workers.detectors.export`",
                model=self.model.name,
            )
        return rows


def letterbox(images: Sequence[BgrImage], input_size: tuple[int, int]) -> tuple[npt.NDArray[np.uint8], list[Placement]]:
    """Fit each image into (width, height), centered on gray. Gives (N, height, width, 3) BGR and the placements."""
    width, height = input_size
    batch = np.full((len(images), height, width, 3), _PADDING_GRAY, np.uint8)
    placements: list[Placement] = []
    for target, image in zip(batch, images, strict=True):
        rows, columns = image.shape[:2]
        scale = min(width / columns, height / rows)
        new_width, new_height = max(1, round(columns * scale)), max(1, round(rows * scale))
        left, top = (width - new_width) // 2, (height - new_height) // 2
        resized = image
        if (new_width, new_height) != (columns, rows):
            resized = cv2.resize(image, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
        target[top : top + new_height, left : left + new_width] = resized
        placements.append(Placement(scale, left, top))
    return batch, placements


def decode(
    rows: npt.NDArray[np.float32],
    placement: Placement,
    image_shape: tuple[int, ...],
    labels: Sequence[str],
    min_confidence: float,
) -> list[Detection]:
    """Rows of x1, y1, x2, y2, confidence, class_id in input pixels -> detections in image pixels, best first."""
    height, width = image_shape[:2]
    kept = rows[rows[:, 4] >= min_confidence].astype(np.float64)
    kept = kept[np.argsort(-kept[:, 4], kind="stable")]
    offset = np.array([placement.left, placement.top] * 2)
    boxes = np.clip((kept[:, :4] - offset) / placement.scale, 0, [width, height, width, height])
    found: list[Detection] = []
    for (x1, y1, x2, y2), confidence, class_id in zip(boxes.tolist(), kept[:, 4].tolist(), kept[:, 5], strict=True):
        if not (x2 > x1 and y2 > y1 and math.isfinite(class_id)):
            continue
        index = int(class_id)
        label = labels[index] if 0 <= index < len(labels) else f"class {index}"
        found.append(
            Detection(xyxy=(x1, y1, x2, y2), label=label, class_id=index, confidence=min(max(confidence, 0.0), 1.0))
        )
    return found


def open_yolo_detector(name: str, settings: Settings, runtime: Runtime) -> YoloDetector:
    """Load weights of kind `yolo26`.

    Raises:
        ModelError: missing or damaged weights, or no such device; says what to do.
    """
    file = resolve(name, settings, suffix=".pt" if runtime == "torch" else ".onnx")
    session: Session
    if runtime == "torch":
        from workers.detectors.torch_session import TorchSession

        session = TorchSession(file, device=settings.device, half=settings.half, threads=settings.threads)
    elif runtime == "openvino":
        session = OpenvinoSession(file, half=settings.half, threads=settings.threads)
    else:
        session = OnnxruntimeSession(file, threads=settings.threads)
    return YoloDetector(file, session, min_confidence=settings.min_confidence)


def _chunks(images: Sequence[BgrImage], size: int) -> Iterator[Sequence[BgrImage]]:
    for start in range(0, len(images), max(1, size)):
        yield images[start : start + size]
