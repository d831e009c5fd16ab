"""The ways in which an image may come: in base64, as a data URL, as the body itself; and those that are answered."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sightline.wire.messages import Job
from tests.integration.api.uploading import jpeg, upload

TEXT = base64.b64encode(jpeg()).decode()


def job_of(client: TestClient, answer: Any) -> Job:
    assert answer.status_code == 202, answer.json()
    job = client.app.state.services.publisher.ledger.open_job(answer.json()["job_id"])  # pyright: ignore
    assert job is not None
    return job


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"data:image/jpeg;base64,{TEXT}",
        f"DATA:;base64,{TEXT}",
        base64.encodebytes(jpeg()).decode(),
        TEXT.rstrip("="),
    ],
)
def test_an_image_in_base64_is_the_same_as_its_file(client: TestClient, text: str) -> None:
    sent = client.post("/v1/jobs", json={"images": [text], "source_id": "gate"})
    assert job_of(client, sent).job_id == upload(client, ("car.jpg", jpeg()), source_id="gate").json()["job_id"]


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", "application/octet-stream"])
def test_an_image_may_be_the_body(client: TestClient, content_type: str) -> None:
    query = "?source_id=gate&pipeline=text&lane=bulk&sequence=true&captured_at=2026-05-01T12:00:00Z"
    job = job_of(client, client.post(f"/v1/jobs{query}", content=jpeg(), headers={"content-type": content_type}))
    (frame,) = job.frames
    assert (job.pipeline, job.lane, frame.source_id, frame.sequence) == ("text", "bulk", "gate", "submitted")
    assert f"{frame.captured_at:%F %T}" == "2026-05-01 12:00:00"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, 'give one of {"urls": [...]}, {"images": [...]} in base64, {"texts": [...]} or {"sounds": [...]}'),
        ({"images": [TEXT], "urls": ["https://example.org/a.jpg"]}, "give one of"),
        ({"images": [TEXT, "car.jpg"]}, "images.1: no base64, and no data URL (starts with 'car.jpg')"),
        ({"images": ["https://example.org/a.jpg"]}, "images.0: a URL; give it in `urls`"),
        ({"images": ["data:text/plain,hello"]}, "images.0: 'data:text/plain' is no data URL in base64"),
        ({"images": ["A" * 30_000_000]}, "images.0: 22.5 MB, at most 20 MB are accepted"),
        ({"images": [base64.b64encode(b"hello, text").decode()]}, "'images.0': image: starts with b'hello, t'"),
        ({"urls": [f"data:image/jpeg;base64,{TEXT[:400]}"]}, "urls: a data URL; give it in `images`"),
        ({"images": [TEXT] * 65}, "images"),
    ],
)
def test_what_is_none_is_named(client: TestClient, body: dict[str, Any], says: str) -> None:
    answer = client.post("/v1/jobs", json=body)
    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.json()


@pytest.mark.parametrize("size", [100, 20_000])
def test_an_image_that_came_as_text_is_answered_with_what_to_type(client: TestClient, size: int) -> None:
    """`curl -F files=<car.jpg`."""
    answer = client.post("/v1/jobs", files={"files": (None, jpeg()[:size])})
    assert (answer.status_code, "curl -F files=@car.jpg" in answer.json()["detail"]) == (422, True), answer.json()


def test_the_query_is_for_a_body_without_fields(client: TestClient) -> None:
    answer = upload(client, ("car.jpg", jpeg()), query="?source_id=gate")
    assert (answer.status_code, answer.json()["field"]) == (422, "source_id")
    answer = client.post("/v1/jobs?sorce_id=gate", content=jpeg(), headers={"content-type": "image/jpeg"})
    assert "did you mean source_id?" in answer.json()["detail"]
    assert client.post("/v1/jobs", content=b"", headers={"content-type": "image/jpeg"}).status_code == 422
    answer = client.post("/v1/jobs", content=b"x=1", headers={"content-type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, "one image as image/jpeg" in answer.json()["detail"]) == (415, True)
