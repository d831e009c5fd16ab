"""Which models there are work for, and what executes them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from sightline.entry_points import RECOGNIZERS, OneOf
from sightline.settings.group import Count, Group, Milliseconds


class ModelSettings(Group):
    """What finds and what reads, with which runtime."""

    title = "Models"

    max_batch_size: Count = Field(
        16, description="Images in one model call, at most; four times as many as are in calls are decoded at once."
    )
    max_wait_ms: Milliseconds = Field(0, description="How long a free model waits to fill its batch.")
    runtime: Literal["auto", "torch", "onnxruntime", "openvino"] = Field("auto", description="What executes models.")
    device: str = Field("auto", description="`auto`, `cpu`, `cuda`, `cuda:1`, `mps`.")
    half: bool = Field(True, description="Half precision where the device has it.")
    threads: Annotated[int, Field(ge=0)] = Field(
        0, description="Threads of a model call; 0: as many as there are cores."
    )
    plates_model: str = Field(
        "plates-detector",
        description="Detector of `plates`, a name of the model registry; `ppocr-text` finds any text.",
    )
    objects_model: str = Field(
        "yolox-s", description="Detector of `objects`; `yolox-nano` is the fastest, `yolox-x` the most accurate."
    )
    text_model: str = Field("ppocr-text", description="Detector of `text`.")
    models_file: Path | None = Field(
        None, description="A TOML file with models of your own; see `docs/reference/models.md`."
    )
    models_dir: Path = Field(
        Path.home() / ".cache" / "sightline" / "models",
        description="Downloaded weights; where there is no network, put the files there by hand.",
    )
    offline: bool = Field(False, description="Never download weights.")
    recognizer: Annotated[str, OneOf(("rapidocr", "paddleocr", "stub"), (RECOGNIZERS,))] = Field(
        "rapidocr", description="What reads text; `stub` reads only the synthetic pictures of `sightline.testing`."
    )
    plates_recognizer: Annotated[str, OneOf(("auto", "", "plates", "voted"), (RECOGNIZERS,))] = Field(
        "auto",
        description="What reads the crops of `plates`: `plates`, our own recognizer, which reads whole plates only; "
        "`voted`, it and PP-OCR where it is in doubt. Empty: `recognizer`. `auto`: `voted` with `plates-detector`, "
        "`recognizer` with any other detector.",
    )
    plates_close_look: Literal["photos", "all", "none"] = Field(
        "photos",
        description="Where `plates` finds nothing on a picture of 960 px or more, it looks at its parts in full "
        "size, which takes about seven times as long in 1920 x 1080, and up to three times that on larger ones: on "
        "`photos`, on `all` frames, or `none`.",
    )
    plate_countries: str = Field(
        "",
        description="Countries whose formats decide between characters that look alike (O and 0), such as `sk,cz`. "
        "Empty: those of all countries, which fit nearly everything and decide next to nothing.",
    )
    paddleocr_dir: Path | None = Field(
        None, description="Folder with `inference.onnx` and `inference.yml` for PaddleOCR."
    )
    min_confidence: Annotated[float, Field(ge=0, le=1)] = Field(0.25, description="Detections below are not kept.")
    min_reading_confidence: Annotated[float, Field(ge=0, le=1)] = Field(0.5, description="Readings below are not kept.")

    @property
    def whole_plates_recognizer(self) -> str:
        """What `plates_recognizer` comes to."""
        if self.plates_recognizer != "auto":
            return self.plates_recognizer
        return "voted" if self.plates_model == "plates-detector" else ""
