"""The audit while work flows, and after Redis lost what it knew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.delivery.ledger import Ledger
from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.testing import make_frame_refs
from sightline.types import FrameError, FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from storage.database.engine import Database
from storage.database.opening import open_database
from tests.stores import open_store


@pytest.fixture
def client(settings: Settings, database: Database) -> Iterator[TestClient]:
    """Somebody on this machine."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 5)) as client:
        yield client


def finish(client: TestClient, settings: Settings, *, settle: bool) -> None:
    """Three frames of one source: two stored, one dead."""
    ledger: Ledger = client.app.state.services.publisher.ledger  # pyright: ignore
    frames = tuple(make_frame_refs(3, source_id="gate"))
    job = Job(job_id="job-000001", pipeline=Pipeline.OBJECTS, lane=Lane.BULK, frames=frames)
    dead = FrameError(reason="bad_image", message="cut off", stage="detect")
    results = tuple(FrameResult(frame=frame, error=dead if frame is frames[2] else None) for frame in frames)
    ledger.admit(job)
    database = open_database(settings.sqlalchemy_url)
    (stored,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=results)], set())
    database.close()
    if settle:
        ledger.settle(job.job_id, stored.counts)


def gate(client: TestClient) -> dict[str, Any]:
    (source,) = client.get("/v1/audit").json()["sources"]
    return source


def test_it_balances_before_and_after_a_job_is_settled(client: TestClient, settings: Settings) -> None:
    finish(client, settings, settle=False)
    before = gate(client)
    assert (before["balanced"], before["open"], before["stored"], before["rows"]) == (True, 3, 0, 2)
    client.app.state.services.publisher.ledger.settle("job-000001", {"gate": {"stored": 2, "dead": 1}})  # pyright: ignore
    after = gate(client)
    assert (after["balanced"], after["open"], after["stored"], after["rows"]) == (True, 0, 2, 2)
    assert (after["dead"], after["dead_rows"]) == (1, 1)


def test_rows_of_an_earlier_life_of_redis_are_told_and_no_loss(client: TestClient, settings: Settings) -> None:
    finish(client, settings, settle=True)
    connect(settings.redis_url).flushall()
    source = gate(client)
    assert (source["balanced"], source["published"], source["rows"], source["dead_rows"]) == (True, 0, 2, 1)


@pytest.mark.parametrize("outcome", ["stored", "dead"])
def test_a_frame_without_its_row_is_noticed(client: TestClient, settings: Settings, outcome: str) -> None:
    finish(client, settings, settle=True)
    redis = connect(settings.redis_url)
    for name in ("published", outcome):
        redis.hincrby("sightline:counts", f"gate|{name}", 1)
    assert not gate(client)["balanced"]
    assert not client.get("/v1/audit").json()["balanced"]


def audit_of(client: TestClient, **query: str) -> dict[str, Any]:
    answer = client.get("/v1/audit", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_hour_balances_by_itself(client: TestClient, settings: Settings) -> None:
    """A frame's end counts in the hour in which it was published, however late it comes."""
    ledger: Ledger = client.app.state.services.publisher.ledger  # pyright: ignore
    frames = tuple(make_frame_refs(2, source_id="yard"))
    early = Job(
        job_id="job-000009",
        pipeline=Pipeline.TEXT,
        lane=Lane.BULK,
        frames=frames,
        published_at=time.time() - 5 * 3600,
    )
    ledger.admit(early)
    waiting = audit_of(client, since="6h", until="4h")
    assert [(s["published"], s["open"], s["balanced"]) for s in waiting["sources"]] == [(2, 2, True)]
    ledger.settle(early.job_id, {"yard": {"dropped:stale": 2}})
    finish(client, settings, settle=True)
    then, now = audit_of(client, since="6h", until="4h"), audit_of(client, since="1h")
    assert [(s["source_id"], s["published"], s["dropped"]) for s in then["sources"]] == [("yard", 2, {"stale": 2})]
    assert [(s["source_id"], s["published"], s["stored"], s["dead"]) for s in now["sources"]] == [("gate", 3, 2, 1)]
    assert (then["balanced"], now["balanced"], now["notes"], now["missing"]) == (True, True, [], [])
    assert then["since"].endswith(":00:00Z")


def test_a_withdrawn_job_was_never_published(client: TestClient) -> None:
    ledger: Ledger = client.app.state.services.publisher.ledger  # pyright: ignore
    frames = tuple(make_frame_refs(2, source_id="yard"))
    job = Job(job_id="job-000009", pipeline=Pipeline.TEXT, lane=Lane.BULK, frames=frames)
    ledger.admit(job)
    ledger.withdraw(job)
    assert [(s["published"], s["balanced"]) for s in audit_of(client, since="1h")["sources"]] == [(0, True)]


def test_a_job_the_ledger_lost_is_told(client: TestClient, settings: Settings) -> None:
    finish(client, settings, settle=False)
    connect(settings.redis_url).hdel("sightline:jobs", "job-000001")
    audit = audit_of(client, since="1h")
    assert not audit["balanced"]
    assert "gate: 3 more frames published than ended or open" in audit["notes"]


@pytest.mark.parametrize(("table", "outcome"), [("frames", "stored"), ("dead_letters", "dead")])
def test_a_row_that_is_gone_is_named(client: TestClient, settings: Settings, table: str, outcome: str) -> None:
    finish(client, settings, settle=True)
    database = open_database(settings.sqlalchemy_url)
    with database.write() as connection:
        (frame_id,) = connection.exec_driver_sql(f"SELECT frame_id FROM {table} ORDER BY 1 LIMIT 1").one()
        connection.exec_driver_sql(f"DELETE FROM {table} WHERE frame_id = '{frame_id}'")
    database.close()
    audit = audit_of(client, since="1h")
    assert not audit["balanced"]
    assert audit["missing"] == [{"frame_id": frame_id, "job_id": "job-000001", "outcome": outcome}]


def test_a_redis_that_lost_everything_is_no_proof(client: TestClient, settings: Settings) -> None:
    finish(client, settings, settle=True)
    connect(settings.redis_url).flushall()
    audit = audit_of(client, since="1h")
    assert not audit["balanced"]
    assert [(s["published"], s["rows"]) for s in audit["sources"]] == [(0, 2)]
    assert "Redis lost its memory: it counts nothing at all" in audit["notes"][-1]
    ledger: Ledger = client.app.state.services.publisher.ledger  # pyright: ignore
    frames = tuple(make_frame_refs(1, source_id="gate"))
    ledger.admit(Job(job_id="job-000002", pipeline=Pipeline.TEXT, lane=Lane.BULK, frames=frames))
    assert "it counts since 20" in audit_of(client, since="1h")["notes"][-1]


@pytest.mark.parametrize(("query", "field"), [({"since": "40d"}, "since"), ({"since": "1h", "until": "2h"}, "until")])
def test_a_range_that_cannot_be_told_is_refused(client: TestClient, query: dict[str, str], field: str) -> None:
    answer = client.get("/v1/audit", params=query)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
