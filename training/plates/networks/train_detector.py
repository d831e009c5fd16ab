"""`python -m training.plates.networks.train_detector SCENES FOLDER`: train the plate detector on drawn pictures.

The network is YOLO26n of ultralytics with one class and its one-to-many head alone (raw boxes, to be thinned by
non-maximum suppression): the head without NMS needs far longer training. Sizes change from step to step, so that
plates across the street and plates that fill the picture are both found. bfloat16 and channels-last are 2-3 times as
fast as float32 on CPUs that have the instructions for it.

Writes `checkpoint.pt` (all that is needed to go on) into FOLDER; started again, it goes on where it was. `--steps`
makes a run that can be repeated; `--minutes` one that ends in time on any machine.
"""

from __future__ import annotations

import argparse
import math
import time
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]
from ultralytics.cfg import get_cfg  # pyright: ignore[reportMissingImports]
from ultralytics.nn.tasks import DetectionModel, yaml_model_load  # pyright: ignore[reportMissingImports]
from ultralytics.utils.torch_utils import ModelEMA  # pyright: ignore[reportMissingImports]

_BATCH = 16
_WARM_UP = 150  #: steps
_SIZES_PX = (288, 320, 352, 384, 416, 448, 512, 576)
_SIZE_CHANCES = (0.06, 0.10, 0.14, 0.30, 0.20, 0.08, 0.08, 0.04)  #: small ones are quick, and enough most of the time
_CHECKPOINT_EVERY = 250


class Scenes:
    """Pictures as files in memory, with their boxes: center x, center y, width, height as shares."""

    def __init__(self, folder: Path) -> None:
        pictures = sorted((folder / "images").glob("*.jpg"))
        self.files = [np.fromfile(path, np.uint8) for path in pictures]
        self.boxes = [_read_label(folder / "labels" / f"{path.stem}.txt") for path in pictures]


def build_network() -> DetectionModel:
    """YOLO26n with one class, random weights, without the end-to-end head."""
    config = yaml_model_load("yolo26n.yaml")
    config["end2end"] = False
    network = DetectionModel(config, nc=1, verbose=False)
    network.names = {0: "plate"}
    network.args = get_cfg()
    return network.to(memory_format=torch.channels_last)


def train(
    scenes: Scenes, folder: Path, *, steps: int, minutes: float, peak_rate: float, seed: int, device: str
) -> None:
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    network = build_network().to(device).train()
    averaged = ModelEMA(network, decay=0.9995, tau=400)
    optimizer = _optimizer(network, peak_rate)
    step, spent_s = _resume(folder, network, averaged, optimizer)
    began, losses = time.monotonic() - spent_s, []
    while (done := max(step / steps if steps else 0, (time.monotonic() - began) / 60 / minutes if minutes else 0)) < 1:
        warm = min((step + 1) / _WARM_UP, 1)
        for group in optimizer.param_groups:
            group["lr"] = peak_rate * warm * (0.51 + 0.49 * math.cos(math.pi * done))
        losses.append(_step(network, optimizer, _batch(scenes, step, seed, device)))
        averaged.update(network)
        step += 1
        if step % 50 == 0:
            box, class_, rest = np.mean(losses[-50:], axis=0)
            spent_s = time.monotonic() - began
            print(
                f"{spent_s:7.0f} s  step {step}  done {done:.3f}  box {box:.3f}  class {class_:.3f}  l1 {rest:.3f}",
                flush=True,
            )
        if step % _CHECKPOINT_EVERY == 0:
            _save(folder, network, averaged, optimizer, step, time.monotonic() - began)
    _save(folder, network, averaged, optimizer, step, time.monotonic() - began)
    print(f"done after {step} steps of {_BATCH} pictures", flush=True)


