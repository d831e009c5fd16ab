"""One exported YOLO in a runtime: pictures in, rows out."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from sightline.capacity.meter import count_cores
from sightline.errors import ModelError
from workers.models import ModelFile, Runtime
from workers.runtimes import onnxruntime_options, openvino_config

Rows = npt.NDArray[np.float32]
Batch = npt.NDArray[np.uint8]

_ON_CPU = 4
_MOST_STREAMS = 4


class Session(Protocol):
    """Weights ready to run. Each session normalizes by itself, as torch does it best on its device."""

    runtime: Runtime
    labels: tuple[str, ...]  #: what the file itself says; empty if it says nothing
    input_size: tuple[int, int] | None  #: width and height where the file fixes them
    batch_size: int | None  #: where the file fixes it
    most_at_once: int | None  #: pictures in one call; more would take memory and no less time
    calls_at_once: int  #: `forward` may be called by so many threads side by side

    def forward(self, batch: Batch) -> Rows:
        """(N, height, width, 3) BGR -> (N, rows, 6)."""
        ...


class OnnxruntimeSession:
    runtime: Runtime = "onnxruntime"
    most_at_once: int | None = _ON_CPU
    calls_at_once = 1

    def __init__(self, file: ModelFile, *, threads: int) -> None:
        import onnxruntime

        options = onnxruntime_options(threads)
        try:
            self._session = onnxruntime.InferenceSession(file.path, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors have no root of their own
            raise _cannot_load(file, error) from error
        (self._input,) = self._session.get_inputs()
        self._type = np.float16 if self._input.type == "tensor(float16)" else np.float32
        self.batch_size, self.input_size = _fixed(self._input.shape)
        self.labels = parse_labels(self._session.get_modelmeta().custom_metadata_map.get("names", ""))

    def forward(self, batch: Batch) -> Rows:
        tensor = to_tensor(batch).astype(self._type, copy=False)
        rows = self._session.run(None, {self._input.name: tensor})[0]
        return np.asarray(rows, np.float32)


class OpenvinoSession:
    """A lone picture has all threads, for it is waited for; others are shared out to streams of few threads each.

    Threads that work on pictures of their own wait for each other less than those that share one.
    """

    runtime: Runtime = "openvino"
    most_at_once: int | None = _ON_CPU

    def __init__(self, file: ModelFile, *, half: bool, threads: int) -> None:
        import openvino

        core = openvino.Core()
        try:
            model = core.read_model(file.path)
            shape = [d.get_length() if d.is_static else None for d in model.input(0).partial_shape]
            taking_bytes = _taking_bytes(model)
            self.batch_size, self.input_size = _fixed(shape)
            streams = 1 if self.batch_size else min(threads or count_cores(), _MOST_STREAMS)
            compiled = {
                number: core.compile_model(taking_bytes, "CPU", openvino_config(threads, half=half, streams=number))
                for number in {1, streams}
            }
        except RuntimeError as error:
            raise _cannot_load(file, error) from error
        self._alone = compiled[1].create_infer_request()
        self.calls_at_once = streams
        self._free = SimpleQueue[Any]()  #: streams
        for _ in range(streams):
            self._free.put(compiled[streams].create_infer_request())
        where = ["framework", "names"]
        self.labels = parse_labels(str(model.get_rt_info(where).value) if model.has_rt_info(where) else "")

    def forward(self, batch: Batch) -> Rows:
        streams = [self._free.get()]
        with suppress(Empty):
            while len(streams) < len(batch):
                streams.append(self._free.get_nowait())
        try:
            is_alone = len(batch) == 1 and self._free.qsize() == self.calls_at_once - 1
            return _infer([self._alone] if is_alone else streams, batch)
        finally:
            for stream in streams:
                self._free.put(stream)


def _infer(requests: Sequence[Any], batch: Batch) -> Rows:
    """An equal share of the batch with each of these requests, side by side."""
    for request, part in zip(requests, np.array_split(batch, len(requests)), strict=True):
        request.start_async([part])
    for request in requests:
        request.wait()
    return np.concatenate([np.array(request.get_output_tensor(0).data, np.float32) for request in requests])


def to_tensor(batch: Batch) -> npt.NDArray[np.float32]:
    """(N, height, width, 3) BGR 0..255 -> (N, 3, height, width) RGB 0..1."""
    return np.asarray(cv2.dnn.blobFromImages(list(batch), 1 / 255, swapRB=True), np.float32)


def _taking_bytes(model: Any) -> Any:
    """The same network with `to_tensor` in it, which costs less there: it takes (N, height, width, 3) BGR bytes."""
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor

    steps = PrePostProcessor(model)
    given = steps.input()
    given.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(ColorFormat.BGR)
    given.preprocess().convert_element_type(Type.f32).convert_color(ColorFormat.RGB).scale(255.0)
    given.model().set_layout(Layout("NCHW"))
    return steps.build()


def parse_labels(names: str) -> tuple[str, ...]:
    """The labels of an exported file, whose metadata has them as the text of a Python dict: `{0: 'plate'}`."""
    try:
        found = ast.literal_eval(names or "{}")
    except (ValueError, SyntaxError):
        return ()
    if not isinstance(found, dict) or set(found) != set(range(len(found))):
        return ()
    return tuple(str(found[index]) for index in range(len(found)))


def _fixed(shape: list[Any]) -> tuple[int | None, tuple[int, int] | None]:
    batch, _, height, width = (size if isinstance(size, int) and size > 0 else None for size in shape)
    return batch, (width, height) if width and height else None


def _cannot_load(file: ModelFile, error: Exception) -> ModelError:
    return ModelError(
        f"model {file.name!r}: {file.path} cannot be loaded: {str(error).strip().splitlines()[-1][:300]}. "
        "Delete it to have it fetched or exported again",
        model=file.name,
    )
