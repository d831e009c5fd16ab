"""Who searched and changed what: written with the change or before the answer, without secrets, and never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from producers.api.access import audit_trail
from producers.api.app import create_app
from sightline.errors import StoreUnavailableError
from sightline.settings import Settings
from sightline.types import FrameResult
from storage.__main__ import main as storage
from storage.access.audit_log import AuditEntry, list_entries
from storage.access.keys import Role, create_key, list_keys
from storage.database import acting
from storage.database.engine import Database
from tests.integration.api.uploading import Key


def newest(database: Database, count: int = 1) -> list[AuditEntry]:
    return list(list_entries(database, limit=count).items)


def test_a_search_tells_who_when_from_where_and_what(client: TestClient, database: Database) -> None:
    before = datetime.now(UTC)
    client.get(
        "/v1/passages", params={"text": "KAB*", "since": "1h", "limit": 7}, headers={"X-Forwarded-For": "9.9.9.9"}
    )
    (entry,) = newest(database)
    (made,) = list_keys(database)
    assert (entry.actor, entry.key_id, entry.role) == ("test", made.key_id, "operator")
    assert before <= entry.at <= datetime.now(UTC)
    assert entry.address == "9.9.9.9 via testclient"
    assert (entry.action, entry.outcome) == ("list_passages", "done")
    assert entry.query == {"text": "KAB*", "since": "1h", "limit": "7"}
    client.get("/v1/frames/frame-0001/picture")
    (entry,) = newest(database)
    assert (entry.action, entry.target, entry.outcome) == ("get_picture", "frame-0001", "failed: picture_not_found")


def test_no_key_and_no_password_is_in_it(client: TestClient, database: Database) -> None:
    url = "rtsp://user:hunter2@10.0.0.7/stream"
    client.post("/v1/cameras", json={"camera_id": "gate", "url": url, "sub_url": url})
    client.patch("/v1/cameras/gate", json={"fps": 2, "url": url})
    client.post("/v1/sinks", json={"sink_id": "hook", "url": "https://x/hunter2", "secret": "whsec_hunter2"})
    client.get("/v1/passages", params={"text": url, "token": "hunter2"})
    client.post("/v1/cameras", json={"camera_id": "gate", "nested": [{"url": url}]})
    entries = newest(database, 100)
    assert len(entries) == 5
    everything = "".join(entry.model_dump_json() for entry in entries)
    assert "hunter2" not in everything
    assert str(client.headers["x-api-key"]).rpartition("_")[2] not in everything
    assert entries[3].query == {"body": {"fps": "2", "url": "***"}}
    assert (entries[3].action, entries[3].target) == ("change_camera", "gate")


def test_a_change_and_its_entry_are_one_transaction(
    client: TestClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the entry cannot be written, nothing is changed."""

    def broken(*_: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(acting, "note", broken)
    new = {"camera_id": "gate", "url": "rtsp://10.0.0.7/x"}
    assert client.post("/v1/cameras", json=new).status_code == 503
    monkeypatch.undo()
    assert client.get("/v1/cameras").json()["items"] == []
    assert client.post("/v1/cameras", json=new).status_code == 201
    assert [entry.outcome for entry in newest(database, 9)] == ["done", "failed: store_unavailable"]
    assert client.post("/v1/cameras", json=new).status_code == 409
    assert [entry.outcome for entry in newest(database)] == ["failed: camera_exists"]


def test_what_cannot_be_logged_is_not_shown(
    client: TestClient, stored: FrameResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "KAB" in client.get("/v1/readings").text

    def broken(*_: object) -> None:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(audit_trail, "record", broken)
    for path in ("/v1/readings", "/v1/frames/frame-0001/picture"):
        answer = client.get(path)
        assert (answer.status_code, "KAB" in answer.text) == (503, False)
    page = client.get("/")
    assert (page.status_code, "KAB" in page.text, "the disk is full" in page.text) == (200, False, True)


def test_the_page_is_one_entry_while_somebody_looks(
    client: TestClient, database: Database, stored: FrameResult
) -> None:
    for _ in range(3):
        assert "KAB" in client.get("/live").text
    assert [entry.action for entry in newest(database, 9)] == ["get_page"]


def test_a_session_is_logged_like_its_key_and_ends(settings: Settings, key: Key, database: Database) -> None:
    viewer = key(Role.VIEWER)["X-API-Key"]
    app = create_app(settings)
    with TestClient(app, base_url="http://10.0.0.1", client=("10.1.2.3", 1), follow_redirects=False) as far:
        far.post("/login", data={"key": viewer})
        cookie = far.cookies["sightline_session"]
        assert cookie not in viewer
        assert viewer.rpartition("_")[2] not in cookie
        far.get("/v1/passages")
        assert [(entry.action, entry.actor) for entry in newest(database, 2)] == [
            ("list_passages", "test"),
            ("login", "test"),
        ]
        # A cookie is no key, and after the log-out a copy of it is nothing.
        assert far.get("/v1/passages", headers={"X-API-Key": cookie}).status_code == 401
        far.post("/logout")
        assert far.get("/v1/passages", headers={"Cookie": f"sightline_session={cookie}"}).status_code == 401


def test_only_admins_read_it_and_nobody_changes_it(client: TestClient, key: Key) -> None:
    assert client.get("/v1/audit-log").status_code == 403
    admin = key(Role.ADMIN)
    for action in ("list_passages", "list_readings"):
        client.get(f"/v1/{action[5:]}", headers=admin)
    found = client.get("/v1/audit-log", params={"action": "list_passages", "actor": "test"}, headers=admin).json()
    assert [item["action"] for item in found["items"]] == ["list_passages"]
    page: dict[str, Any] = client.get("/v1/audit-log", params={"limit": 2}, headers=admin).json()
    assert [item["action"] for item in page["items"]] == ["list_audit_log", "list_readings"]
    rest = client.get("/v1/audit-log", params={"cursor": page["next_cursor"]}, headers=admin).json()
    assert [(item["action"], item["outcome"]) for item in rest["items"]][-1] == ("list_audit_log", "refused")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert client.request(method, "/v1/audit-log", headers=admin).status_code == 405


def test_a_command_on_the_database_is_logged_with_the_user(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_DATABASE_URL", settings.sqlalchemy_url)
    monkeypatch.setenv("LOGNAME", "ada")
    storage(["create-key", "robot", "viewer"])
    made = capsys.readouterr().out.strip()
    key_id = made.split("_")[1]
    storage(["revoke-key", key_id])
    storage(["revoke-key", key_id])
    entries = newest(database, 9)
    assert [(e.action, e.target, e.outcome) for e in entries] == [
        ("revoke-key", key_id, "failed: no such valid key"),
        ("revoke-key", key_id, "done"),
        ("revoke-key", key_id, "done"),
        ("create-key", "robot", "done"),
    ]
    assert {entry.actor for entry in entries} == {"os:ada"}
    assert entries[-1].query == {"role": "viewer", "key_id": key_id}
    assert made.rpartition("_")[2] not in "".join(entry.model_dump_json() for entry in entries)


def test_a_name_cannot_steer_the_terminal(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_DATABASE_URL", settings.sqlalchemy_url)
    storage(["create-key", "robot\x1b[2J\nx", "viewer"])
    storage(["list-keys"])
    assert "robot\\x1b[2J\\x0ax" in capsys.readouterr().out


def test_a_body_made_to_hurt_only_fails(client: TestClient, database: Database) -> None:
    deep = '{"a":' * 500 + "1" + "}" * 500
    bodies = [deep, '{"a": "\\ud800\\u0000"}', "[" + "1," * 5000 + "1]", '{"a": 1e999}', "{"]
    for body in bodies:
        answer = client.post("/v1/cameras", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422, body[:40]
    assert len(newest(database, 9)) == len(bodies)


def test_a_key_made_without_an_act_leaves_no_entry(database: Database) -> None:
    create_key(database, "x", Role.VIEWER)
    assert newest(database) == []
