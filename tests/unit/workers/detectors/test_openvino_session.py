"""OpenVINO's session: which networks it compiles for which shapes, and that each says the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from sightline.errors import ModelError
from tests.unit.onnx_models import write_rectangle_model
from workers.detectors.openvino_session import (
    OpenvinoSession,
    _infer,  # pyright: ignore[reportPrivateUsage]
)
from workers.models.computing import computing
from workers.models.files import ModelFile
from workers.models.registry import ModelSpec

BOX = (8, 16, 40, 48)
SHAPES = [(64, 64 * columns) for columns in range(1, 7)]


def open_session(folder: Path, *, batch: int | None = None, size: int | None = None) -> OpenvinoSession:
    path = write_rectangle_model(folder / "own.onnx", batch=batch, size=size)
    file = ModelFile("own", ModelSpec(kind="yolo26", source=str(path)), path, "0" * 64)
    return OpenvinoSession(file, half=True, threads=2)


def pictures(count: int, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Each with one bright box, a pixel further down than that of the one before."""
    batch = np.full((count, *shape, 3), 40, np.uint8)
    for number in range(count):
        x1, y1, x2, y2 = BOX
        batch[number, y1 + number % 8 : y2 + number % 8, x1:x2] = 255
    return batch


def boxes(session: OpenvinoSession, count: int, shape: tuple[int, int]) -> list[list[float]]:
    rows = session.forward(pictures(count, shape))
    assert rows.shape == (count, 300, 6)
    return rows[:, 0, :4].tolist()


def expected(count: int) -> list[list[float]]:
    x1, y1, x2, y2 = BOX
    return [[x1, y1 + number % 8, x2, y2 + number % 8] for number in range(count)]


@pytest.fixture
def session(tmp_path: Path) -> Iterator[OpenvinoSession]:
    yield (opened := open_session(tmp_path))
    wait_until(lambda: not opened.is_compiling)


def test_the_first_shapes_that_come_often_get_networks_of_their_own(session: OpenvinoSession) -> None:
    for _ in range(2):
        for shape in SHAPES:
            assert boxes(session, 20, shape) == expected(20)
    wait_until(lambda: not session.is_compiling)
    assert session.own_sizes == [(width, height) for height, width in SHAPES[:4]]
    for shape in SHAPES:
        for count in (1, 2, 5):
            assert boxes(session, count, shape) == expected(count)


def test_a_shape_that_comes_now_and_then_gets_none(session: OpenvinoSession) -> None:
    for shape in SHAPES:
        assert boxes(session, 8, shape) == expected(8)
    assert session.own_sizes == []


def test_a_shape_of_few_of_all_pictures_gets_none(session: OpenvinoSession) -> None:
    session.expect((64, 64))
    for _ in range(10):
        assert boxes(session, 50, (64, 64)) == expected(50)
        assert boxes(session, 5, (64, 128)) == expected(5)
    assert session.own_sizes == [(64, 64)]
    assert boxes(session, 20, (64, 128)) == expected(20)
    wait_until(lambda: not session.is_compiling)
    assert session.own_sizes == [(64, 64), (128, 64)]


def test_a_lone_picture_has_all_threads_unless_somebody_else_computes(
    session: OpenvinoSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[object] = []

    def infer(request: Any, batch: Any) -> Any:
        used.append(request)
        return _infer(request, batch)

    monkeypatch.setattr("workers.detectors.openvino_session._infer", infer)
    session.expect((64, 64))
    network = session._networks[64, 64]  # pyright: ignore[reportPrivateUsage]
    assert boxes(session, 1, (64, 64)) == expected(1)
    assert used == [network.alone]
    with computing.call():
        assert boxes(session, 1, (64, 64)) == expected(1)
    assert boxes(session, 2, (64, 64)) == expected(2)
    assert len(used) == 4
    assert all(request in network.streams for request in used[1:])


def test_a_size_that_is_expected_is_ready(session: OpenvinoSession) -> None:
    session.expect((128, 64))
    session.expect((128, 64))
    assert session.own_sizes == [(128, 64)]
    assert boxes(session, 3, (64, 128)) == expected(3)


def test_it_may_be_called_by_as_many_threads_as_it_says(session: OpenvinoSession) -> None:
    assert session.calls_at_once == 2
    session.expect((64, 64))
    with ThreadPoolExecutor(session.calls_at_once) as pool:
        calls = [(count, pool.submit(boxes, session, count, shape)) for shape in SHAPES[:2] for count in range(1, 20)]
        for count, call in calls:
            assert call.result(30) == expected(count)


def test_a_file_that_fixes_its_batch_has_one_network(tmp_path: Path) -> None:
    session = open_session(tmp_path, batch=4, size=64)
    session.expect((64, 64))
    assert (session.batch_size, session.input_size, session.calls_at_once) == (4, (64, 64), 1)
    assert boxes(session, 4, (64, 64)) == expected(4)
    assert session.own_sizes == []


def test_a_size_that_cannot_be_compiled_is_no_harm(session: OpenvinoSession, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_any = OpenvinoSession._compile  # pyright: ignore[reportPrivateUsage]

    def compile_or_fail(self: OpenvinoSession, shape: tuple[int, int] | None) -> object:
        if shape is not None:
            raise ModelError("the network does not take it", model="own")
        return compile_any(self, shape)

    monkeypatch.setattr(OpenvinoSession, "_compile", compile_or_fail)
    for _ in range(5):
        assert boxes(session, 20, (64, 64)) == expected(20)
    wait_until(lambda: not session.is_compiling)
    assert boxes(session, 2, (64, 64)) == expected(2)


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until, threading.enumerate()
        time.sleep(0.01)
