"""`python -m training.plates.networks.export_recognizer WEIGHTS.pt ... OUT.onnx`: the recognizer as a small ONNX file.

Of several files the mean is taken: weights from the ends of several rounds of one training read better together
(Izmailov et al., Averaging Weights Leads to Wider Optima and Better Generalization, 2018).

Input `crops` (N, 64, 160) uint8, output `probabilities` (N, 80, 37). Weights are stored as float16 and computed in
float32.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

from training.plates.networks.halve import halve
from training.plates.networks.network import PlateNet
from workers.recognizers.ctc import CHARACTERS
from workers.recognizers.plates import HEIGHT_PX, WIDTH_PX


class _Exported(nn.Module):
    def __init__(self, network: PlateNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        return self.network(crops[:, None].float()).exp()


def export(weights: Sequence[Path], target: Path) -> None:
    network = PlateNet()
    network.load_state_dict(_mean([torch.load(file, weights_only=True) for file in weights]))
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


def _mean(states: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Of numbers; what is counted stays as it is in the last one."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if last.is_floating_point() else last
        for name, last in states[-1].items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.networks.export_recognizer", description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    export(args.weights, args.target)
    print(f"{args.target}: {args.target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
