"""Pictures and how tests upload them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from fastapi.testclient import TestClient

from storage.access.keys import Role

Key = Callable[[Role], dict[str, str]]


def jpeg(seed: int = 1, width: int = 320, height: int = 200) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def upload(client: TestClient, *files: tuple[str, bytes], query: str = "", **form: str) -> Any:
    return client.post(f"/v1/jobs{query}", files=[("files", file) for file in files], data=form)
