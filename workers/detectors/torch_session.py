"""YOLO in torch, on CUDA, MPS or CPU. The only file that uses ultralytics, an optional AGPL-3.0 library."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from sightline.errors import ModelError
from workers.detectors.sessions import Batch, Rows
from workers.models.files import ModelFile
from workers.models.registry import Runtime


class TorchSession:
    runtime: Runtime = "torch"
    input_size: tuple[int, int] | None = None
    batch_size: int | None = None
    most_at_once: int | None = None
    calls_at_once = 1

    def __init__(self, file: ModelFile, *, device: str, half: bool, threads: int) -> None:
        import torch  # pyright: ignore[reportMissingImports]

        if threads:
            torch.set_num_threads(threads)
        self._torch: Any = torch
        self._device = _find_device(torch, device, file.name)
        self._dtype = torch.float16 if half and self._device.type == "cuda" else torch.float32
        net, names = load_net(file)
        self._net: Any = net.to(self._device, self._dtype)
        self.labels = tuple(str(names[index]) for index in sorted(names))

    def forward(self, batch: Batch) -> Rows:
        with self._torch.inference_mode():
            # Bytes go to the device, a quarter of what floats would be; channels are turned to RGB there.
            pixels = self._torch.from_numpy(batch).to(self._device, non_blocking=True)
            tensor = pixels.flip(-1).permute(0, 3, 1, 2).to(self._dtype).div_(255)
            rows = self._net(tensor)
            rows = rows[0] if isinstance(rows, (tuple, list)) else rows
            return np.asarray(rows.float().cpu().numpy(), np.float32)

    def expect(self, input_size: tuple[int, int]) -> None:
        """All sizes are alike to it."""


def load_net(file: ModelFile) -> tuple[Any, dict[int, str]]:
    """The fused torch module with the head that its kind names, and its labels.

    Raises:
        ModelError: ultralytics is not installed, or the file is not a YOLO of torch.
    """
    # Without this, importing ultralytics probes the internet and may install packages.
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    try:
        from ultralytics import YOLO  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ModelError(f"model {file.name!r} needs ultralytics: pip install -e '.[gpu]'", model=file.name) from error
    try:
        yolo: Any = YOLO(file.path, task="detect")
        if file.spec.kind == "yolo26":
            yolo.model.end2end = True  # ultralytics otherwise takes the head that needs non-maximum suppression
        return yolo.model.eval().fuse(verbose=False), dict(yolo.names)
    except Exception as error:  # unpickling a damaged file can raise anything
        raise ModelError(
            f"model {file.name!r}: {file.path} cannot be loaded: {error!r:.300}. Delete it to have it fetched again",
            model=file.name,
        ) from error


def _find_device(torch: Any, device: str, model: str) -> Any:
    """`auto`: CUDA, else MPS, else the CPU. A device that was asked for by name must be there."""
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(kind for kind, there in has.items() if there))
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"SIGHTLINE_DEVICE={device}: not a device torch knows", model=model) from error
    count = torch.cuda.device_count() if found.type == "cuda" else 1
    if not has.get(found.type) or (found.index or 0) >= count:
        raise ModelError(
            f"SIGHTLINE_DEVICE={device}: torch {torch.__version__} finds no such device; there are: "
            + ", ".join(kind for kind, there in has.items() if there),
            model=model,
        )
    return found
