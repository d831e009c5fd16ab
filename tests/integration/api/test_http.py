"""What HTTP has for everybody: HEAD, pages of other origins, compressed bodies and answers."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.errors import SettingsError
from sightline.settings import Settings, load_settings
from tests.integration.api.uploading import jpeg, upload

GZIP = {"content-encoding": "gzip", "content-type": "application/json"}


def test_head_answers_as_get_does_and_has_no_body(client: TestClient) -> None:
    paths = [
        *client.get("/openapi.json").json()["paths"],
        "/",
        "/live",
        "/plates",
        "/login",
        "/docs",
        "/static/page.css",
    ]
    for path in (path for path in paths if "{" not in path):
        asked, got = client.head(path), client.get(path)
        assert (path, asked.status_code, asked.content) == (path, got.status_code, b"")
        assert asked.headers["content-type"] == got.headers["content-type"]
    assert client.head("/v1/queues", headers={"X-API-Key": "wrong"}).status_code == 401
    assert client.head("/v1/jobs/none-of-ours").status_code == 404


def test_head_of_a_real_server_leaves_the_connection_usable(api_url: str) -> None:
    import httpx

    with httpx.Client(base_url=api_url, trust_env=False) as client:
        assert client.head("/docs").status_code == 200
        assert client.get("/healthz").json() == {"status": "ok"}


def test_a_page_of_a_named_origin_may_call(settings: Settings, operator_key: str) -> None:
    app = "https://app.example.org"
    open_ = load_settings(**settings.model_dump() | {"cors_origins": f" {app}/ , http://localhost:5173"})
    with TestClient(create_app(open_), base_url="http://127.0.0.1:8080") as client:
        wish = {"Origin": app, "Access-Control-Request-Method": "POST"}
        wish["Access-Control-Request-Headers"] = "x-api-key,content-type"
        allowed = client.options("/v1/jobs", headers=wish)
        assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (200, app)
        assert client.options("/v1/jobs", headers=wish | {"Origin": "https://evil.example"}).status_code == 400
        for key, status in ((operator_key, 200), ("wrong", 401)):  # a refusal can be read too
            answer = client.get("/v1/jobs", headers={"Origin": app, "X-API-Key": key})
            assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, app)
            assert "access-control-allow-credentials" not in answer.headers
        assert (
            "access-control-allow-origin"
            not in client.get("/v1/jobs", headers={"Origin": "https://evil.example"}).headers
        )


def test_no_other_origin_may_call_unless_it_is_said(client: TestClient) -> None:
    assert "access-control-allow-origin" not in client.get("/v1/jobs", headers={"Origin": "https://a.example"}).headers


@pytest.mark.parametrize("wrong", ["*", "app.example.org", "https://a.example/path", "https://*.example.org"])
def test_an_origin_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"SIGHTLINE_CORS_ORIGINS: .* is no origin such as"):
        load_settings(cors_origins=wrong)


def test_a_gzip_body_is_opened(client: TestClient) -> None:
    body = gzip.compress(json.dumps({"list": "deny", "plate": "KAB 4721"}).encode())
    assert client.post("/v1/plates", content=body, headers=GZIP).json()["plate"] == "KAB4721"
    form = client.build_request("POST", "/v1/jobs", files={"files": ("car.jpg", jpeg())})
    packed = gzip.compress(form.read())
    headers = {"content-type": form.headers["content-type"], "content-encoding": "gzip"}

    def parts():  # no Content-Length, split anywhere
        for start in range(0, len(packed), 1000):
            yield packed[start : start + 1000]

    sent = client.post("/v1/jobs", content=parts(), headers=headers)
    assert (sent.status_code, sent.json()) == (202, upload(client, ("car.jpg", jpeg())).json())


@pytest.mark.parametrize(
    ("body", "says", "status"),
    [
        (gzip.compress(bytes(1_000_001)), "more than 1 MB", 413),
        (gzip.compress(bytes(50_000_000)), "more than 1 MB", 413),
        (b"{}", "is said to be gzip and is not", 422),
        (gzip.compress(b'{"list": "deny"}')[:-4], "cut off", 422),
        (gzip.compress(b"{}") + b"more", "something follows its end", 422),
    ],
)
def test_a_gzip_body_is_opened_no_further_than_its_limit(
    client: TestClient, body: bytes, says: str, status: int
) -> None:
    answer = client.post("/v1/plates", content=body, headers=GZIP)
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.json()


def test_a_body_compressed_otherwise_is_refused_by_name(client: TestClient) -> None:
    for encoding in ("deflate", "br", "gzip, gzip"):
        headers = {"content-type": "application/json", "content-encoding": encoding}
        answer = client.post("/v1/plates", content=zlib.compress(b"{}"), headers=headers)
        assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "gzip")
        assert encoding in answer.json()["detail"]


def test_answers_are_compressed_for_whoever_takes_it(client: TestClient) -> None:
    packed = client.get("/openapi.json", headers={"accept-encoding": "gzip"})
    plain = client.get("/openapi.json", headers={"accept-encoding": "identity"})
    assert (packed.headers["content-encoding"], packed.json()) == ("gzip", plain.json())
    assert int(packed.headers["content-length"]) < len(plain.content) / 3
    assert "content-encoding" not in plain.headers
    assert "content-encoding" not in client.get("/healthz", headers={"accept-encoding": "gzip"}).headers
