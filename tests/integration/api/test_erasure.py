"""What is forgotten on request: nothing of it is left in a table, a store or Redis, and its neighbors stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.blobs.opening import open_frame_store
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import ResultBoard
from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.types import Detection, FrameError, FrameRef, FrameResult, Lane, Pipeline, Reading
from sightline.wire.events import Event
from sightline.wire.messages import Job, Message
from storage.access.audit_log import list_entries
from storage.access.keys import Role, create_key
from storage.database.engine import Database
from storage.plates.text import fold
from storage.results import queries
from storage.sinks.sinks import Sink, add_sink
from storage.tables import Base
from tests.integration.api.uploading import jpeg, upload
from tests.stores import open_store

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
Put = Callable[..., None]


@pytest.fixture
def admin(settings: Settings, database: Database) -> Iterator[TestClient]:
    headers = {"X-API-Key": create_key(database, "officer", Role.ADMIN)}
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080", headers=headers) as client:
        yield client


@pytest.fixture
def put(settings: Settings, database: Database) -> Iterator[Put]:
    """Stores a job as workers and the writer do: a frame for each plate, or a dead one, with its picture and result."""
    add_sink(database, Sink.model_validate({"sink_id": "hook", "url": "https://example.org/hook", "events": [*Event]}))
    publisher, redis = Publisher.from_settings(settings), connect(settings.redis_url)
    store, pictures = open_store(database, passage_gap_s=10), open_frame_store(settings.picture_store_url, ttl_s=None)

    def put_(job_id: str, *plates: str | None, source_id: str = "gate", at_s: float = 0) -> None:
        frames = [
            FrameRef(
                frame_id=f"{job_id}-{number}",
                source_id=source_id,
                captured_at=NOON + timedelta(seconds=at_s + number),
                sequence="film",
            )
            for number in range(len(plates))
        ]
        results = tuple(_result(frame, plate) for frame, plate in zip(frames, plates, strict=True))
        job = Job(job_id=job_id, pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=tuple(frames))
        publisher.ledger.admit(job)
        ids = {frame.frame_id for frame in frames}
        (outcome,) = store.store([Message(job=job, results=results)], ids)
        publisher.ledger.settle(job_id, outcome.counts)
        pictures.put_many(dict.fromkeys(ids, jpeg()))
        result = queries.get_job(database, job_id)
        assert result is not None
        ResultBoard(redis, result_ttl_s=60).post(result)

    yield put_
    publisher.close()
    redis.close()


def _result(frame: FrameRef, plate: str | None) -> FrameResult:
    if plate is None:
        return FrameResult(frame=frame, error=FrameError(reason="bad_image", message="cut off", stage="detect"))
    return FrameResult(
        frame=frame,
        width=320,
        height=200,
        detections=(Detection(xyxy=(100, 80, 220, 110), label="plate", class_id=0, confidence=0.9),),
        readings=(Reading(text=plate, confidence=0.98, char_confidences=(0.98,) * 7, detection_index=0),),
    )


def everything(database: Database, settings: Settings) -> str:
    """All that is anywhere, but for the audit log, which keeps what was asked."""
    with database.read() as connection:
        tables = [table for name, table in Base.metadata.tables.items() if name != "audit_log"]
        rows = [connection.execute(sa.select(table)).all() for table in tables]
    redis = connect(settings.redis_url)
    kinds = ("result", "deltas")
    results = [(key, redis.xrange(key)) for kind in kinds for key in redis.keys(f"sightline:{kind}:*")]  # type: ignore[union-attr]
    pictures = open_frame_store(settings.picture_store_url, ttl_s=None)
    keys = list(pictures.keys_before(datetime.now(UTC).timestamp() + 100))
    redis.close()
    return repr((rows, results, keys))


def left_of(database: Database, settings: Settings, *names: str) -> list[str]:
    found = everything(database, settings)
    return [name for name in names if name in found]


def test_a_frame_is_gone_and_its_neighbors_stay(
    admin: TestClient, put: Put, database: Database, settings: Settings
) -> None:
    put("job-first", "KAB4721", "KAB4721", "KAB4727")
    (before,) = admin.get("/v1/passages").json()["items"]
    erased = admin.delete("/v1/frames/job-first-2")
    assert erased.status_code == 200
    counts = {name: count for name, count in erased.json().items() if count}
    assert counts.pop("events") >= 1
    assert counts == {
        "frames": 1,
        "detections": 1,
        "readings": 1,
        "changed_passages": 1,
        "pictures": 1,
        "job_ids": ["job-first"],
    }
    assert left_of(database, settings, "job-first-2", "KAB4727") == []
    (after,) = admin.get("/v1/passages").json()["items"]
    assert (before["reading_count"], after["reading_count"], after["text"]) == (3, 2, "KAB4721")
    assert after["passage_id"] == before["passage_id"]
    job = admin.get("/v1/jobs/job-first").json()
    assert [frame["frame"]["frame_id"] for frame in job["result"]["frames"]] == ["job-first-0", "job-first-1"]
    assert admin.get("/v1/frames/job-first-1/picture").status_code == 200
    for path in ("/v1/frames/job-first-2", "/v1/frames/job-first-2/picture"):
        assert admin.get(path).status_code == 404
    assert admin.delete("/v1/frames/job-first-2").status_code == 404
    assert admin.get("/v1/audit").json()["balanced"]
    assert admin.get("/v1/audit?since=1h").json()["balanced"]


def test_a_passage_is_gone_with_all_its_frames(
    admin: TestClient, put: Put, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.retention.erasure._MAX_FRAMES", 2)
    put("job-first", *["KAB4721"] * 5)
    put("job-second", "XYZ9876", at_s=100)
    passages = {each["text"]: each["passage_id"] for each in admin.get("/v1/passages").json()["items"]}
    erased = admin.delete(f"/v1/passages/{passages['KAB4721']}").json()
    assert (erased["frames"], erased["passages"], erased["pictures"]) == (5, 1, 5)
    assert left_of(database, settings, "job-first", "KAB4721", fold("KAB4721")) == []
    assert [each["text"] for each in admin.get("/v1/passages").json()["items"]] == ["XYZ9876"]
    assert list(admin.get("/v1/passages?text=*B47*").json()["items"]) == []
    assert admin.delete(f"/v1/passages/{passages['KAB4721']}").status_code == 404
    assert admin.get("/v1/audit").json()["balanced"]


def test_all_of_a_source_is_gone_dead_frames_too(
    admin: TestClient, put: Put, database: Database, settings: Settings
) -> None:
    put("job-first", "KAB4721", None, "KAB4721")
    put("job-second", "XYZ9876", source_id="yard")
    erased = admin.delete("/v1/sources/gate/data").json()
    assert (erased["frames"], erased["dead_letters"], erased["passages"], erased["pictures"]) == (2, 1, 1, 3)
    assert left_of(database, settings, "job-first", "KAB4721", fold("KAB4721")) == []
    assert [each["text"] for each in admin.get("/v1/passages").json()["items"]] == ["XYZ9876"]
    assert admin.get("/v1/dead-letters?ended=true").json()["items"] == []
    assert admin.delete("/v1/sources/gate/data").status_code == 404
    assert admin.get("/v1/audit").json()["balanced"]


@pytest.mark.parametrize("plates", [("KAB4721",), ("KAB4721", "XYZ9876"), (None,)])
def test_the_same_upload_after_it_is_a_new_job(
    admin: TestClient, database: Database, settings: Settings, plates: tuple[str | None, ...]
) -> None:
    """Also where only one picture of the job is erased, or all of it died."""
    files = [(f"{number}.jpg", jpeg(number)) for number in range(len(plates))]
    publisher, redis = Publisher.from_settings(settings), connect(settings.redis_url)
    job_id = upload(admin, *files, source_id="gate").json()["job_id"]
    job = finish(publisher, database, job_id, plates)
    redis.xadd(f"sightline:deltas:{job_id}", {"data": job.frames[0].frame_id})
    assert admin.delete(f"/v1/frames/{job.frames[0].frame_id}").status_code == 200
    assert left_of(database, settings, job.frames[0].frame_id, f"deltas:{job_id}") == []
    assert admin.get("/v1/jobs?status=open").json()["items"] == []
    assert publisher.ledger.begin(job) == 0  # a late copy of its message brings nothing back

    again = upload(admin, *files, source_id="gate").json()
    assert (again["job_id"], again["status"]) == (job_id, "open")
    finish(publisher, database, job_id, plates)
    again = upload(admin, *files, source_id="gate").json() if plates[0] else admin.get(f"/v1/jobs/{job_id}").json()
    assert (again["status"], len(again["result"]["frames"])) == ("stored" if plates[0] else "dead", len(plates))
    for path in ("/v1/audit", "/v1/audit?since=1h"):
        assert admin.get(path).json()["balanced"]
    publisher.close()
    redis.close()


def test_a_new_try_that_is_open_goes_on(admin: TestClient, database: Database, settings: Settings) -> None:
    publisher, redis = Publisher.from_settings(settings), connect(settings.redis_url)
    job_id = upload(admin, ("car.jpg", jpeg()), source_id="gate").json()["job_id"]
    job = finish(publisher, database, job_id, (None,))
    upload(admin, ("car.jpg", jpeg()), source_id="gate")
    redis.xadd(f"sightline:deltas:{job_id}", {"data": "new"})
    assert admin.delete(f"/v1/frames/{job.frames[0].frame_id}").status_code == 200
    assert redis.exists(f"sightline:deltas:{job_id}")
    assert admin.get(f"/v1/jobs/{job_id}").json()["status"] == "open"
    finish(publisher, database, job_id, ("KAB4721",))
    assert admin.get("/v1/audit").json()["balanced"]
    publisher.close()
    redis.close()


def finish(publisher: Publisher, database: Database, job_id: str, plates: tuple[str | None, ...]) -> Job:
    """As the workers and the writer do."""
    job = publisher.ledger.open_job(job_id)
    assert isinstance(job, Job)
    frames = [FrameRef.model_validate(frame.model_dump()) for frame in job.frames]
    results = tuple(_result(frame, plate) for frame, plate in zip(frames, plates, strict=True))
    (outcome,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=results)], set())
    publisher.ledger.settle(job_id, outcome.counts)
    return job


def test_who_did_it_is_in_the_audit_log_and_operators_may_not(
    admin: TestClient, client: TestClient, put: Put, database: Database
) -> None:
    put("job-first", "KAB4721")
    refused = client.delete("/v1/frames/job-first-0")
    assert (refused.status_code, refused.json()["detail"]) == (403, "API key: its role is operator, this needs admin")
    assert admin.delete("/v1/frames/job-first-0").status_code == 200
    entries: list[Any] = [each for each in list_entries(database).items if each.action == "erase_frame"]
    assert [(each.actor, each.target, each.outcome) for each in entries] == [
        ("officer", "job-first-0", "done"),
        ("test", "job-first-0", "refused"),
    ]
