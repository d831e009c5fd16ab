"""`python -m training.plates.networks.export_detector CHECKPOINT.pt TARGET`: the trained detector as files.

TARGET.pt and TARGET.onnx are written.

The `.pt` file is what ultralytics reads. The ONNX file has the input `images` (N, 3, height, width) RGB 0..1, sides
multiples of 32, and the output (N, 5, boxes): center x, center y, width, height in pixels, confidence. Its weights are
stored as float16 and computed in float32.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import onnx
import torch  # pyright: ignore[reportMissingImports]

from training.plates.networks.halve import halve
from training.plates.networks.train_detector import build_network


def export(checkpoint: Path, target: Path) -> None:
    os.environ.setdefault("YOLO_OFFLINE", "true")
    from ultralytics import YOLO  # pyright: ignore[reportMissingImports]

    network = build_network().cpu()
    network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["averaged"])
    yolo = YOLO("yolo26n.yaml", task="detect")
    yolo.model = network.to(memory_format=torch.contiguous_format).half().eval()
    yolo.save(target.with_suffix(".pt"))
    made = YOLO(target.with_suffix(".pt")).export(format="onnx", dynamic=True, simplify=True, imgsz=640, verbose=False)
    model = halve(onnx.load(made))
    onnx.checker.check_model(model)
    onnx.save(model, target.with_suffix(".onnx"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.networks.export_detector", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    export(args.checkpoint, args.target)
    for suffix in (".pt", ".onnx"):
        print(f"{args.target.with_suffix(suffix)}: {args.target.with_suffix(suffix).stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
