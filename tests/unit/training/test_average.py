"""The mean of files of one network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from training.plates.networks.average import average  # noqa: E402

pytestmark = pytest.mark.unit


def _file(path: Path, weights: npt.NDArray[np.float16], shape: list[int]) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["weights", "shape"], ["out"])],
        "network",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT16, shape)],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.array(shape), "shape")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_weights_are_averaged_and_whole_numbers_stay(tmp_path: Path):
    one = _file(tmp_path / "one.onnx", np.array([1, 2, 3, 60000], np.float16), [2, 2])
    other = _file(tmp_path / "other.onnx", np.array([3, 2, 0, 60000], np.float16), [2, 2])
    average([one, other], tmp_path / "mean.onnx")
    weights, shape = (numpy_helper.to_array(one) for one in onnx.load(tmp_path / "mean.onnx").graph.initializer)
    assert weights.tolist() == [2, 2, 1.5, 60000]  # not infinite: the sum is more than a half can hold
    assert (weights.dtype, shape.tolist()) == (np.float16, [2, 2])
