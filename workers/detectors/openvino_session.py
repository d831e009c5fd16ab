"""An exported YOLO in OpenVINO: one picture after the other, each in a network compiled for its shape."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np

from sightline.errors import ModelError
from workers.detectors.sessions import Batch, Rows, cannot_load, fixed_sizes, parse_labels, takes_bgr_bytes
from workers.models.computing import computing
from workers.models.files import ModelFile
from workers.models.registry import Runtime
from workers.models.runtimes import openvino_config, share_threads

log = logging.getLogger(__name__)

_MOST_SHAPES = 4  #: with networks of their own, which take about 100 MB each
_OFTEN = 32  #: pictures of a shape, until it gets one; and this share of all pictures is of it:
_OFTEN_SHARE = 0.1  #: to compile one takes as long as some hundred pictures of it gain

_Shape = tuple[int, int]  #: height and width


class _Network(NamedTuple):
    """Requests of the network, each compiled for its own number of threads."""

    alone: Any  #: with all threads
    streams: Sequence[Any]  #: with a share of the threads each


class OpenvinoSession:
    """Each calling thread has a stream of few threads; a picture that is looked at while nobody else in this process
    computes has all threads, for it is waited for.

    A call computes in the thread that makes it: handed to another, it would often be put to a core that is busy.
    Each picture is a call of its own: those that share a call wait for each other. A network compiled for one shape is
    faster than one that takes all, and one that sees another shape than before has to think again: shapes that come
    often have their own.
    """

    runtime: Runtime = "openvino"
    most_at_once: int | None = 4

    def __init__(self, file: ModelFile, *, half: bool, threads: int) -> None:
        import openvino

        self._file, self._half, self._threads = file, half, threads
        self._core = openvino.Core()
        try:
            model = self._core.read_model(file.path)
            shape = [d.get_length() if d.is_static else None for d in model.input(0).partial_shape]
            self._model = _taking_bytes(model, unchanged=takes_bgr_bytes(file.spec))
        except RuntimeError as error:
            raise cannot_load(file, error) from error
        batch_size, self.input_size = fixed_sizes(shape)
        self.batch_size = None if batch_size == 1 else batch_size  # each picture is a call of its own anyway
        self._shares = [threads] if self.batch_size else share_threads(threads)
        self.calls_at_once = len(self._shares)
        where = ["framework", "names"]
        self.labels = parse_labels(str(model.get_rt_info(where).value) if model.has_rt_info(where) else "")
        self._changing = threading.Lock()
        self._any_shape: _Network | None = None
        self._networks: dict[_Shape, _Network] = {}
        self._seen = Counter[_Shape]()
        self._seen_in_all = 0
        self._compiling = 0
        self._free = SimpleQueue[int]()  #: streams
        for stream in range(self.calls_at_once):
            self._free.put(stream)

    @property
    def own_sizes(self) -> list[tuple[int, int]]:
        """Width and height of the inputs that have, or will have, a network of their own."""
        return [(width, height) for height, width in self._networks]

    @property
    def is_compiling(self) -> bool:
        return self._compiling > 0

    def expect(self, input_size: tuple[int, int]) -> None:
        width, height = input_size
        with self._changing:
            if not self.batch_size and (height, width) not in self._networks:
                self._networks[height, width] = self._compile((height, width))

    def forward(self, batch: Batch) -> Rows:
        network = self._network_for(batch)
        stream = self._free.get()
        try:
            with computing.call() as is_alone:
                request = network.alone if is_alone and len(batch) == 1 else network.streams[stream]
                calls = [batch] if self.batch_size else np.split(batch, len(batch))
                return np.concatenate([_infer(request, pictures) for pictures in calls])
        finally:
            self._free.put(stream)

    def _network_for(self, batch: Batch) -> _Network:
        height, width = batch.shape[1:3]
        shape = (int(height), int(width))
        with self._changing:
            self._seen_in_all += len(batch)
            if found := self._networks.get(shape):
                return found
            if self._any_shape is None:
                self._any_shape = self._compile(None)
            self._seen[shape] += len(batch)
            comes_often = self._seen[shape] >= max(_OFTEN, _OFTEN_SHARE * self._seen_in_all)
            if comes_often and len(self._networks) < _MOST_SHAPES and not self.batch_size:
                self._networks[shape] = self._any_shape  # while its own is compiled
                self._compiling += 1
                threading.Thread(target=self._add, args=(shape,), name=f"compile {shape}", daemon=True).start()
            return self._any_shape

    def _add(self, shape: _Shape) -> None:
        try:
            self._networks[shape] = self._compile(shape)
        except ModelError as error:
            log.warning("no network for %d x %d pixels alone: %s", *reversed(shape), error)
        finally:
            with self._changing:
                self._compiling -= 1

    def _compile(self, shape: _Shape | None) -> _Network:
        try:
            model = self._model
            if shape:
                model = model.clone()
                model.reshape([1, *shape, 3])
            alone, *streams = (
                self._core.compile_model(model, "CPU", openvino_config(threads, half=self._half)).create_infer_request()
                for threads in (self._threads, *(self._shares if self.calls_at_once > 1 else ()))
            )
        except RuntimeError as error:
            raise cannot_load(self._file, error) from error
        return _Network(alone, streams or [alone])


def _infer(request: Any, batch: Batch) -> Rows:
    request.infer([batch], share_inputs=True)
    return np.array(request.get_output_tensor(0).data, np.float32)


def _taking_bytes(model: Any, *, unchanged: bool) -> Any:
    """The same network with `to_tensor` in it, which costs less there: it takes (N, height, width, 3) BGR bytes."""
    from openvino import Layout, Type
    from openvino.preprocess import ColorFormat, PrePostProcessor

    steps = PrePostProcessor(model)
    given = steps.input()
    given.tensor().set_element_type(Type.u8).set_layout(Layout("NHWC")).set_color_format(ColorFormat.BGR)
    floats = given.preprocess().convert_element_type(Type.f32)
    if not unchanged:
        floats.convert_color(ColorFormat.RGB).scale(255.0)
    given.model().set_layout(Layout("NCHW"))
    return steps.build()
