"""`sightline doctor` on an installation that is ill: each ailment is named, with what to do, and no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from sightline.celery.app import create_app
from sightline.delivery.broker import Broker
from sightline.delivery.publisher import Publisher
from sightline.doctor.finding import Finding, State
from sightline.doctor.services import look_at_workers
from sightline.pipelines.queues import WRITE_TASK
from sightline.settings import Settings
from sightline.submission.jobs import make_job
from sightline.submission.texts import NewText
from sightline.types import Lane, Pipeline
from storage.database.engine import Database
from storage.doctor import look_at_database
from storage.sinks.sinks import add_sink, disable_sink, new_sink

Findings = dict[str, dict[str, Any]]


def examine(settings: Settings, **environment: str) -> tuple[int, Findings]:
    given = settings.model_dump(mode="json", include=settings.model_fields_set - {"api_key"})
    ours = {f"SIGHTLINE_{name.upper()}": str(value) for name, value in given.items()} | environment
    command = [sys.executable, "-m", "sightline", "doctor", "--json", "--no-picture"]
    done = subprocess.run(command, env=os.environ | ours, capture_output=True, text=True)
    assert done.stderr == ""
    assert "s3cret" not in done.stdout
    # Of several about one thing the first, which is the worst.
    return done.returncode, {found["what"]: found for found in map(json.loads, reversed(done.stdout.splitlines()))}


@pytest.fixture
def evicting(redis_url: str) -> Iterator[None]:
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory", "1gb")
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 0)


@pytest.mark.usefixtures("evicting")
def test_each_ailment_is_named_with_what_to_do(settings: Settings, database: Database) -> None:
    add_sink(database, new_sink(sink_id="gone", url="https://hooks.example/s3cret"))
    disable_sink(database, "gone", "the receiver answered 410")
    Broker(create_app(settings)).send(WRITE_TASK, "{}", task_id="x", lane=Lane.BULK)
    status, found = examine(settings)
    assert status == 1
    assert found["database"]["state"] == "ok"
    assert found["clock: redis"]["state"] == "ok"
    assert ("allkeys-lru" in found["redis"]["says"], found["redis"]["state"]) == (True, "bad")
    assert found["sink: gone"]["do"] == "sightline sinks resume gone"
    assert found["queue: db.write"]["says"] == "no worker consumes it, 1 messages wait"
    assert found["queue: db.write"]["do"].startswith("sightline up starts it, or start the role write alone")
    assert found["api"]["state"] == "bad"
    assert not [what for what, finding in found.items() if finding["state"] == "bad" and not finding["do"]]


def test_a_heavy_stage_without_a_worker(settings: Settings, database: Database) -> None:
    Broker(create_app(settings)).send("sightline.chat", "{}", task_id="x", lane=Lane.BULK)
    assert examine(settings)[1]["queue: gpu.chat"]["do"].startswith("sightline up --with chat, or ")


def test_a_sqlite_file_that_cannot_be_written(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(database.engine.url.database)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write what nobody may
    says, do = f"{file} cannot be written", f"make it and its folder writable: chmod u+w {file}"
    assert [(found.says, found.do) for found in look_at_database(settings)] == [(says, do)]


def test_what_is_not_there_at_all(settings: Settings) -> None:
    """No database, no Redis: nothing is made, nothing hangs, and all else is still looked at."""
    status, found = examine(settings, SIGHTLINE_REDIS_URL="redis://me:s3cret@127.0.0.1:1/0")
    assert status == 1
    assert "there is no database" in found["database"]["says"]
    assert "Connection refused" in found["redis"]["says"]
    assert {found[what]["state"] for what in ("redis", "database", "workers", "api", "cameras")} == {"bad"}
    assert "is SIGHTLINE_REDIS_URL right?" in found["redis"]["do"]
    assert "is SIGHTLINE_REDIS_URL right?" in found["workers"]["do"]
    assert found["frame store"]["state"] == "ok"
    assert not list(settings.data_dir.glob("*.sqlite3"))


def test_a_wrong_setting_is_the_first_finding_and_the_last(settings: Settings) -> None:
    status, found = examine(settings, SIGHTLINE_MAX_ATTEMPTS="many")
    assert (status, list(found)) == (1, ["settings"])
    assert "SIGHTLINE_MAX_ATTEMPTS" in found["settings"]["says"]


def test_what_is_left_of_a_cancelled_question_makes_nothing_bad(settings: Settings) -> None:
    """It lies where nobody takes it, until a worker comes."""
    publisher = Publisher.from_settings(settings)
    question = NewText("Where?", datetime.now(UTC), "question", time_from="received")
    job, stored = make_job([question], settings, pipeline=Pipeline.CHAT, lane=Lane.INTERACTIVE, source_id="ask")
    publisher.publish(job, stored)

    def found() -> Finding:
        (one,) = [each for each in look_at_workers(settings) if each.what == "queue: gpu.chat"]
        return one

    assert (found().state, "1 messages wait" in found().says) == (State.BAD, True)
    publisher.ledger.cancel(job.job_id)
    assert found().state is State.BAD, "a writer has to drop it yet"
    publisher.ledger.drop(job.job_id, {"ask": {"dropped:cancelled": 1}})
    assert (found().state, found().says.endswith("; 1 messages of jobs that ended")) == (State.WARN, True)
    publisher.close()
