"""What is stored can be had, the books are checked, the page shows it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.types import FrameResult


def test_what_is_stored_can_be_had(client: TestClient, stored: FrameResult) -> None:
    (passage,) = client.get("/v1/passages?text=KAB*&source=gate").json()["items"]
    assert (passage["text"], passage["reading_count"]) == ("KAB4721", 1)
    assert client.get("/v1/passages?since=1h").json()["items"] == []
    assert client.get("/v1/passages?since=2026-01-01").json()["items"] == [passage]
    assert client.get("/v1/detections?label=text").json()["items"][0]["xyxy"] == [100, 80, 220, 110]
    assert client.get("/v1/readings").json()["items"][0]["text"] == "KAB 4721"
    assert client.get("/v1/dead-letters").json()["items"][0]["reason"] == "bad_image"
    assert client.get("/v1/jobs").json()["items"][0]["outcomes"] == {"stored": 1, "dead": 1}
    assert FrameResult.model_validate(client.get("/v1/frames/frame-0001").json()).readings == stored.readings
    for path, size in (
        ("/v1/frames/frame-0001/picture", (200, 320)),
        ("/v1/frames/frame-0001/annotated", (200, 320)),
        (f"/v1/passages/{passage['passage_id']}/crop", (46, 136)),
    ):
        answer = client.get(path)
        assert answer.headers["content-type"] == "image/jpeg"
        image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape[:2] == pytest.approx(size, abs=3)


def test_the_audit_balances_and_notices_a_missing_row(
    client: TestClient, stored: FrameResult, settings: Settings
) -> None:
    answer = client.get("/v1/audit").json()
    assert answer["balanced"]
    (gate,) = answer["sources"]
    assert {name: gate[name] for name in ("published", "stored", "dead", "open", "rows")} == {
        "published": 2,
        "stored": 1,
        "dead": 1,
        "open": 0,
        "rows": 1,
    }
    connect(settings.redis_url).hincrby("sightline:counts", "gate|published", 1)
    assert not client.get("/v1/audit").json()["balanced"]
    connect(settings.redis_url).hincrby("sightline:counts", "gate|stored", 1)
    assert not client.get("/v1/audit").json()["balanced"]  # the sums agree, but the row is not there


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/..%2F..%2Fetc",
        "/v1/jobs/nobody-knows",
        "/v1/frames/..%2f..%2fpasswd/picture",
        "/v1/frames/frame-9999",
        "/v1/frames/frame-9999/picture",
        "/v1/passages/nothing/crop",
        "/static/..%2fapp.py",
        "/v1/nothing",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 422)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "cursor=nonsense", "since=yesterday", "until=99999999999999999999"]
)
def test_a_wrong_query_is_explained(client: TestClient, query: str) -> None:
    answer = client.get(f"/v1/passages?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["detail"]


def test_the_page_shows_what_there_is_and_says_what_to_do(client: TestClient, stored: FrameResult) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "KAB4721" in page.text
    assert "sightline cameras add" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://u:secret@10.0.0.7/s"})
    live = client.get("/live").text
    assert "/v1/frames/frame-0001/annotated" in live
    assert "secret" not in live
    assert "bad_image" in live


def test_the_openapi_document_tells_the_endpoints(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert {"/v1/jobs", "/v1/passages", "/v1/detections", "/v1/cameras/{camera_id}", "/v1/audit"} <= set(
        document["paths"]
    )
    assert client.get("/docs").status_code == 200


def test_request_ids_are_passed_on_when_they_are_harmless(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-ID": "a b<script>"}).headers["x-request-id"] != "a b<script>"
