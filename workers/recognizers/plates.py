"""Our own plate recognizer: one small network that reads plates of one or two lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import ModelError
from sightline.settings import ModelSettings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.models.computing import computing
from workers.models.files import ModelFile, resolve
from workers.models.registry import Runtime, find_model
from workers.models.runtimes import choose_runtime, onnxruntime_options, openvino_config, share_threads
from workers.pixels.images import BgrImage
from workers.recognizers.ctc import Decoded, Probabilities, decode
from workers.recognizers.formats import Formats, open_formats

_MODEL = "plates-recognizer"

#: What the network sees: a grey picture of this size, whatever the crop's shape was.
WIDTH_PX, HEIGHT_PX = 160, 64
#: Every crop is read so often, with this share of its height cut off all around: a box is never exact, and what of a
#: frame or of a neighbor is in the picture changes what is read. The surest reading counts.
_TRIMS = (0.0, 0.05, 0.1)
_WORTH_KEEPING = 0.005  #: likelihood of another character from which it is told
MARGIN = 0.15  #: what is around a box in a crop, as a share of its height


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
            context=MARGIN,
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
        return [surest(views) for views in self.look(crops)]

    def look(self, crops: Sequence[BgrImage]) -> list[Probabilities]:
        """What the network says of each crop: (views, steps, classes), see `ctc`."""
        found: list[Probabilities] = []
        for start in range(0, len(crops), self._max_batch_size):
            part = crops[start : start + self._max_batch_size]
            batch = np.stack([prepare(trimmed(crop, trim)) for crop in part for trim in _TRIMS])
            found.extend(np.split(self._forward(batch), len(part)))
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


def reading_of(decoded: Decoded, formats: Formats) -> Reading:
    """A decoded text, with the characters that the formats decide. Such a character counts what both were given."""
    if not decoded.text:
        return Reading(text="", confidence=0.0)
    text = formats.resolve(decoded.text, decoded.alternatives)
    confidences: list[float] = []
    alternatives: list[tuple[tuple[str, float], ...]] = []
    for old, new, sure, ranked in zip(decoded.text, text, decoded.confidences, decoded.alternatives, strict=True):
        both = sure if new == old else min(1.0, sure + dict(ranked).get(new, 0.0))
        others = ((char, round(p, 3)) for char, p in ranked if char != new and p >= _WORTH_KEEPING)
        confidences.append(both)
        alternatives.append(((new, round(both, 3)), *others))
    country = formats.likeliest(text)
    return Reading(
        text=text,
        confidence=sum(confidences) / len(confidences),
        char_confidences=tuple(confidences),
        alternatives=tuple(alternatives),
        country=country and country.code,
        country_confidence=country and round(country.confidence, 3),
    )


def surest(views: Probabilities) -> Decoded:
    """What the view says that is surest of its characters, on average."""
    return max(map(decode, views), key=lambda one: one.mean)


def trimmed(crop: npt.NDArray[np.uint8], trim: float) -> npt.NDArray[np.uint8]:
    """The crop without its edges, a share of its height; one too small for that as it is."""
    off = round(trim * crop.shape[0])
    return crop[off : crop.shape[0] - off, off : crop.shape[1] - off] if min(crop.shape[:2]) > 4 * off else crop


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
            with computing.call():
                return np.concatenate([_infer(request, crop) for crop in np.split(batch, len(batch) // len(_TRIMS))])
        finally:
            free.put(request)

    return forward


def _infer(request: Any, batch: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    request.infer([batch], share_inputs=True)
    return np.array(request.get_output_tensor(0).data, np.float32)  # lent: the next call writes over it
