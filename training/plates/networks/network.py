"""The recognizer's network: a small convolutional net, two attention layers, and CTC over two rows of steps.

Why CTC over rows: every step is a local question ("which character is here?"), so that it is learnt from few crops,
needs no largest length, and any text's likelihood can be computed from the output. A plate of two lines is the row
above read first, then the row below: the picture is reduced to 2 x 40 steps, and a plate of one line may use either
row, because the attention layers see both. Graves et al. 2006 (CTC), Vaswani et al. 2017 (attention).
"""

from __future__ import annotations

import torch  # pyright: ignore[reportMissingImports]
from torch import Tensor, nn  # pyright: ignore[reportMissingImports]
from torch.nn import functional as F  # noqa: N812  # pyright: ignore[reportMissingImports]

from workers.recognizers.ctc import CHARACTERS

ROWS, COLUMNS = 2, 40
CLASSES = len(CHARACTERS) + 1  #: class 0 is CTC's blank


def _conv(inputs: int, outputs: int, stride: int | tuple[int, int] = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class _Attention(nn.Module):
    """One pre-norm transformer layer."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_in, self.norm_out = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.mix = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        steps, channels = x.shape[1:]
        qkv = self.query_key_value(self.norm_in(x)).view(-1, steps, 3, self.heads, channels // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        # Written out: for so few steps it is several times faster on a CPU than torch's fused attention.
        weights = (query @ key.transpose(2, 3) * query.shape[3] ** -0.5).softmax(3)
        seen = (weights @ value).transpose(1, 2).reshape(-1, steps, channels)
        x = x + self.project(seen)
        return x + self.mix(self.norm_out(x))


class PlateNet(nn.Module):
    """Grey pictures (N, 1, 64, 160) with values 0..255 -> logarithms of probabilities (N, 80, 37)."""

    def __init__(self, channels: tuple[int, int, int, int] = (32, 32, 64, 96)) -> None:
        super().__init__()
        a, b, c, d = channels
        self.look = nn.Sequential(
            _conv(1, a, 2), _conv(a, b, 2), _Residual(b), _conv(b, c, (2, 1)), _Residual(c),
            _conv(c, d, (2, 1)), _Residual(d), _conv(d, d, (2, 1)),
        )  # fmt: skip
        self.place = nn.Parameter(torch.randn(ROWS * COLUMNS, d) * 0.02)
        self.think = nn.Sequential(_Attention(d, 4), _Attention(d, 4), nn.LayerNorm(d))
        self.tell = nn.Linear(d, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        mean = images.mean((1, 2, 3), keepdim=True)
        centered = images - mean
        scale = centered.square().mean((1, 2, 3), keepdim=True).sqrt() + 4.0  # 4: noise of a picture without contrast
        steps = self.look(centered / scale).flatten(2).transpose(1, 2)
        return F.log_softmax(self.tell(self.think(steps + self.place)).float(), dim=2)
