"""Sinks over HTTP: what is accepted, refused and shown. No deliver role runs here."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.settings import Settings
from sightline.webhooks import new_secret
from storage.access.keys import Role, create_key
from storage.database.engine import Database
from storage.sinks.outbox import Outbox
from storage.sinks.sinks import disable_sink, get_sink
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store

HOOK = {"sink_id": "hook", "url": "http://user:hunter2@10.0.0.9/token-in-the-path"}


def test_sinks_come_change_and_go_and_show_no_secret(client: TestClient, database: Database) -> None:
    made = client.post("/v1/sinks", json=HOOK | {"sources": ["gate"]})
    assert (made.status_code, made.headers["location"]) == (201, "/v1/sinks/hook")
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    assert (made.json()["kind"], made.json()["url"]) == ("webhook", "http://10.0.0.9/***")
    assert client.post("/v1/sinks", json=HOOK).status_code == 409
    changed = client.patch("/v1/sinks/hook", json={"events": ["frame.dead"], "enabled": False}).json()
    assert (changed["events"], changed["enabled"], changed["sources"]) == (["frame.dead"], False, ["gate"])
    kept = get_sink(database, "hook").secret
    assert kept is not None
    assert kept.get_secret_value() == secret
    for shown in (
        made.json()["url"],
        client.get("/v1/sinks").text,
        client.get("/v1/sinks/hook").text,
        client.get("/").text,
    ):
        for hidden in ("hunter2", "token-in-the-path", secret):
            assert hidden not in shown
    assert client.delete("/v1/sinks/hook").status_code == 204
    gone = client.get("/v1/sinks/hook")
    assert (gone.status_code, "'hook'" in gone.json()["detail"]) == (404, True)


def test_a_secret_that_was_given_is_not_repeated(client: TestClient) -> None:
    secret = new_secret()
    made = client.post("/v1/sinks", json=HOOK | {"secret": secret})
    assert (made.status_code, made.json()["secret"], secret in made.text) == (201, None, False)


@pytest.mark.parametrize(
    "change",
    [
        {"url": "gopher://hunter2@x"},
        {"secret": "hunter2"},
        {"events": []},
        {"events": ["passage"]},
        {"sources": ["a/b"]},
        {"sink_id": "a/b"},
        {"surprise": 1},
    ],
)
def test_a_wrong_sink_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    body = {"sink_id": "hook", "url": "http://10.0.0.9/"} | change
    answer = client.post("/v1/sinks", json=body)
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["detail"]
    assert "hunter2" not in answer.text


def test_who_may_look_may_not_change(settings: Settings, database: Database) -> None:
    headers = {"X-API-Key": create_key(database, "test", Role.VIEWER)}
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080", headers=headers) as viewer:
        assert viewer.get("/v1/sinks").json() == {"items": []}
        for method, path in (
            ("POST", ""),
            ("PATCH", "/a"),
            ("DELETE", "/a"),
            ("POST", "/a/test"),
            ("POST", "/a/replay"),
        ):
            assert viewer.request(method, f"/v1/sinks{path}", json={}).status_code == 403


def test_counts_are_shown_and_a_range_is_replayed(client: TestClient, database: Database) -> None:
    client.post("/v1/sinks", json=HOOK)
    open_store(database, 10, Outbox(sinks_every_s=0)).store([message(frame_result())], ())
    sink = client.get("/v1/sinks/hook").json()
    assert (sink["pending"], sink["sent"], sink["dead"], sink["last_error"]) == (1, 0, 0, None)
    page = client.get("/live").text
    assert "1 pending, 0 sent, 0 dead" in page
    assert client.post("/v1/sinks/hook/replay", json={"since": "1h"}).json() == {"queued": 0}  # it waits anyway
    assert client.post("/v1/sinks/hook/replay", json={"since": "yesterday"}).status_code == 422
    assert client.post("/v1/sinks/none/replay", json={"since": "1h"}).status_code == 404


def test_a_test_event_waits_where_nobody_delivers(client: TestClient, database: Database) -> None:
    client.post("/v1/sinks", json=HOOK)
    assert client.post("/v1/sinks/hook/test?wait=0.2").json() == {"sent": None, "error": None}
    disable_sink(database, "hook", "the receiver answered 410 Gone")
    refused = client.post("/v1/sinks/hook/test")
    assert (refused.status_code, "resume it" in refused.json()["detail"]) == (422, True)
    assert "disabled" in client.get("/live").text
    resumed = client.patch("/v1/sinks/hook", json={"enabled": True}).json()
    assert resumed["disabled_reason"] is None


def test_whoever_waits_for_a_test_event_holds_up_nobody(client: TestClient) -> None:
    """More wait than there are threads for all requests together."""
    client.post("/v1/sinks", json=HOOK)
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(client.post, "/v1/sinks/hook/test?wait=8") for _ in range(60)]
        time.sleep(1)
        assert client.get("/v1/sinks").status_code == 200
        assert not any(one.done() for one in waiting)
        assert {one.result().status_code for one in waiting} == {200}
