"""How the system does, in numbers, for people and for Prometheus."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from producers.api.app import create_app as create_api
from producers.api.metrics.audit import BackgroundAudit
from producers.api.services import open_services
from sightline.celery.app import create_app
from sightline.delivery.broker import Broker
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.ids import new_id
from sightline.pipelines import registry
from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.types import FrameRef, FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from storage.accounting import throughput
from storage.database.engine import Database
from storage.sinks.deliveries import add_test
from storage.sinks.sinks import Sink, add_sink
from tests.conftest import free_port


@pytest.fixture
def open_job(settings: Settings) -> Job:
    """A job that was published a minute ago, and nobody works on it."""
    frames = tuple(FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC)) for _ in range(3))
    published_at = (datetime.now(UTC) - timedelta(minutes=1)).timestamp()
    job = Job(
        job_id=new_id(),
        pipeline=Pipeline.PLATES,
        lane=Lane.BULK,
        frames=frames,
        published_at=published_at,
        entered=True,
    )
    assert Ledger(connect(settings.redis_url), LedgerLimits.from_settings(settings)).admit(job) == "admitted"
    return job


def test_an_idle_system_has_no_oldest_job(client: TestClient, settings: Settings) -> None:
    (settings.data_dir / "pictures").mkdir()
    status = client.get("/v1/status").json()
    assert (status["open_frames"], status["oldest_open_s"], status["dead_letters"]) == (0, None, 0)
    assert set(status["waiting"]) == set(registry().queues)
    assert status["database_bytes"] > 100_000
    assert 0 < status["picture_disk"]["free_bytes"] <= status["picture_disk"]["bytes"]


def test_open_work_and_its_age_are_told(client: TestClient, stored: FrameResult, open_job: Job) -> None:
    status = client.get("/v1/status").json()
    assert status["open_frames"] == 3
    assert status["oldest_open_s"] >= 60
    assert status["dead_letters"] == 1
    assert status["picture_disk"] is not None


def test_throughput_is_what_ended_in_that_time(database: Database, stored: FrameResult) -> None:
    """The two frames of the stored job ended just now, whenever they were taken."""
    assert throughput.frames_per_s(database, over_s=3600) == pytest.approx(2 / 3600)


def test_prometheus_reads_the_same(client: TestClient, stored: FrameResult, open_job: Job) -> None:
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    (open_frames,) = families["sightline_open_frames"].samples
    assert open_frames.value == 3
    assert families["sightline_oldest_open_seconds"].samples[0].value >= 60
    queues = {sample.labels["queue"] for sample in families["sightline_queue_messages"].samples}
    assert queues == set(registry().queues)
    frames = {
        (sample.labels["outcome"], sample.labels["reason"]): sample.value
        for sample in families["sightline_frames"].samples
        if sample.name == "sightline_frames_total"
    }
    assert (frames["published", ""], frames["stored", ""], frames["dead", ""]) == (5, 1, 1)


def families_of(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """The samples of each metric, by the values of their labels, in the order of their names."""
    families = text_string_to_metric_families(text)
    return {f.name: {tuple(sample.labels.values()): sample.value for sample in f.samples} for f in families}


def test_prometheus_reads_what_each_store_knows(
    client: TestClient, settings: Settings, database: Database, stored: FrameResult, open_job: Job
) -> None:
    (settings.data_dir / "pictures").mkdir(exist_ok=True)
    add_sink(database, Sink(sink_id="gate", url=SecretStr("http://127.0.0.1:9/hook")))
    add_test(database, "gate")
    broker = Broker(create_app(settings))
    sent_at = time.time()
    broker.send("sightline.detect", Message(job=open_job).pack(), task_id="1", lane=Lane.BULK)
    found = families_of(client.get("/metrics").text)
    assert found["sightline_queue_messages"]["bulk", "gpu.detect"] == 1
    assert 0 < found["sightline_queue_oldest_seconds"]["bulk", "gpu.detect"] <= time.time() - sent_at
    assert found["sightline_queue_oldest_seconds"]["live", "gpu.detect"] == 0
    assert len(found["sightline_queue_messages"]) == len(registry().queues) * len(Lane)
    assert {reason: n for (reason,), n in found["sightline_dead_letters"].items() if n} == {"bad_image": 1}
    assert found["sightline_store_up"] == {(name,): 1 for name in ("broker", "redis", "frames", "database")}
    assert found["sightline_cameras"]["running",] == 0
    assert found["sightline_sink_waiting_events"] == {("gate",): 1}
    assert found["sightline_sink_oldest_seconds"]["gate",] > 0
    assert found["sightline_redis_memory_bytes"]["broker",] > 100_000
    assert found["sightline_open_frames_limit"] == {(): settings.max_open_frames}
    assert found["sightline_held_messages"] == {(): 0}
    assert found["sightline_database_connections_limit"] == {(): 40}


def test_a_store_that_is_away_takes_its_own_numbers_alone(
    settings: Settings, database: Database, operator_key: str, stored: FrameResult
) -> None:
    away = settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    with TestClient(create_api(away), headers={"X-API-Key": operator_key}) as client:
        found = families_of(client.get("/metrics").text)
    assert found["sightline_store_up"] == {("broker",): 0, ("redis",): 0, ("frames",): 1, ("database",): 1}
    assert {reason: n for (reason,), n in found["sightline_dead_letters"].items() if n} == {"bad_image": 1}
    assert "sightline_cameras" not in found  # how they do is in Redis
    assert "sightline_queue_messages" not in found


def test_the_books_are_looked_at_beside_the_scrapes(
    settings: Settings, database: Database, stored: FrameResult
) -> None:
    services = open_services(settings)
    audit = BackgroundAudit(services)
    audit.look()
    samples = {metric.name: metric.samples[0].value for metric in audit.collect()}
    assert samples["sightline_audit_balanced"] == 1
    services.redis.hincrby(f"sightline:counts:{int(time.time() // 3600)}", "gate|published", 1)
    audit.look()
    assert {metric.name: metric.samples[0].value for metric in audit.collect()}["sightline_audit_balanced"] == 0


def test_numbers_want_a_key_elsewhere(client: TestClient) -> None:
    for path in ("/v1/status", "/metrics"):
        assert client.get(path, headers={"X-API-Key": "sl_wrong"}).status_code == 401


def test_a_missing_picture_says_where_was_looked(client: TestClient, settings: Settings) -> None:
    detail = client.get("/v1/frames/frame-0001/picture").json()["detail"]
    assert settings.picture_store_url in detail
    assert "SIGHTLINE_PICTURES_URL" in detail
