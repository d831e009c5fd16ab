"""`python -m training.plates.export_recognizer WEIGHTS.pt OUT.onnx`: the trained recognizer as a small ONNX file.

Input `crops` (N, 64, 160) uint8, output `probabilities` (N, 80, 37). Weights are stored as float16 and computed in
float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import onnx
import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

from training.plates.halve import halve
from training.plates.network import PlateNet
from workers.recognizers.plates import CHARACTERS, HEIGHT_PX, WIDTH_PX


class _Exported(nn.Module):
    def __init__(self, network: PlateNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return self.network(crops[:, None].float()).exp()


def export(weights: Path, target: Path) -> None:
    network = PlateNet()
    network.load_state_dict(torch.load(weights, weights_only=True))
    example = torch.zeros(2, HEIGHT_PX, WIDTH_PX, dtype=torch.uint8)
    torch.onnx.export(
        _Exported(network.eval()),
        (example,),
        str(target),
        input_names=["crops"],
        output_names=["probabilities"],
        dynamic_axes={"crops": {0: "batch"}, "probabilities": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    model = halve(onnx.load(target))
    model.metadata_props.add(key="characters", value=CHARACTERS)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.export_recognizer", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    export(args.weights, args.target)
    print(f"{args.target}: {args.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
