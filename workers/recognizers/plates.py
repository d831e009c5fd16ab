"""Our own plate recognizer: one small network that reads plates of one or two lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import ModelError
from sightline.settings import ModelSettings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.models.files import ModelFile, resolve
from workers.models.registry import Runtime, find_model
from workers.models.runtimes import choose_runtime, onnxruntime_options, openvino_config, share_threads
from workers.pixels.images import BgrImage
from workers.recognizers.formats import Formats, open_formats

_MODEL = "plates-recognizer"

#: What the network sees: a grey picture of this size, whatever the crop's shape was.
WIDTH_PX, HEIGHT_PX = 160, 64
#: Every crop is read so often, with this share of its height cut off all around: a box is never exact, and what of a
#: frame or of a neighbor is in the picture changes what is read. The surest reading counts.
_TRIMS = (0.0, 0.05, 0.1)
#: Classes 1..36 of the network; class 0 is CTC's blank.
CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Decoded(NamedTuple):
    text: str
    confidences: tuple[float, ...]  #: of each character
    alternatives: tuple[tuple[tuple[str, float], ...], ...]  #: of each character, the likeliest first


class PlateRecognizer:
    """Reads plates: A-Z and 0-9, without separators. What shows no plate reads as nothing."""

    def __init__(
        self,
        file: ModelFile,
        runtime: Runtime,
        *,
        threads: int,
        max_batch_size: int,
        half: bool = False,
        formats: Formats | None = None,
    ) -> None:
        self.model = LoadedModel(
            name=file.name,
            sha256=file.sha256,
            runtime=runtime,
            input_size=(WIDTH_PX, HEIGHT_PX),
            calls_at_once=len(share_threads(threads)) if runtime == "openvino" else 1,
        )
        self.formats = formats or Formats()
        self._max_batch_size = max_batch_size
        try:
            if runtime == "openvino":
                self._forward = _openvino(file.path, threads, half)
            else:
                self._forward = _onnxruntime(file.path, threads)
        except Exception as error:  # the runtimes' errors have no root in common
            raise ModelError(
                f"model {file.name!r}: {file.path} cannot be loaded in {runtime}: {str(error)[:300]}", model=file.name
            ) from error

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        return [reading_of(decoded, self.formats) for decoded in self.decode(crops)]

    def decode(self, crops: Sequence[BgrImage]) -> list[Decoded]:
        """Like `recognize`, with the alternatives of every character."""
        found: list[Decoded] = []
        for start in range(0, len(crops), self._max_batch_size):
            part = crops[start : start + self._max_batch_size]
            batch = np.stack([prepare(_trimmed(crop, trim)) for crop in part for trim in _TRIMS])
            readings = [decode(one) for one in self._forward(batch)]
            found.extend(max(own, key=_sureness) for own in zip(*[iter(readings)] * len(_TRIMS), strict=True))
        return found


def open_plate_recognizer(settings: ModelSettings) -> PlateRecognizer:
    """Load the weights that come with Sightline, or what the models file calls `plates-recognizer`.

    Raises:
        ModelError: missing or damaged weights, or no runtime is installed.
        SettingsError: SIGHTLINE_PLATE_COUNTRIES names a country without formats.
    """
    formats = open_formats(settings)
    runtime = choose_runtime(_MODEL, find_model(_MODEL, settings), settings)
    file = resolve(_MODEL, settings, suffix=".onnx")
    return PlateRecognizer(
        file,
        runtime,
        threads=settings.threads,
        max_batch_size=settings.max_batch_size,
        half=settings.half,
        formats=formats,
    )


def prepare(crop: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A crop, BGR or grey, as the network wants it: grey, HEIGHT_PX x WIDTH_PX, stretched."""
    gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    shrinks = gray.shape[0] > HEIGHT_PX and gray.shape[1] > WIDTH_PX
    scaled = cv2.resize(gray, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8)


def decode(probabilities: npt.NDArray[np.float32], *, alternatives: int = 3) -> Decoded:
    """Greedy CTC of one crop's (steps, classes): runs of one class are one character, blanks fall out.

    A character's confidence is the best of its run, and its alternatives are those of that step.
    """
    classes = probabilities.argmax(1)
    starts = np.flatnonzero(np.diff(classes, prepend=-1))
    text: list[str] = []
    ranked: list[tuple[tuple[str, float], ...]] = []
    for start, end in zip(starts, [*starts[1:], len(classes)], strict=True):
        found = classes[start]
        if found == 0:
            continue
        peak = probabilities[start + probabilities[start:end, found].argmax()]
        best = np.argsort(-peak[1:])[:alternatives]
        text.append(CHARACTERS[found - 1])
        ranked.append(tuple((CHARACTERS[i], min(float(peak[i + 1]), 1.0)) for i in best.tolist()))
    return Decoded("".join(text), tuple(one[0][1] for one in ranked), tuple(ranked))


def reading_of(decoded: Decoded, formats: Formats) -> Reading:
    """A decoded text, with the characters that the formats decide. Such a character counts what both were given."""
    if not decoded.text:
        return Reading(text="", confidence=0.0)
    text = formats.resolve(decoded.text, decoded.alternatives)
    confidences = tuple(
        sure if new == old else min(1.0, sure + dict(alternatives).get(new, 0.0))
        for old, new, sure, alternatives in zip(
            decoded.text, text, decoded.confidences, decoded.alternatives, strict=True
        )
    )
    return Reading(text=text, confidence=sum(confidences) / len(confidences), char_confidences=confidences)


def _trimmed(crop: npt.NDArray[np.uint8], trim: float) -> npt.NDArray[np.uint8]:
    """The crop without its edges; one too small for that as it is."""
    off = round(trim * crop.shape[0])
    return crop[off : crop.shape[0] - off, off : crop.shape[1] - off] if min(crop.shape[:2]) > 4 * off else crop


def _sureness(reading: Decoded) -> float:
    return sum(reading.confidences) / max(1, len(reading.confidences))


def _onnxruntime(path: Path, threads: int) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, onnxruntime_options(threads), providers=["CPUExecutionProvider"])
    return lambda batch: np.asarray(session.run(None, {"crops": batch})[0], np.float32)


def _openvino(path: Path, threads: int, half: bool) -> Any:
    """A crop a call, which costs a tenth less than batches whose size changes."""
    import openvino

    core, free = openvino.Core(), SimpleQueue[Any]()
    model = core.read_model(path)
    model.reshape([len(_TRIMS), HEIGHT_PX, WIDTH_PX])
    for share in share_threads(threads):
        free.put(core.compile_model(model, "CPU", openvino_config(share, half=half)).create_infer_request())

    def forward(batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        request = free.get()
        try:
            return np.concatenate([_infer(request, crop) for crop in np.split(batch, len(batch) // len(_TRIMS))])
        finally:
            free.put(request)

    return forward


def _infer(request: Any, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    request.infer([batch], share_inputs=True)
    return np.array(request.get_output_tensor(0).data, np.float32)  # lent: the next call writes over it
