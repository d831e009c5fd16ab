"""What a loaded model says about itself; it goes into `StageRun`, so that every row names what made it."""

from __future__ import annotations

from sightline.types import Value


class LoadedModel(Value):
    """Weights in a runtime, ready to run."""

    name: str
    sha256: str  #: of the file that was loaded; empty for a stub
    runtime: str  #: `onnxruntime`, `openvino`, `torch`, `paddleocr` or `stub`
    labels: tuple[str, ...] = ()  #: label of each class_id
    input_size: tuple[int, int] = (0, 0)  #: width and height in pixels the model sees, at most
    most_at_once: int | None = None  #: pictures in one call: more would take memory and no less time
    calls_at_once: int = 1  #: calls that may run side by side, and are faster so
    crop_margin: float = 0.0  #: what is cut around its boxes too, as a share of their height
    #: Of a detector: what is cut at most, for recognizers that want more than `crop_margin`. Of a recognizer: what it
    #: wants around a box, as a share of its height; None: `crop_margin`.
    context: float | None = None