def _optimizer(network: nn.Module, peak_rate: float) -> torch.optim.Optimizer:
    """No weight decay on norms and biases."""
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [{"params": weights, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=peak_rate)


def _batch(scenes: Scenes, step: int, seed: int, device: str) -> dict[str, Tensor]:
    """Pictures in an order, and at a size, that depend on the seed and the step alone."""
    epoch, within = divmod(step, len(scenes.files) // _BATCH)
    chosen = _order(len(scenes.files), seed + epoch)[within * _BATCH : (within + 1) * _BATCH]
    rng = np.random.default_rng([seed, step])
    size_px = int(rng.choice(_SIZES_PX, p=_SIZE_CHANCES))
    pictures = np.stack([_picture(scenes.files[index], size_px) for index in chosen])
    swapped = rng.random(_BATCH) < 0.08  # red for blue: other paints
    pictures[swapped] = pictures[swapped][..., ::-1]
    boxes = [scenes.boxes[index] for index in chosen]
    owner = np.repeat(np.arange(_BATCH), [len(each) for each in boxes])
    images = torch.from_numpy(pictures[..., ::-1].copy()).permute(0, 3, 1, 2)
    batch = {
        "img": images.float().div_(255).contiguous(memory_format=torch.channels_last),
        "cls": torch.zeros(len(owner), 1),
        "bboxes": torch.from_numpy(np.concatenate(boxes)).float().reshape(-1, 4),
        "batch_idx": torch.from_numpy(owner).float(),
    }
    return {name: value.to(device) for name, value in batch.items()}


def _picture(file: npt.NDArray[np.uint8], size_px: int) -> npt.NDArray[np.uint8]:
    picture = cv2.imdecode(file, cv2.IMREAD_COLOR)
    assert picture is not None
    shrinks = size_px < picture.shape[0]
    return np.asarray(
        cv2.resize(picture, (size_px, size_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8
    )


def _step(network: DetectionModel, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor]) -> list[float]:
    """One step; returns the losses of box, class and distance."""
    with torch.autocast(batch["img"].device.type, torch.bfloat16):
        predictions = network(batch["img"])
    loss, parts = network.loss(batch, _in_float32(predictions))
    optimizer.zero_grad(set_to_none=True)
    loss.sum().backward()
    nn.utils.clip_grad_norm_(network.parameters(), 10.0)
    optimizer.step()
    return [float(value) for value in parts.values()]


def _in_float32(value: Any) -> Any:
    """The loss sums many small numbers, too fine for bfloat16."""
    if torch.is_tensor(value):
        return value.float() if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _in_float32(part) for key, part in value.items()}
    return type(value)(_in_float32(part) for part in value) if isinstance(value, (list, tuple)) else value


@lru_cache(1)
def _order(count: int, seed: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(seed).permutation(count)


def _read_label(path: Path) -> npt.NDArray[np.float64]:
    return np.array([line.split()[1:] for line in path.read_text("ascii").splitlines()], np.float64).reshape(-1, 4)


def _resume(
    folder: Path, network: nn.Module, averaged: ModelEMA, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    if not (folder / "checkpoint.pt").exists():
        return 0, 0.0
    saved: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    network.load_state_dict(saved["network"])
    averaged.ema.load_state_dict(saved["averaged"])
    averaged.updates = saved["step"]
    optimizer.load_state_dict(saved["optimizer"])
    print(f"goes on at step {saved['step']}", flush=True)
    return saved["step"], saved["spent_s"]


def _save(
    folder: Path, network: nn.Module, averaged: ModelEMA, optimizer: torch.optim.Optimizer, step: int, spent_s: float
) -> None:
    state = {
        "network": network.state_dict(),
        "averaged": averaged.ema.state_dict(),
        "optimizer": optimizer.state_dict(),
        "step": step,
        "spent_s": spent_s,
    }
    torch.save(state, folder / "checkpoint.tmp")
    (folder / "checkpoint.tmp").replace(folder / "checkpoint.pt")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.networks.train_detector", description=__doc__)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--peak-rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if not args.steps and not args.minutes:
        parser.error("--steps or --minutes must be given")
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(1)
    train(
        Scenes(args.scenes),
        args.folder,
        steps=args.steps,
        minutes=args.minutes,
        peak_rate=args.peak_rate,
        seed=args.seed,
        device="cuda" if torch.cuda.is_available() else "cpu",
    )


if __name__ == "__main__":
    main()
