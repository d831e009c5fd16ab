"""A stored frame explains itself; a dead one says why, an unknown one is not found."""

from __future__ import annotations

import cv2
import numpy as np
from fastapi.testclient import TestClient

from sightline.types import FrameResult


def test_a_stored_frame_is_explained(client: TestClient, stored: FrameResult) -> None:
    explanation = client.get("/v1/frames/frame-0001/explanation").json()
    assert explanation["plate"] == "KAB4721"
    assert explanation["candidates"][0]["verdict"] == "chosen"
    assert explanation["candidates"][0]["passage_id"] == "frame-0001.0"
    answer = client.get("/v1/frames/frame-0001/explanation/picture")
    assert answer.headers["content-type"] == "image/jpeg"
    image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (800 + 40 + 64 * len(stored.detections), 1280, 3)


def test_a_dead_frame_says_why(client: TestClient, stored: FrameResult) -> None:
    (letter,) = client.get("/v1/dead-letters").json()["items"]
    explanation = client.get(f"/v1/frames/{letter['frame']['frame_id']}/explanation").json()
    assert explanation["why"].startswith("dead, bad_image in stage detect")
    assert explanation["candidates"] == []


def test_an_unknown_frame_is_not_found(client: TestClient, stored: FrameResult) -> None:
    for path in ("explanation", "explanation/picture"):
        assert client.get(f"/v1/frames/frame-none/{path}").status_code == 404
