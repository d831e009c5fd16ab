"""The YOLO detector: letterbox, forward in some runtime, decode. All runtimes share what is before and after.

What a kind of YOLO needs of its own: its head (`heads.py`), and where in the input the picture lies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sightline.errors import ModelError
from sightline.settings import ModelSettings
from sightline.types import Detection
from sightline.wire.models import LoadedModel
from workers.detectors.heads import HEADS
from workers.detectors.letterbox import Placement, letterbox, resize
from workers.detectors.openvino_session import OpenvinoSession
from workers.detectors.scale_fusion import LEAST_CONFIDENCE, agree, large_ones
from workers.detectors.sessions import OnnxruntimeSession, Rows, Session
from workers.models.coco import LABELS as COCO_LABELS
from workers.models.files import ModelFile, resolve
from workers.models.registry import Runtime, find_model
from workers.pixels.images import BgrImage

_STRIDE = 64  #: pixels; sides of the input are multiples of it, a wide picture takes a wide input


class YoloDetector:
    """Finds objects with a YOLO of any kind that `heads.py` knows.

    Where the file does not fix its input, a picture gets one of its own shape, its longest side `input_size`: a 16:9
    picture then costs 3/5 of a square. Pictures of one shape share a batch. A model may ask for a second look.
    """

    def __init__(self, file: ModelFile, session: Session, *, min_confidence: float) -> None:
        self._head = HEADS[file.spec.kind]
        self._is_yolox = file.spec.kind == "yolox"
        self._longest = [file.spec.input_size]
        if file.spec.second_look and not session.input_size:
            self._longest.append(file.spec.second_look)
        self._last_look = None if session.input_size else file.spec.last_look
        self.model = LoadedModel(
            name=file.name,
            sha256=file.sha256,
            runtime=session.runtime,
            labels=file.spec.labels or session.labels or (COCO_LABELS if self._is_yolox else ()),
            input_size=session.input_size or (max(self._longest), max(self._longest)),
            most_at_once=session.most_at_once,
            calls_at_once=session.calls_at_once,
            crop_margin=file.spec.crop_margin,
            context=file.spec.context,
        )
        self._session = session
        self._min_confidence = min_confidence
        self._least_confidence = min(min_confidence, LEAST_CONFIDENCE) if len(self._longest) > 1 else min_confidence

    def detect(self, images: Sequence[BgrImage]) -> list[list[Detection]]:
        small = [self._shrunk(image) for image in images]
        looks = [self._look(images, small, longest) for longest in self._longest]
        if len(looks) == 1:
            return looks[0]
        found = [agree(of_image, self._min_confidence) for of_image in zip(*looks, strict=True)]
        empty = [index for index, of_image in enumerate(found) if not of_image]
        if self._last_look and empty:
            again = self._look([images[one] for one in empty], [small[one] for one in empty], self._last_look)
            for index, of_image in zip(empty, again, strict=True):
                found[index] = large_ones(of_image, images[index].shape[1])
        return found

    def _shrunk(self, image: BgrImage) -> BgrImage:
        """As large as the closest look needs it: the others take far less time from there than from the image."""
        scale = min(1.0, max(self.model.input_size) / max(image.shape[:2]))
        return resize(image, max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))

    def _look(self, images: Sequence[BgrImage], small: Sequence[BgrImage], longest: int) -> list[list[Detection]]:
        """The detections of each image; `small` are the same images, smaller perhaps."""
        sizes = [self._session.input_size or _input_size(image, longest) for image in images]
        found: dict[int, list[Detection]] = {}
        for size in sorted(set(sizes)):
            alike = [index for index, own in enumerate(sizes) if own == size]
            most = self._session.batch_size or self._session.most_at_once or len(alike)
            for first in range(0, len(alike), most):
                part = alike[first : first + most]
                batch, placements = letterbox([small[index] for index in part], size, centered=not self._is_yolox)
                for index, placement, rows in zip(part, placements, self._forward(batch), strict=False):
                    shape = images[index].shape[:2]
                    found[index] = decode(rows, placement, shape, self.model.labels, self._least_confidence)
        return [found[index] for index in range(len(images))]

    def warm(self) -> None:
        usual = np.zeros((720, 1280, 3), np.uint8)
        for longest in self._longest:
            self._session.expect(self._session.input_size or _input_size(usual, longest))
        self.detect([usual])

    def _forward(self, batch: npt.NDArray[np.uint8]) -> list[Rows]:
        """The rows of each picture, and of the blanks behind them."""
        missing = (self._session.batch_size or len(batch)) - len(batch)
        if missing:  # exported with a fixed batch: fill up with blanks
            batch = np.concatenate([batch, np.zeros((missing, *batch.shape[1:]), np.uint8)])
        output = self._session.forward(batch)
        size = (batch.shape[2], batch.shape[1])
        self._check(output.shape, (len(batch), *self._head.shape(len(self.model.labels), size)))
        return [self._head.rows(of_picture, size, self._least_confidence) for of_picture in output]

    def _check(self, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
        """Whether the output has the shape that the kind gives it; 0: any number."""
        if len(shape) == len(wanted) and all(
            not right or size == right for size, right in zip(shape, wanted, strict=True)
        ):
            return
        name, labels = self.model.name, len(self.model.labels)
        raise ModelError(
            f"model {name!r}: output {shape} instead of {str(wanted).replace(' 0', ' any')}: its kind must be `yolo26` "
            "with an end-to-end head (`python -m workers.detectors.export` makes such a file), `yolox` as YOLOX is "
            f"published, or `yolo-raw` without; and `labels` must name all its classes (now {labels})",
            model=name,
        )


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
    boxes = placement.to_picture(kept[:, :4], width, height)
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


def open_yolo_detector(name: str, settings: ModelSettings, runtime: Runtime) -> YoloDetector:
    """Load weights of any kind of YOLO.

    Raises:
        ModelError: not a YOLO, missing or damaged weights, or no such device; says what to do.
    """
    if (kind := find_model(name, settings).kind) not in HEADS:
        raise ModelError(f"model {name!r} has the kind `{kind}` and is no detector", model=name)
    file = resolve(name, settings, suffix=".pt" if runtime == "torch" else ".onnx")
    session: Session
    if runtime == "torch":
        from workers.detectors.torch_session import TorchSession

        session = TorchSession(file, device=settings.device, half=settings.half, threads=settings.threads)
    elif runtime == "openvino":
        session = OpenvinoSession(file, half=settings.half, threads=settings.threads)
    else:
        session = OnnxruntimeSession(file, threads=settings.threads, device=settings.device)
    return YoloDetector(file, session, min_confidence=max(settings.min_confidence, file.spec.min_confidence))


def _input_size(image: BgrImage, longest: int) -> tuple[int, int]:
    """Width and height of an input that holds the image, its longest side made this long."""
    height, width = image.shape[:2]
    scale = longest / max(width, height)
    return math.ceil(width * scale / _STRIDE) * _STRIDE, math.ceil(height * scale / _STRIDE) * _STRIDE
