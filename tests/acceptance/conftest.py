from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import cv2
import pytest

from demo.scene import draw_photo
from tests.acceptance.parts.doors import Doors, opened_doors
from tests.acceptance.parts.rtsp import ServeRtsp, rtsp_servers
from tests.acceptance.parts.system import System


@pytest.fixture
def system(tmp_path: Path, redis_url: str) -> Iterator[System]:
    running = System(tmp_path, redis_url)
    yield running
    running.stop()


@pytest.fixture
def system_on(tmp_path: Path, redis_url: str, broker_url: str) -> Iterator[System]:
    """The same on each broker."""
    running = System(tmp_path, redis_url, broker_url=broker_url)
    yield running
    running.stop()


@pytest.fixture
def doors(tmp_path: Path, redis_url: str) -> Iterator[Doors]:
    """An API, no workers yet."""
    with opened_doors(tmp_path, redis_url) as doors:
        yield doors


@cache
def _photo(plate: str, seed: int) -> bytes:
    return cv2.imencode(".jpg", draw_photo(plate, seed))[1].tobytes()


@pytest.fixture
def photo() -> Callable[[str, int], bytes]:
    """A drawn photo of a car with this plate, as JPEG."""
    return _photo


@pytest.fixture
def serve_rtsp() -> Iterator[ServeRtsp]:
    with rtsp_servers() as serve:
        yield serve
