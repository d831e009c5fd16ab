"""PaddleOCR recognition on onnxruntime, without paddlepaddle. It has its own environment, as it pins another OpenCV."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sightline.errors import ModelError
from sightline.settings import ModelSettings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from workers.pixels.images import BgrImage

_NAME = "paddleocr"
_HOW_TO_MAKE = "make it with `python -m workers.recognizers.paddle_folder FOLDER` where RapidOCR is installed"


class PaddleRecognizer:
    """Reads lines of text. PaddleOCR tells no confidence of single characters, so `char_confidences` stays empty."""

    def __init__(self, folder: Path, *, threads: int) -> None:
        weights, model_name = folder / "inference.onnx", _model_name(folder)
        # Without this, PaddleOCR looks for its model hosts on the internet.
        os.environ.setdefault("PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK", "True")
        try:
            from paddleocr import TextRecognition  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise ModelError(
                f"SIGHTLINE_RECOGNIZER=paddleocr needs PaddleOCR ({error}): pip install -e '.[paddle]' in an "
                "environment of its own, or use SIGHTLINE_RECOGNIZER=rapidocr",
                model=_NAME,
            ) from error
        config = {"intra_op_num_threads": threads} if threads else {}
        try:
            self._paddle: Any = TextRecognition(
                model_name=model_name, model_dir=str(folder), engine="onnxruntime", engine_config=config, device="cpu"
            )
        except Exception as error:  # PaddleOCR passes on whatever its parts raise
            raise ModelError(
                f"{folder} cannot be loaded by PaddleOCR: {error!r:.300}; {_HOW_TO_MAKE}", model=_NAME
            ) from error
        with weights.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self._free = threading.Lock()  # PaddleOCR keeps what it is at in itself
        self.model = LoadedModel(name=model_name, sha256=sha256, runtime="paddleocr", input_size=(320, 48))

    def recognize(self, crops: Sequence[BgrImage]) -> list[Reading]:
        if not crops:
            return []
        # One crop a call: PaddleOCR pads a batch to its widest crop, so that a text would depend on its neighbors,
        # and on a CPU a batch is not faster.
        with self._free:
            return [_reading(result) for result in self._paddle.predict(list(crops), batch_size=1)]


def open_paddle_recognizer(settings: ModelSettings) -> PaddleRecognizer:
    """Load the folder that `SIGHTLINE_PADDLEOCR_DIR` names.

    Raises:
        ModelError: PaddleOCR is not installed or the folder is missing or incomplete; says what to do.
    """
    folder = settings.paddleocr_dir
    if folder is None:
        raise ModelError(f"SIGHTLINE_PADDLEOCR_DIR must name a folder with the weights; {_HOW_TO_MAKE}", model=_NAME)
    for name in ("inference.onnx", "inference.yml"):
        if not (folder / name).is_file():
            raise ModelError(f"SIGHTLINE_PADDLEOCR_DIR: {folder / name} is missing; {_HOW_TO_MAKE}", model=_NAME)
    return PaddleRecognizer(folder, threads=settings.threads)


def _model_name(folder: Path) -> str:
    import yaml

    try:
        return str(yaml.safe_load((folder / "inference.yml").read_text("utf-8"))["Global"]["model_name"])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        raise ModelError(f"{folder}/inference.yml has no Global.model_name; {_HOW_TO_MAKE}", model=_NAME) from error


def _reading(result: Any) -> Reading:
    text = str(result["rec_text"]).strip()
    if not text:
        return Reading(text="", confidence=0.0)
    return Reading(text=text, confidence=min(max(float(result["rec_score"]), 0.0), 1.0))
