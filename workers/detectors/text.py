"""The text detector: PP-OCRv6 detection through RapidOCR. Each detection is one line of text, with its four corners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sightline.settings import ModelSettings
from sightline.types import Detection, Point
from sightline.wire.models import LoadedModel
from workers.models.computing import computing
from workers.models.files import ModelFile, resolve
from workers.models.rapid import open_rapidocr
from workers.models.registry import Runtime
from workers.models.runtimes import share_threads
from workers.pixels.images import BgrImage

_AT_ONCE = 4  #: pictures; they run one after the other anyway, and the first are waited for


class TextDetector:
    """Finds lines of text; detections come in reading order, from top to bottom.

    Images run one after the other: they differ in size, and on a CPU a batch is not faster than its parts.
    """

    def __init__(
        self,
        file: ModelFile,
        runtime: Runtime,
        *,
        threads: int,
        min_confidence: float,
        device: str = "cpu",
        side_by_side: bool = False,
    ) -> None:
        """`side_by_side`: in OpenVINO several threads may call at once, each computing with a share of the threads in a
        network of its own, which takes about 60 MB for a crop and more for a picture.
        """
        shares = share_threads(threads) if side_by_side and runtime == "openvino" else []
        longest_side = file.spec.input_size
        self.model = LoadedModel(
            name=file.name,
            sha256=file.sha256,
            runtime=runtime,
            labels=file.spec.labels or ("text",),
            most_at_once=_AT_ONCE,
            calls_at_once=max(1, len(shares)),
            input_size=(longest_side, longest_side),
        )
        self._min_confidence = min_confidence
        self._alone, *streams = (
            open_rapidocr(
                file,
                use="Det",
                runtime=runtime,
                threads=each,
                device=device,
                params={"Det.limit_type": "max", "Det.limit_side_len": longest_side},
            )
            for each in (threads, *(shares if len(shares) > 1 else ()))
        )
        self._streams = SimpleQueue[Any]()
        for stream in streams:
            self._streams.put(stream)

    def detect(self, images: Sequence[BgrImage]) -> list[list[Detection]]:
        return [self._detect(image) for image in images]

    def warm(self) -> None:
        self.detect([np.zeros((720, 1280, 3), np.uint8)])

    def _detect(self, image: BgrImage) -> list[Detection]:
        height, width = image.shape[:2]
        with self._free() as rapid:
            resized: Any = rapid.get_preprocess().resize(image)
            if resized is None:  # far too narrow to hold text
                return []
            tensor = cv2.dnn.blobFromImage(resized, 1 / 127.5, mean=(127.5, 127.5, 127.5))
            # Calling the parts, as RapidOCR's own call sorts the boxes but not their scores.
            boxes, scores = rapid.postprocess_op(rapid.session(tensor), (height, width))
        found = [
            self._detection(corners, score)
            for corners, score in zip(boxes, scores, strict=True)
            if score >= self._min_confidence
        ]
        return sorted(found, key=lambda detection: (detection.xyxy[1], detection.xyxy[0]))

    @contextmanager
    def _free(self) -> Iterator[Any]:
        """The network that a caller may use, which nobody else does meanwhile."""
        with computing.call() as is_alone:
            if is_alone or self.model.calls_at_once == 1:
                yield self._alone
                return
            stream = self._streams.get()
            try:
                yield stream
            finally:
                self._streams.put(stream)

    def _detection(self, corners: npt.NDArray[np.float32], score: float) -> Detection:
        left, top = corners.min(axis=0).tolist()
        right, bottom = corners.max(axis=0).tolist()
        points: list[Point] = [(float(x), float(y)) for x, y in corners]
        return Detection(
            xyxy=(left, top, right, bottom),
            label=self.model.labels[0],
            class_id=0,
            confidence=min(max(float(score), 0.0), 1.0),
            corners=(points[0], points[1], points[2], points[3]),
        )


def open_text_detector(
    name: str, settings: ModelSettings, runtime: Runtime, *, side_by_side: bool = False
) -> TextDetector:
    """Load weights of kind `text-detection`.

    Raises:
        ModelError: missing or damaged weights, or RapidOCR is not installed.
    """
    file = resolve(name, settings, suffix=".onnx")
    return TextDetector(
        file,
        runtime,
        threads=settings.threads,
        min_confidence=settings.min_confidence,
        device=settings.device,
        side_by_side=side_by_side,
    )
