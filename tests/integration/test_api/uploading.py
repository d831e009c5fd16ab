"""Pictures and how tests upload them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from fastapi.testclient import TestClient

from storage.keys import Role

Key = Callable[[Role], dict[str, str]]


def jpeg(seed: int = 1, width: int = 320, height: int = 200) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be huge: header, no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + end


def upload(client: TestClient, *files: tuple[str, bytes], query: str = "", **form: str) -> Any:
    return client.post(f"/v1/jobs{query}", files=[("files", file) for file in files], data=form)
