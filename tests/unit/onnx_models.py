"""Small real ONNX models: they find the bright rectangle of each picture and answer like an end-to-end YOLO26."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import helper, parser

_GRAPH = """
<ir_version: 8, opset_import: ["" : 13]>
rectangles (float[{batch}, 3, {size}, {size}] images) => (float[{batch}, 300, 6] output0)
<float one = {{1.0}}, float bright_from = {{0.8}}, float zero = {{0.0}}, int64[6] fill = {{0, 0, 0, 0, 299, 0}}>
{{
    gray = ReduceMin <axes = [1], keepdims = 0> (images)
    is_bright = Greater (gray, bright_from)
    bright = Cast <to = 1> (is_bright)
    columns = ReduceMax <axes = [1], keepdims = 0> (bright)
    rows = ReduceMax <axes = [2], keepdims = 0> (bright)
    left = ArgMax <axis = 1, keepdims = 1> (columns)
    right = ArgMax <axis = 1, keepdims = 1, select_last_index = 1> (columns)
    top = ArgMax <axis = 1, keepdims = 1> (rows)
    bottom = ArgMax <axis = 1, keepdims = 1, select_last_index = 1> (rows)
    x1 = Cast <to = 1> (left)
    y1 = Cast <to = 1> (top)
    right_inside = Cast <to = 1> (right)
    bottom_inside = Cast <to = 1> (bottom)
    x2 = Add (right_inside, one)
    y2 = Add (bottom_inside, one)
    confidence = ReduceMax <axes = [1], keepdims = 1> (columns)
    class_id = Mul (confidence, zero)
    row = Concat <axis = 1> (x1, y1, x2, y2, confidence, class_id)
    axes = Constant <value_ints = [1]> ()
    rows_of_one = Unsqueeze (row, axes)
    output0 = Pad (rows_of_one, fill)
}}
"""


#: The same, as a raw head says it: center, width and height, three times over.
_RAW_TAIL = """    both_x = Add (x1, x2)
    both_y = Add (y1, y2)
    half = Constant <value = float {0.5}> ()
    x = Mul (both_x, half)
    y = Mul (both_y, half)
    width = Sub (x2, x1)
    height = Sub (y2, y1)
    row = Concat <axis = 1> (x, y, width, height, confidence)
    axes = Constant <value_ints = [2]> ()
    column = Unsqueeze (row, axes)
    output0 = Concat <axis = 2> (column, column, column)
}
"""


def write_raw_rectangle_model(path: Path) -> Path:
    """The rectangle model with a raw head, (N, 5, 3), for any number of pictures of any size."""
    head = _GRAPH[: _GRAPH.index("    class_id")].format(batch="N", size="S").replace("[N, 300, 6]", "[N, 5, 3]")
    head = head.replace("[N, 3, S, S]", "[N, 3, H, W]").replace(
        ", float zero = {0.0}, int64[6] fill = {0, 0, 0, 0, 299, 0}", ""
    )
    model = parser.parse_model(head + _RAW_TAIL)
    helper.set_model_props(model, {"names": "{0: 'plate'}"})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


#: The same as a YOLOX of one class says it: a row for each cell of three grids. A cell of each grid has the rectangle.
#: It looks for blue of 200 and more, so that it sees nothing in RGB or in 0..1.
_GRIDS = """
<ir_version: 8, opset_import: ["" : 13]>
rectangles (float[{batch}, 3, 64, 64] images) => (float[{batch}, 84, 6] output)
<float one = {{1.0}}, float half = {{0.5}}, float bright_from = {{200.0}}, int64 first = {{0}}>
{{
    blue = Gather <axis = 1> (images, first)
    is_bright = Greater (blue, bright_from)
    bright = Cast <to = 1> (is_bright)
    columns = ReduceMax <axes = [1], keepdims = 0> (bright)
    rows = ReduceMax <axes = [2], keepdims = 0> (bright)
    left = ArgMax <axis = 1, keepdims = 1> (columns)
    right = ArgMax <axis = 1, keepdims = 1, select_last_index = 1> (columns)
    top = ArgMax <axis = 1, keepdims = 1> (rows)
    bottom = ArgMax <axis = 1, keepdims = 1, select_last_index = 1> (rows)
    starts = Concat <axis = 1> (left, top)
    lasts = Concat <axis = 1> (right, bottom)
    starts_px = Cast <to = 1> (starts)
    lasts_px = Cast <to = 1> (lasts)
    ends_px = Add (lasts_px, one)
    both = Add (starts_px, ends_px)
    center_px = Mul (both, half)
    size_px = Sub (ends_px, starts_px)
    confidence = ReduceMax <axes = [1], keepdims = 1> (columns)
    {cells}
    all_cells = Concat <axis = 1> ({names})
    shape = Constant <value_ints = [-1, 84, 6]> ()
    output = Reshape (all_cells, shape)
}}
"""
_GRID_CELL = """
    stride{n} = Constant <value = float {{{stride}.0}}> ()
    corner{n} = Constant <value = float[1, 2] {{{column}.0, {row}.0}}> ()
    in_cells{n} = Div (center_px, stride{n})
    center{n} = Sub (in_cells{n}, corner{n})
    size_in_cells{n} = Div (size_px, stride{n})
    size{n} = Log (size_in_cells{n})
    cell{n} = Concat <axis = 1> (center{n}, size{n}, confidence, confidence)
"""


def write_yolox_rectangle_model(path: Path, *, batch: int | None = 1) -> Path:
    """The rectangle model with the head of a YOLOX of 64 x 64 pixels: grids of 8 x 8, 4 x 4 and 2 x 2 cells."""
    text, names, done = "", list[str](), 0
    for n, (stride, column, row, cell) in enumerate([(8, 3, 5, 43), (16, 1, 2, 73), (32, 1, 0, 81)]):
        text += _GRID_CELL.format(n=n, stride=stride, column=column, row=row)
        text += f"    before{n} = Constant <value_ints = [0, {6 * (cell - done)}, 0, 0]> ()\n"
        text += f"    placed{n} = Pad (cell{n}, before{n})\n"
        names.append(f"placed{n}")
        done = cell + 1
    text += f"    after = Constant <value_ints = [0, 0, 0, {6 * (84 - done)}]> ()\n    last = Pad (placed2, after)\n"
    names[-1] = "last"
    model = parser.parse_model(_GRIDS.format(batch=batch or "N", cells=text, names=", ".join(names)))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def write_rectangle_model(path: Path, *, batch: int | None = None, size: int | None = 64, names: str = "") -> Path:
    """Write the model; `batch` None: any number of pictures, `size` None: any size."""
    text = _GRAPH.format(batch=batch or "N", size=size or "S")
    model = parser.parse_model(text)
    if names:
        helper.set_model_props(model, {"names": names})
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def write_raw_head_model(path: Path) -> Path:
    """A model whose output is not end-to-end: (N, 84, 100)."""
    graph = """
    <ir_version: 8, opset_import: ["" : 13]>
    raw (float[N, 3, 64, 64] images) => (float[N, 84, 100] output0)
    <float zero = {0.0}, int64[3] shape = {0, 1, 1}, int64[3] tiles = {1, 84, 100}>
    {
        least = ReduceMin <axes = [1, 2, 3], keepdims = 0> (images)
        axes = Constant <value_ints = [1, 2]> ()
        cell = Unsqueeze (least, axes)
        output0 = Tile (cell, tiles)
    }
    """
    model = parser.parse_model(graph)
    onnx.save(model, path)
    return path
