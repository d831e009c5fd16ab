"""Who may do what, and the cameras: what comes, changes and goes."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.camera_status import CameraStatus, write_statuses
from sightline.redis.connection import connect
from sightline.settings import Settings
from storage.access.keys import Role
from tests.integration.api.uploading import Key


def test_roles(settings: Settings, key: Key) -> None:
    app = create_app(settings)
    with TestClient(app, base_url="http://127.0.0.1", client=("10.1.2.3", 1)) as far:
        assert far.get("/v1/passages").status_code == 401
        assert far.get("/v1/passages", headers={"X-API-Key": "sl_0_0"}).status_code == 401
        viewer = key(Role.VIEWER)
        assert far.get("/v1/passages", headers=viewer).status_code == 200
        bearer = {"Authorization": f"Bearer {viewer['X-API-Key']}"}
        assert far.get("/v1/passages", headers=bearer).status_code == 200
        assert far.post("/v1/jobs", headers=viewer, json={"urls": ["http://example.org"]}).status_code == 403
        assert far.get("/", follow_redirects=False).headers["location"] == "/login"
        assert far.get("/healthz").status_code == 200
        assert far.post("/login", data={"key": "wrong"}).status_code == 401
        assert far.post("/login", data={"key": viewer["X-API-Key"]}, follow_redirects=False).status_code == 303
        assert far.get("/").status_code == 200  # by its cookie
        assert far.post("/v1/cameras", json={}).status_code == 401  # a cookie is for looking only


@pytest.mark.parametrize(
    ("base_url", "peer", "headers", "status"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", {}, 200),
        ("http://localhost:8080", "127.0.0.1", {}, 200),
        ("http://127.0.0.1:8080", "10.0.0.9", {}, 401),
        ("http://rebound.example:8080", "127.0.0.1", {}, 401),
        *(
            ("http://127.0.0.1:8080", "127.0.0.1", {name: "1.2.3.4"}, 401)
            for name in ("X-Forwarded-For", "X-Forwarded-Port", "CF-Connecting-IP", "True-Client-IP", "CDN-Loop", "Via")
        ),
    ],
)
def test_only_this_machine_may_look_without_a_key(
    settings: Settings, key: Key, base_url: str, peer: str, headers: dict[str, str], status: int
) -> None:
    with TestClient(create_app(settings), base_url=base_url, client=(peer, 1)) as client:
        assert client.get("/v1/passages", headers=headers).status_code == status
        assert client.post("/v1/jobs", headers=headers, json={}).status_code == 401


def test_nobody_looks_without_a_key_where_the_api_listens_to_the_world(settings: Settings, key: Key) -> None:
    exposed = settings.model_copy(update={"api_host": "0.0.0.0"})
    with TestClient(create_app(exposed), base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        assert client.get("/v1/passages").status_code == 401


def test_cameras_come_change_and_go(client: TestClient) -> None:
    new = {"camera_id": "gate", "url": "rtsp://user:pa$$@10.0.0.7/stream", "pipeline": "plates", "fps": 5}
    made = client.post("/v1/cameras", json=new)
    assert made.status_code == 201
    assert "pa$$" not in made.text
    assert "10.0.0.7" in made.json()["url"]
    assert made.json()["status"]["state"] == "offline"
    assert client.post("/v1/cameras", json=new).status_code == 409
    changed = client.patch("/v1/cameras/gate", json={"fps": 2, "enabled": False}).json()
    assert (changed["fps"], changed["enabled"], changed["pipeline"]) == (2, False, "plates")
    assert (made.json()["min_fps"], made.json()["status"]["saved_percent"]) == (None, 0.0)
    assert client.patch("/v1/cameras/gate", json={"min_fps": 0.5}).json()["min_fps"] == 0.5
    refused = client.patch("/v1/cameras/gate", json={"fps": 0.2})
    assert (refused.status_code, refused.json()["field"]) == (422, "min_fps")
    assert client.patch("/v1/cameras/gate", json={"fps": None, "url": None}).status_code == 422
    assert client.patch("/v1/cameras/gate", json={"min_fps": None}).json()["min_fps"] is None
    assert "pa$$" not in client.get("/v1/cameras").text
    assert client.delete("/v1/cameras/gate").status_code == 204
    gone = client.get("/v1/cameras/gate")
    assert gone.status_code == 404
    assert "'gate'" in gone.json()["detail"]


def test_what_a_budget_saves_is_shown(client: TestClient, redis_url: str) -> None:
    limits = {"fps": 5, "min_fps": 0.5}
    client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://10.0.0.7/stream"} | limits)
    counts: dict[str, Any] = {"sampled": 2000, "thinned": 1200, "gated": 301, "published": 499}
    status = CameraStatus(state="running", budget_fps=1.25, saved_percent=75.1, **counts)
    with connect(redis_url) as redis:
        write_statuses(redis, {"gate": status})
    (shown,) = client.get("/v1/cameras").json()["items"]
    assert {name: shown[name] for name in limits} == limits
    assert {name: shown["status"][name] for name in counts} == counts
    assert (shown["status"]["budget_fps"], shown["status"]["saved_percent"]) == (1.25, 75.1)
    page = client.get("/live").text
    for part in (
        "0.5 to 5/s wanted",
        "<dd>1.2</dd>",
        "<dd>1,200</dd>",
        "<dd>301</dd>",
        "<dd>499</dd>",
        "<dd>75 %</dd>",
    ):
        assert part in page, part


@pytest.mark.parametrize(
    "change",
    [
        {"camera_id": "a/b"},
        {"fps": 0},
        {"fps": 1000},
        {"min_fps": 0.01},
        {"min_fps": 9},
        {"min_fps": 1, "preset": "archive"},
        {"pipeline": "cars"},
        {"url": "gopher://x"},
        {"url": ""},
        {"x": 1},
        {"loop": True, "preset": "archive"},
    ],
)
def test_a_wrong_camera_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    body = {"camera_id": "gate", "url": "rtsp://10.0.0.7/stream"} | change
    answer = client.post("/v1/cameras", json=body)
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["detail"]
