"""What the output of each kind of YOLO means: one picture's output -> rows of x1, y1, x2, y2, confidence, class_id.

Boxes are in pixels of the input. Else the kinds differ only in what they want of a picture's bytes (`sessions.py`) and
where in the input the picture lies (`letterbox.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workers.detectors.nms import thin_out
from workers.detectors.sessions import Rows

_Shape = tuple[int, int]
_Size = tuple[int, int]  #: width and height of the input

_STRIDES = (8, 16, 32)  #: pixels of the input for each cell of the three grids of a YOLOX
_LARGEST = 10.0  #: logarithm of a side in cells, far beyond any picture: boxes stay finite whatever the network says


class Head(NamedTuple):
    """How one kind of YOLO answers."""

    shape: Callable[[int, _Size], _Shape]  #: of the output for one picture, from the number of classes; 0: any number
    rows: Callable[[Rows, _Size, float], Rows]  #: boxes below the confidence given may be left out


def _grid_rows(output: Rows, size: _Size, min_confidence: float) -> Rows:
    """The rows that a YOLOX means: it has one for each cell of three grids, one grid a stride.

    A row has the center's place in cells, counted from its own cell; the logarithms of width and height in cells; how
    sure it is that there is an object; and a score for each class, of an object if there is one.
    """
    corners, strides = _cells(size)
    likely = output[:, 4] >= min_confidence  # a score is at most this; the many empty cells are left out early
    output, corners, strides = output[likely], corners[likely], strides[likely]
    centers = (output[:, :2] + corners) * strides
    sizes = np.exp(np.minimum(output[:, 2:4], _LARGEST)) * strides
    scores = output[:, 4:5] * output[:, 5:]
    return thin_out(np.concatenate([centers, sizes, scores], axis=1).T, min_confidence)


@cache
def _cells(size: _Size) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The column and row of each cell of all grids, (cells, 2), and its stride in pixels, (cells, 1)."""
    width, height = size
    corners, strides = list[npt.NDArray[np.float32]](), list[npt.NDArray[np.float32]]()
    for stride in _STRIDES:
        columns, rows = np.meshgrid(np.arange(width // stride), np.arange(height // stride))
        corners.append(np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float32))
        strides.append(np.full((columns.size, 1), stride, np.float32))
    return np.concatenate(corners), np.concatenate(strides)


HEADS: Mapping[str, Head] = {
    # The network thins its boxes out itself.
    "yolo26": Head(lambda _classes, _size: (0, 6), lambda output, _size, _least: output),
    # Center x, center y, width, height in pixels, and a score for each class, as columns.
    "yolo-raw": Head(lambda classes, _size: (4 + classes, 0), lambda output, _size, least: thin_out(output, least)),
    "yolox": Head(lambda classes, size: (len(_cells(size)[0]), 5 + classes), _grid_rows),
}
