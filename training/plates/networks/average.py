"""`python -m training.plates.networks.average A.onnx B.onnx ... OUT.onnx`: the mean of files of one network.

`export_recognizer` does so with the ends of rounds of one run. This is for runs that started from each other's files.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def average(files: Sequence[Path], target: Path) -> None:
    model = onnx.load(files[-1])
    given = [
        {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(file).graph.initializer} for file in files
    ]
    for tensor in model.graph.initializer:
        each = np.stack([one[tensor.name] for one in given])
        if np.issubdtype(each.dtype, np.floating):
            mean = each.astype(np.float32).mean(axis=0).astype(each.dtype)
            tensor.CopyFrom(numpy_helper.from_array(mean, tensor.name))
    onnx.checker.check_model(model)
    onnx.save(model, target)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.networks.average", description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    average(args.files, args.target)


if __name__ == "__main__":
    main()
