"""The audit while work flows, and after Redis lost what it knew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.ledger import Ledger
from sightline.messages import Job, Message
from sightline.redis_connection import connect
from sightline.settings import Settings, load_settings
from sightline.testing import make_frame_refs
from sightline.types import FrameError, FrameResult, Lane, Pipeline
from storage.database import open_database, upgrade
from storage.store import Store


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    settings = load_settings(data_dir=tmp_path, redis_url=redis_url)
    upgrade(settings.sqlalchemy_url)
    return settings


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
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
    (stored,) = Store(database, passage_gap_s=10).store([Message(job=job, results=results)], set())
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


def test_a_moment_between_two_looks_is_no_alarm(
    client: TestClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Open frames are read before counts: a job that is admitted in between looks like one frame too many."""
    finish(client, settings, settle=True)
    ledger: Ledger = client.app.state.services.publisher.ledger  # pyright: ignore
    real, looks = ledger.counts, 0

    def counts() -> dict[str, dict[str, int]]:
        nonlocal looks
        looks += 1
        found = real()
        return found | {"gate": found["gate"] | {"published": found["gate"]["published"] + (looks == 1)}}

    monkeypatch.setattr(ledger, "counts", counts)
    assert gate(client)["balanced"]
    assert looks == 2
