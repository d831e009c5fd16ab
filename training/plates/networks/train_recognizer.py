"""`python -m training.plates.networks.train_recognizer CROPS FOLDER`: train the recognizer on drawn crops.

Writes `checkpoint.pt` (all that is needed to go on) and `weights.pt` (the averaged weights) into FOLDER; started
again, it goes on where it was, also with other crops (`--until`). `--steps` makes a run that can be repeated;
`--minutes` one that ends in time on any machine.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional as F  # noqa: N812  # pyright: ignore[reportMissingImports]

from training.plates.networks.network import PlateNet
from training.plates.networks.start import start_from
from workers.recognizers.ctc import CHARACTERS, decode

_BATCH = 32
_HELD_OUT = 1024  #: last crops of the set, never trained on
_WARM_UP = 300  #: steps
_AVERAGE = 0.999  #: share of the old in the averaged weights, each step


class Crops(NamedTuple):
    images: npt.NDArray[np.uint8]
    texts: list[str]


def load_crops(folder: Path) -> Crops:
    texts = [line.split("\t")[0] for line in (folder / "texts.txt").read_text("ascii").splitlines()]
    return Crops(np.load(folder / "crops.npy", mmap_mode="r"), texts)


def train(
    crops: Crops,
    folder: Path,
    *,
    steps: int,
    minutes: float,
    peak_rate: float,
    seed: int,
    start: Path | None = None,
    until: int = 0,
) -> None:
    torch.manual_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    network = PlateNet().to(memory_format=torch.channels_last)
    if start is not None:
        start_from(start, network, crops.images[-_HELD_OUT:])
    averaged = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.AdamW(network.parameters(), lr=peak_rate, weight_decay=0.02)
    step, spent_s = _resume(folder, network, averaged, optimizer)
    began, losses = time.monotonic() - spent_s, []
    while (not until or step < until) and (
        done := max(step / steps if steps else 0, (time.monotonic() - began) / 60 / minutes if minutes else 0)
    ) < 1:
        rate = peak_rate * min((step + 1) / _WARM_UP, 1) * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses.append(_step(network, optimizer, *_batch(crops, step, seed)))
        step += 1
        keep = min(_AVERAGE, step / (step + 20))
        for name, value in network.state_dict().items():
            averaged[name].lerp_(value, 1 - keep) if value.is_floating_point() else averaged[name].copy_(value)
        if step % 100 == 0:
            print(
                f"{time.monotonic() - began:7.0f} s  step {step}  done {done:.3f}  rate {rate:.5f}  "
                f"loss {np.mean(losses[-100:]):.4f}",
                flush=True,
            )
        if step % 1000 == 0:
            _save(folder, network, averaged, optimizer, step, time.monotonic() - began)
            print(f"held out: {_accuracy(averaged, crops):.4f}", flush=True)
    _save(folder, network, averaged, optimizer, step, time.monotonic() - began)
    print(f"done after {step} steps, held out: {_accuracy(averaged, crops):.4f}", flush=True)


def _batch(crops: Crops, step: int, seed: int) -> tuple[Tensor, list[str]]:
    """Crops in an order that depends on the seed alone; the last `_HELD_OUT` are left out."""
    count = len(crops.texts) - _HELD_OUT
    epoch, within = divmod(step, count // _BATCH)
    order = _order(count, seed + epoch)
    indices = np.sort(order[within * _BATCH : (within + 1) * _BATCH])
    rng = np.random.default_rng([seed, step])
    images = crops.images[indices].astype(np.float32)
    turned = rng.random(len(images)) < 0.06  # light on dark
    images[turned] = 255 - images[turned]
    shift = rng.integers(-4, 5, 2)
    images = np.roll(images, shift, (1, 2)) if rng.random() < 0.5 else images
    return torch.from_numpy(images)[:, None], [crops.texts[index] for index in indices]


_orders: dict[tuple[int, int], npt.NDArray[np.int64]] = {}


def _order(count: int, seed: int) -> npt.NDArray[np.int64]:
    if (count, seed) not in _orders:
        _orders.clear()
        _orders[count, seed] = np.random.default_rng(seed).permutation(count)
    return _orders[count, seed]


def _step(network: PlateNet, optimizer: torch.optim.Optimizer, images: Tensor, texts: list[str]) -> float:
    network.train()
    with torch.autocast("cpu", torch.bfloat16):
        scores = network(images.contiguous(memory_format=torch.channels_last))
    targets = torch.tensor([CHARACTERS.index(char) + 1 for text in texts for char in text], dtype=torch.long)
    lengths = torch.tensor([len(text) for text in texts])
    given = torch.full((len(texts),), scores.shape[1])
    each = F.ctc_loss(scores.transpose(0, 1), targets, given, lengths, reduction="none", zero_infinity=True)
    loss = each.mean() / 7  # 7: a usual text's length
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimizer.step()
    return loss.item()


@torch.no_grad()
def _accuracy(weights: dict[str, Tensor], crops: Crops) -> float:
    network = PlateNet().to(memory_format=torch.channels_last)
    network.load_state_dict(weights)
    network.eval()
    right = 0
    for start in range(len(crops.texts) - _HELD_OUT, len(crops.texts), 128):
        images = torch.from_numpy(crops.images[start : start + 128].astype(np.float32))[:, None]
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(images.contiguous(memory_format=torch.channels_last))
        right += sum(
            decode(one).text == text for one, text in zip(scores.exp().numpy(), crops.texts[start:], strict=False)
        )
    return right / _HELD_OUT


def _resume(
    folder: Path, network: PlateNet, averaged: dict[str, Tensor], optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    if not (folder / "checkpoint.pt").exists():
        return 0, 0.0
    saved: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    network.load_state_dict(saved["network"])
    optimizer.load_state_dict(saved["optimizer"])
    averaged.update(saved["averaged"])
    print(f"goes on at step {saved['step']}", flush=True)
    return saved["step"], saved["spent_s"]


def _save(
    folder: Path,
    network: PlateNet,
    averaged: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    step: int,
    spent_s: float,
) -> None:
    state = {
        "network": network.state_dict(),
        "averaged": averaged,
        "optimizer": optimizer.state_dict(),
        "step": step,
        "spent_s": spent_s,
    }
    torch.save(state, folder / "checkpoint.tmp")
    (folder / "checkpoint.tmp").replace(folder / "checkpoint.pt")
    torch.save(averaged, folder / "weights.tmp")
    (folder / "weights.tmp").replace(folder / "weights.pt")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.networks.train_recognizer", description=__doc__)
    parser.add_argument("crops", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--peak-rate", type=float, default=2e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--start", type=Path, help="a .onnx file of this network to train on from")
    parser.add_argument("--until", type=int, default=0, help="stop after so many steps, to go on with other crops")
    args = parser.parse_args()
    if not args.steps and not args.minutes:
        parser.error("--steps or --minutes must be given")
    torch.set_num_threads(args.threads)
    train(
        load_crops(args.crops),
        args.folder,
        steps=args.steps,
        minutes=args.minutes,
        peak_rate=args.peak_rate,
        seed=args.seed,
        start=args.start,
        until=args.until,
    )


if __name__ == "__main__":
    main()
