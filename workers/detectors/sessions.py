"""One exported YOLO in a runtime: pictures in, rows out."""

from __future__ import annotations

import ast
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from sightline.errors import ModelError
from workers.models.files import ModelFile
from workers.models.registry import ModelSpec, Runtime
from workers.models.runtimes import CUDA, onnxruntime_options, onnxruntime_providers, require_cuda

Rows = npt.NDArray[np.float32]
Batch = npt.NDArray[np.uint8]

_ON_CPU = 4


class Session(Protocol):
    """Weights ready to run. Each session prepares the bytes by itself, as torch does it best on its device."""

    runtime: Runtime
    labels: tuple[str, ...]  #: what the file itself says; empty if it says nothing
    input_size: tuple[int, int] | None  #: width and height where the file fixes them
    batch_size: int | None  #: where the file fixes it
    most_at_once: int | None  #: pictures in one call; more would take memory and no less time
    calls_at_once: int  #: `forward` may be called by so many threads side by side

    def forward(self, batch: Batch) -> Rows:
        """(N, height, width, 3) BGR -> what the head of the network says of each picture."""
        ...

    def expect(self, input_size: tuple[int, int]) -> None:
        """Get ready for inputs of this width and height, which will come often."""
        ...


class OnnxruntimeSession:
    """On CUDA where `device` means it and onnxruntime has it, else on the CPU."""

    runtime: Runtime = "onnxruntime"
    calls_at_once = 1

    def __init__(self, file: ModelFile, *, threads: int, device: str = "cpu") -> None:
        import onnxruntime

        options, providers = onnxruntime_options(threads), onnxruntime_providers(device)
        try:
            self._session = onnxruntime.InferenceSession(file.path, options, providers=list(providers.items()))
        except Exception as error:  # onnxruntime's errors have no root of their own
            raise cannot_load(file, error) from error
        used = self._session.get_providers()
        require_cuda(file.name, device, used)  # it goes on without those it cannot load
        self.most_at_once: int | None = None if CUDA in used else _ON_CPU
        (self._input,) = self._session.get_inputs()
        self._takes_bgr_bytes = takes_bgr_bytes(file.spec)
        self._type = np.float16 if self._input.type == "tensor(float16)" else np.float32
        self.batch_size, self.input_size = fixed_sizes(self._input.shape)
        self.labels = parse_labels(self._session.get_modelmeta().custom_metadata_map.get("names", ""))

    def forward(self, batch: Batch) -> Rows:
        tensor = to_tensor(batch, takes_bgr_bytes=self._takes_bgr_bytes).astype(self._type, copy=False)
        rows = self._session.run(None, {self._input.name: tensor})[0]
        return np.asarray(rows, np.float32)

    def expect(self, input_size: tuple[int, int]) -> None:
        """All sizes are alike to it."""


def takes_bgr_bytes(spec: ModelSpec) -> bool:
    """Whether a model wants the values of the bytes as they are, BGR 0..255; all others want RGB 0..1."""
    return spec.kind == "yolox"


def to_tensor(batch: Batch, *, takes_bgr_bytes: bool = False) -> npt.NDArray[np.float32]:
    """(N, height, width, 3) BGR 0..255 -> (N, 3, height, width), RGB 0..1 or unchanged values."""
    scale = 1.0 if takes_bgr_bytes else 1 / 255
    return np.asarray(cv2.dnn.blobFromImages(list(batch), scale, swapRB=not takes_bgr_bytes), np.float32)


def parse_labels(names: str) -> tuple[str, ...]:
    """The labels of an exported file, whose metadata has them as the text of a Python dict: `{0: 'plate'}`."""
    try:
        found = ast.literal_eval(names or "{}")
    except (ValueError, SyntaxError):
        return ()
    if not isinstance(found, dict) or set(found) != set(range(len(found))):
        return ()
    return tuple(str(found[index]) for index in range(len(found)))


def fixed_sizes(shape: list[Any]) -> tuple[int | None, tuple[int, int] | None]:
    """Batch size, and width and height, where an input of this shape (N, 3, height, width) fixes them."""
    batch, _, height, width = (size if isinstance(size, int) and size > 0 else None for size in shape)
    return batch, (width, height) if width and height else None


def cannot_load(file: ModelFile, error: Exception) -> ModelError:
    """What to raise where a runtime refuses a file."""
    return ModelError(
        f"model {file.name!r}: {file.path} cannot be loaded: {str(error).strip().splitlines()[-1][:300]}. "
        "Delete it to have it fetched or exported again",
        model=file.name,
    )
