"""Old rows go: by the command, beside a writer, and the audit still balances."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from producers.api.app import create_app
from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.cli import app
from sightline.delivery.ledger import Ledger
from sightline.errors import SettingsError
from sightline.settings import Settings, load_settings
from sightline.testing import make_frame_refs
from sightline.types import FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from storage.access.audit_log import list_entries
from storage.database.engine import Database
from storage.tables import Frames, Jobs
from tests.stores import open_store
from workers.housekeeping.retention import Retention


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("SIGHTLINE_DATA_DIR", str(tmp_path))
    return load_settings()


@pytest.fixture
def pictures(settings: Settings) -> FrameStore:
    return open_frame_store(settings.picture_store_url, ttl_s=None)


def store_job(database: Database, pictures: FrameStore, job_id: str, days: float, ledger: Ledger | None = None) -> Job:
    """A job of two frames with kept pictures that finished so long ago."""
    frames = tuple(make_frame_refs(2, source_id="gate"))
    job = Job(job_id=job_id, pipeline=Pipeline.OBJECTS, lane=Lane.BULK, frames=frames)
    if ledger is not None:
        ledger.admit(job)
    pictures.put_many({frame.frame_id: b"x" for frame in frames})
    results = tuple(FrameResult(frame=frame) for frame in frames)
    kept = {frame.frame_id for frame in frames}
    (stored,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=results)], kept)
    if ledger is not None:
        ledger.settle(job.job_id, stored.counts)
    then = datetime.now(UTC) - timedelta(days=days)
    with database.write() as connection:
        connection.execute(sa.update(Jobs).values(finished_at=then).where(Jobs.job_id == job_id))
        connection.execute(sa.update(Frames).values(stored_at=then).where(Frames.job_id == job_id))
    return job


def command(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["retention", *arguments, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    answer = json.loads(done.output)
    return answer["dry_run"], {name: number for name, number in answer["counts"].items() if number}


def test_the_command_says_what_would_go_and_deletes_it(database: Database, pictures: FrameStore) -> None:
    store_job(database, pictures, "job-000001", 400)
    store_job(database, pictures, "job-000002", 40)
    store_job(database, pictures, "job-000003", 1)
    expected = {"jobs": 1, "frames": 2, "pictures": 4}
    assert command("--dry-run") == (True, expected)
    assert list_entries(database).items == ()
    assert command() == (False, expected)
    assert command("--days", "20") == (False, {"jobs": 1, "frames": 2})
    assert [(entry.action, entry.query, entry.outcome) for entry in list_entries(database).items] == [
        ("retention", {"days": 20.0}, "done"),
        ("retention", {}, "done"),
    ]
    with database.read() as connection:
        assert connection.scalars(sa.select(Jobs.job_id)).all() == ["job-000003"]


def test_the_command_prints_a_table(database: Database, pictures: FrameStore) -> None:
    store_job(database, pictures, "job-000001", 400)
    said = CliRunner().invoke(app, ["retention"], catch_exceptions=False).output.splitlines()
    assert [" ".join(row.split()) for row in said] == ["what deleted", "jobs 1", "frames 2", "pictures 2"]
    assert CliRunner().invoke(app, ["retention"], catch_exceptions=False).output.strip() == "nothing is that old"


def test_without_a_database_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_DATA_DIR", str(tmp_path / "none"))
    with pytest.raises(SettingsError, match=r"there is no database .*python -m storage upgrade"):
        command()


def test_beside_a_writer_it_works_by_the_settings_and_ends_at_once(
    database: Database, pictures: FrameStore, settings: Settings
) -> None:
    store_job(database, pictures, "job-000001", 3)
    young = store_job(database, pictures, "job-000002", 1)
    retention = Retention(database, pictures, settings.model_copy(update={"keep_results_days": 2.0}))
    retention.start()
    assert retention.run_once() == {"jobs": 1, "frames": 2, "pictures": 2}
    assert pictures.get_many([frame.frame_id for frame in young.frames]) == [b"x", b"x"]
    retention.stop()


def test_the_audit_balances_after_rows_went(
    redis_url: str, settings: Settings, database: Database, pictures: FrameStore
) -> None:
    settings = settings.model_copy(update={"redis_url": redis_url})
    with TestClient(create_app(settings), base_url="http://127.0.0.1", client=("127.0.0.1", 5)) as client:
        ledger: Ledger = client.app.state.services.publisher.ledger  # pyright: ignore
        store_job(database, pictures, "job-000001", 3, ledger)
        store_job(database, pictures, "job-000002", 0, ledger)
        Retention(database, pictures, settings.model_copy(update={"keep_results_days": 1.0})).run_once()
        for path in ("/v1/audit", "/v1/audit?since=2h"):
            audit = client.get(path).json()
            (source,) = audit["sources"]
            assert (audit["balanced"], audit.get("notes"), audit.get("missing")) == (True, [], [])
            numbers = {name: source[name] for name in ("published", "stored", "rows", "removed")}
            assert numbers == {"published": 4, "stored": 4, "rows": 2, "removed": 2}
        with database.write() as connection:  # a row that went without being counted is missed
            connection.execute(sa.text("UPDATE removed_rows SET stored = 1"))
        for path in ("/v1/audit", "/v1/audit?since=2h"):
            assert not client.get(path).json()["balanced"]
