"""Requests nobody should send, and what must not happen: a status 500, a leaked secret, an open door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.settings import Settings
from storage.access.keys import Role, create_key, list_keys, revoke_key
from storage.database.engine import Database

SECRET = "hunter2"
Send = Callable[..., Any]


def jpeg(seed: int = 1) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


@pytest.fixture
def client(settings: Settings, operator_key: str) -> Iterator[TestClient]:
    """An operator; an unexpected error is an answer of status 500, as it is in production."""
    headers = {"X-API-Key": operator_key}
    app = create_app(settings)
    with TestClient(app, base_url="http://127.0.0.1:8080", headers=headers, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("content_type", "body", "status", "says"),
    [
        ("multipart/form-data; boundary=x", b"garbage", 422, "Invalid multipart"),
        ("multipart/form-data", b"garbage", 422, "boundary"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422, "none given"),
        ("image/jpeg", jpeg()[:40], 422, "image"),
        ("application/x-www-form-urlencoded", b"pipeline=plates", 415, "multipart/form-data"),
        ("", b"", 415, "multipart/form-data"),
        ("application/json", b"[" * 100_000, 422, "Invalid JSON"),
        ("application/json", b"\xff\xfe", 422, "Invalid JSON"),
        ("application/json", b'{"urls": "http://x/?token=hunter2"}', 422, "urls"),
        ("application/json", b'{"urls": ["http://x/?token=hunter2"], "url": 1}', 422, "url"),
        ("application/json", b'{"urls": ["http://1.1.1.1:99999/?token=hunter2"]}', 422, "only http"),
        ("application/json", b'{"urls": ["http://xn--/"]}', 422, "resolved"),
        ("application/json", b'{"urls": ["http://[::1"]}', 422, "url"),
        ("application/json", b'{"urls": ["http://\\ud800/"]}', 422, ""),
    ],
)
def test_a_body_of_the_wrong_kind_is_explained(
    client: TestClient, content_type: str, body: bytes, status: int, says: str
) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"content-type": content_type})
    assert answer.status_code == status
    assert says in answer.json()["detail"]
    assert SECRET not in answer.text


def test_files_in_the_wrong_field_or_too_many_are_explained(client: TestClient, settings: Settings) -> None:
    wrong = client.post("/v1/jobs", files={"file": ("a.jpg", jpeg())}).json()
    known = "files, pipeline, lane, source_id, captured_at, sequence, options"
    assert wrong["detail"] == f"file: no field of this form; it has {known}"
    text = client.post("/v1/jobs", files={"files": (None, "a text")})
    assert "with @, not <" in text.json()["detail"]
    swapped = client.post("/v1/jobs", files=[("files", ("a.jpg", jpeg())), ("pipeline", ("b.jpg", jpeg()))])
    assert "images go in the field `files`" in swapped.json()["detail"]
    many = client.post("/v1/jobs", files=[("files", (f"{n}.jpg", jpeg())) for n in range(65)])
    assert (many.status_code, "64" in many.json()["detail"]) == (422, True)
    large = client.post("/v1/jobs", files={"files": ("large.jpg", jpeg() + bytes(21_000_000))})
    assert (large.status_code, "'large.jpg': 21.0 MB, at most 20 MB" in large.json()["detail"]) == (422, True)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "C:\\x\\y.jpg", "\x01<script>.jpg", "ü" * 300, "x" * 900 + ".jpg"]
)
def test_a_strange_file_name_is_only_a_name(client: TestClient, name: str) -> None:
    answer = client.post("/v1/jobs", files={"files": (name, jpeg())})
    assert answer.status_code == 202
    ledger = client.app.state.services.publisher.ledger  # pyright: ignore
    (frame,) = ledger.open_job(answer.json()["job_id"]).frames
    assert len(frame.name) <= 255
    assert not set("/\\") & set(frame.name)


def test_a_live_job_whose_frames_are_all_refused_is_refused(client: TestClient, settings: Settings) -> None:
    """Frames that are not taken must not look as if they were."""
    most = settings.live_max_open_frames
    form = {"lane": "live", "source_id": "gate"}

    def submit(first: int, count: int) -> Any:
        files = [("files", (f"{n}.jpg", jpeg(n))) for n in range(first, first + count)]
        return client.post("/v1/jobs", files=files, data=form)

    assert submit(0, most).status_code == 202
    refused = submit(100, 2)
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    assert "'gate' in lane live" in refused.json()["detail"]
    assert client.get("/v1/queues").json()["open_frames"] == {"gate": most}


def test_an_idempotency_key_makes_a_job_of_its_own_and_the_same_key_the_same(client: TestClient) -> None:
    def submit(key: str | None, seed: int = 1) -> str:
        headers = {"Idempotency-Key": key} if key else {}
        return client.post("/v1/jobs", files={"files": ("a.jpg", jpeg(seed))}, headers=headers).json()["job_id"]

    assert submit("a") == submit("a")
    assert len({submit(None), submit("a"), submit("b"), submit("a", seed=2)}) == 4
    too_long = client.post("/v1/jobs", files={"files": ("a.jpg", jpeg())}, headers={"Idempotency-Key": "k" * 256})
    assert too_long.status_code == 422


@pytest.mark.parametrize(
    "query",
    ["since=999999w", "until=0001-01-01T00:00:00%2B05:00", "source=%00", "text=%25_%5c%00", "cursor=%00", "limit=1e3"],
)
@pytest.mark.parametrize("path", ["passages", "readings", "jobs", "dead-letters"])
def test_strange_queries_are_answered(client: TestClient, path: str, query: str) -> None:
    assert client.get(f"/v1/{path}?{query}").status_code in (200, 422)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"url": f"rtsp://u:{SECRET}@h/s"}, "camera_id"),
        ([f"rtsp://u:{SECRET}@h/s"], "body"),
        ({"camera_id": "a", "url": f"rtsp://u:{SECRET}@h/s" + "x" * 2100}, "url"),
        ({"camera_id": "a", "url": f"rtsp://u:{SECRET}@h/s\n"}, "url"),
        ({"camera_id": "a", "url": f"rtsp://u:{SECRET}@h/s\0"}, "url"),
        ({"camera_id": "a", "url": f"gopher://u:{SECRET}@h/s"}, "url"),
        ({"camera_id": "a", "url": "rtsp:///nowhere"}, "url"),
        ({"camera_id": "a", "url": f"rtsp://u:{SECRET}@h/a@b"}, "url"),
        ({"camera_id": "a", "url": [f"rtsp://u:{SECRET}@h/s"]}, "url"),
        ({"camera_id": "a", "url": "0", "pipeline": f"rtsp://u:{SECRET}@h/s"}, "pipeline"),
    ],
)
def test_a_wrong_camera_is_refused_without_repeating_its_secret(client: TestClient, body: Any, field: str) -> None:
    answer = client.post("/v1/cameras", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(field)
    assert SECRET not in answer.text
    assert client.get("/v1/cameras").json()["items"] == []


@pytest.mark.parametrize(
    "url",
    ["0", "/srv/clip.mp4", "clip.mp4", "file:///srv/a@b.mp4", "RTSP://h/s", "https://h/s?a=b", "rtsp://u:p@s/w#rd@h/s"],
)
def test_every_kind_of_camera_is_taken(client: TestClient, url: str) -> None:
    assert client.post("/v1/cameras", json={"camera_id": "a", "url": url}).status_code == 201


def test_cameras_can_be_managed_without_redis(settings: Settings, database: Database) -> None:
    headers = {"X-API-Key": create_key(database, "test", Role.OPERATOR)}
    absent = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(absent), headers=headers) as client:
        made = client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://h/s"})
        assert (made.status_code, made.json()["status"]) == (201, None)
        assert client.get("/v1/cameras").json()["items"][0]["camera_id"] == "gate"
        page = client.get("/").text
        assert "gate" in page
        assert "unknown" in page


@pytest.mark.parametrize("path", ["/v1/jobs/nobody-knows", "/v1/passages/nothing", "/v1/frames/frame-9999", "/nothing"])
def test_what_is_not_there_is_a_404_problem(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "a_b.evil.example:8080", "127.0.0.1,evil.example"),
        *("x@127.0.0.1", "[::1", "127.0.0.1:99999999", ""),
    ],
)
def test_no_other_name_opens_the_page(client: TestClient, host: str) -> None:
    """A page elsewhere can point a name of its own at this machine (DNS rebinding)."""
    assert client.get("/v1/passages", headers={"Host": host, "X-API-Key": ""}).status_code == 401


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"])
def test_whoever_comes_through_a_proxy_needs_a_key(settings: Settings, database: Database, header: str) -> None:
    with TestClient(create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 5)) as client:
        assert client.get("/v1/passages").status_code == 200
        assert client.get("/v1/passages", headers={header: "127.0.0.1"}).status_code == 401


def test_every_endpoint_but_health_needs_a_key_where_the_api_listens_to_the_world(
    settings: Settings, database: Database
) -> None:
    app = create_app(settings.model_copy(update={"api_host": "0.0.0.0"}))
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 5), follow_redirects=False) as client:
        open_to_all = {"/healthz", "/readyz", "/login", "/logout", "/static"}
        paths = {route.path for route in _routes(app)} - open_to_all  # pyright: ignore
        assert len(paths) >= 20
        for path in paths:
            path = path.replace("{detection_index}", "0").replace("{", "").replace("}", "_0")
            for method in ("GET", "POST", "PATCH", "DELETE"):
                answer = client.request(method, path)
                assert answer.status_code in (401, 405) or answer.headers.get("location") == "/login", (method, path)


def _routes(app: Any) -> Iterator[Any]:
    """Every route, those of included routers too."""
    waiting = list(app.routes)
    while waiting:
        route = waiting.pop()
        if hasattr(route, "path"):
            yield route
        else:
            waiting += list(getattr(route, "routes", None) or route.original_router.routes)


def test_a_revoked_key_soon_opens_nothing(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = {"X-API-Key": create_key(database, "test", Role.VIEWER)}
    monkeypatch.setattr("producers.api.access.auth._TRUSTED_S", 0.0)
    with TestClient(create_app(settings), client=("10.0.0.1", 5)) as client:
        assert client.get("/v1/passages", headers=key).status_code == 200
        revoke_key(database, list_keys(database)[0].key_id)
        assert client.get("/v1/passages", headers=key).status_code == 401


@pytest.mark.parametrize("key", ["", "sl_", "sl__", "x", "sl_é_ü", "sl_" + "a" * 5000, "sl_0_0\t"])
def test_nonsense_is_no_key(settings: Settings, database: Database, key: str) -> None:
    with TestClient(create_app(settings), client=("10.0.0.1", 5)) as client:
        for header in ("X-API-Key", "Cookie"):
            value = f"sightline_key={key}" if header == "Cookie" else key
            assert client.get("/v1/passages", headers={header: value.encode("latin-1")}).status_code == 401
        assert client.post("/login", data={"key": key}).status_code in (401, 422)


def test_text_from_outside_is_escaped_on_the_page(client: TestClient, settings: Settings, database: Database) -> None:
    client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://h/<script>alert(1)</script>"})
    page = client.get("/")
    assert "&lt;script&gt;" in page.text
    assert "<script>alert" not in page.text
    assert "unsafe" not in page.headers["content-security-policy"]


def test_logging_out_forgets_the_key(settings: Settings, database: Database) -> None:
    key = create_key(database, "test", Role.VIEWER)
    with TestClient(create_app(settings), base_url="https://sightline.example", client=("10.0.0.1", 5)) as client:
        cookie = client.post("/login", data={"key": key}, follow_redirects=False).headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert "secure" in cookie
        assert "Log out" in client.get("/").text
        client.post("/logout")
        assert client.get("/v1/passages").status_code == 401


def test_the_document_is_valid_and_complete(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            if path.startswith("/v1"):
                wrong = "400" if {"chat", "speech"} & set(operation["tags"]) else "422"  # as OpenAI's clients know it
                assert {"401", wrong, "503"} <= set(operation["responses"]), (method, path)
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas
    kinds = {
        "/v1/jobs": "multipart/form-data",
        "/v1/jobs/json": "application/json",
        "/v1/jobs/image": "application/octet-stream",
    }
    for path, kind in kinds.items():  # one each, or generators of clients leave some out
        assert set(document["paths"][path]["post"]["requestBody"]["content"]) == {kind}
    bodies = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    assert set(bodies["multipart/form-data"]["schema"]["properties"]) == {
        "files",
        "pipeline",
        "lane",
        "source_id",
        "captured_at",
        "sequence",
        "options",
    }
    assert "example" in schemas["NewCamera"]
    assert "example" in schemas["CameraChange"]


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list):
        for value in part:
            yield from _references(value)


def test_the_documentation_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/docs")
    assert page.status_code == 200
    for path in ("/v1/jobs", "/v1/passages/{passage_id}/crop", "/v1/audit"):
        assert path in page.text
    assert "-F files=@car.jpg -F pipeline=plates" in page.text
    assert "http://127.0.0.1:8080/v1/jobs" in page.text
    assert "<script" not in page.text
    assert "https://" not in page.text.replace("https://example.org/car.jpg", "")


@pytest.mark.parametrize("path", ["/v1/plates", "/v1/cameras", "/v1/sinks", "/v1/dead-letters/replay"])
def test_bytes_that_are_no_text_are_refused_like_any_wrong_body(client: TestClient, path: str) -> None:
    answer = client.post(path, content=b"9\xff\x04\xfe", headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["field"]) == (422, "body")
