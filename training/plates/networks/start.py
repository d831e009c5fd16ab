"""Weights to train on from: a network read back out of the ONNX file that was exported of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch  # pyright: ignore[reportMissingImports]
from onnx import numpy_helper
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]

from training.plates.networks.network import PlateNet


def start_from(exported: Path, network: PlateNet, crops: npt.NDArray[np.uint8]) -> None:
    """Give the network the weights of a file.

    Exporting folds each normalization into its convolution. It is taken out again by what the convolutions say of
    `crops` (N, height, width): so the network says the same as before, and is trained like one that never was folded.
    """
    tensors = {
        tensor.name.removesuffix("_half"): torch.from_numpy(numpy_helper.to_array(tensor).astype(np.float32))
        for tensor in onnx.load(exported).graph.initializer
    }
    folded = [tensors[name] for name in _in_order(tensors, "onnx::Conv")]
    factors = iter([tensors[name] for name in _in_order(tensors, "onnx::MatMul")])
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if (named := tensors.get(f"network.{name}")) is not None:
                parameter.copy_(named)
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.copy_(next(factors).T)
        pairs = list(zip(_layers(network, nn.Conv2d), _layers(network, nn.BatchNorm2d), strict=True))
        for (convolution, norm), weight, bias in zip(pairs, folded[::2], folded[1::2], strict=True):
            convolution.weight.copy_(weight)
            norm.weight.fill_(1)
            norm.bias.copy_(bias)
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
        _unfold(network, pairs, torch.from_numpy(crops.astype(np.float32))[:, None])


def _in_order(tensors: dict[str, Tensor], prefix: str) -> list[str]:
    return sorted((name for name in tensors if name.startswith(prefix)), key=lambda name: int(name.rsplit("_")[-1]))


def _layers(network: nn.Module, kind: Any) -> list[Any]:
    return [layer for layer in network.modules() if isinstance(layer, kind)]


def _unfold(network: PlateNet, pairs: list[tuple[Any, Any]], images: Tensor) -> None:
    said: dict[Any, tuple[Tensor, Tensor]] = {}

    def listen(layer: Any, _: Any, output: Tensor) -> None:
        said[layer] = output.mean((0, 2, 3)), output.var((0, 2, 3), unbiased=False)

    hooks = [convolution.register_forward_hook(listen) for convolution, _ in pairs]
    network.eval()(images)
    for hook in hooks:
        hook.remove()
    for convolution, norm in pairs:
        mean, variance = said[convolution]
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.add_(mean)
