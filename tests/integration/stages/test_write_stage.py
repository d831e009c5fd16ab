"""What the write stage keeps of a frame that died, on a real Redis and SQLite."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sightline.blobs.names import frames_name
from sightline.blobs.opening import open_frame_store
from sightline.celery.app import create_app
from sightline.delivery.publisher import Publisher
from sightline.errors import BrokerUnavailableError, StoreUnavailableError
from sightline.pipelines.queues import WRITE_TASK
from sightline.retry import Patience
from sightline.settings import load_settings
from sightline.types import Detection, FrameError, FrameRef, FrameResult, Pipeline
from sightline.wire.messages import Job, Message
from storage.cameras import Camera, add_camera
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.results import queries
from storage.results.store import Stored
from workers.stages.services import open_services
from workers.stages.step import Step
from workers.stages.write import WriteStage

FRAME = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=datetime(2026, 1, 2, tzinfo=UTC))
JOB = Job(job_id="job-000001", pipeline=Pipeline.OBJECTS, frames=(FRAME,))
DEAD = FrameResult(frame=FRAME, error=FrameError(reason="model_unavailable", message="no weights", stage="detect"))


@pytest.mark.parametrize(
    ("policy", "pixels", "kept"),
    [("results", b"picture", True), ("all", b"picture", True), ("none", b"picture", False), ("all", None, False)],
)
def test_the_picture_of_a_dead_frame_is_kept_if_there_is_one(
    tmp_path: Path, redis_url: str, policy: str, pixels: bytes | None, kept: bool
) -> None:
    settings = load_settings(
        data_dir=tmp_path, redis_url=redis_url, frames_url=(tmp_path / "frames").as_uri(), keep_pictures=policy
    )
    upgrade(settings.sqlalchemy_url)
    publisher = Publisher.from_settings(settings)
    publisher.publish(JOB, {FRAME.frame_id: pixels or b""})
    if pixels is None:
        publisher.frames.delete_bundles({frames_name(JOB.job_id): [FRAME.frame_id]})
    stage = WriteStage(open_services(create_app(settings), settings, "test", Patience()))
    stage.work(Step(WRITE_TASK, Message(job=JOB, results=(DEAD,))))
    stage.close()

    database = open_database(settings.sqlalchemy_url)
    (letter,) = queries.list_dead_letters(database).items
    database.close()
    assert letter.picture_kept is kept
    pictures = open_frame_store(settings.picture_store_url, ttl_s=None)
    assert pictures.get_many([FRAME.frame_id]) == [pixels if kept else None]
    assert publisher.frames.get_bundle(frames_name(JOB.job_id), [FRAME.frame_id]) == [None]  # freed
    assert publisher.ledger.counts() == {"gate": {"published": 1, "dead": 1}}
    publisher.close()


def test_what_is_outside_of_the_zones_of_a_camera_is_not_kept(tmp_path: Path, redis_url: str) -> None:
    settings = load_settings(data_dir=tmp_path, redis_url=redis_url, frames_url=(tmp_path / "frames").as_uri())
    upgrade(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    zone = {"name": "left", "mode": "report", "polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}
    add_camera(database, Camera.model_validate({"camera_id": "gate", "url": "rtsp://10.0.0.5/s", "zones": [zone]}))
    publisher = Publisher.from_settings(settings)
    stage = WriteStage(open_services(create_app(settings), settings, "test", Patience()))
    found: list[tuple[str | None, ...]] = []
    for number, left in enumerate((10, 80)):
        frame = FRAME.model_copy(update={"frame_id": f"frame-100{number}"})
        job = JOB.model_copy(update={"job_id": f"job-10000{number}", "frames": (frame,)})
        box = Detection(xyxy=(left, 10, left + 10, 20), label="car", class_id=0, confidence=0.9)
        result = FrameResult(frame=frame, width=100, height=50, detections=(box,))
        publisher.publish(job, {frame.frame_id: b"picture"})
        stage.work(Step(WRITE_TASK, Message(job=job, results=(result,))))
        stored = queries.get_frame(database, frame.frame_id)
        assert isinstance(stored, FrameResult)
        found.append(tuple(one.zone for one in stored.detections))
    stage.close()
    assert found == [("left",), ()]
    pictures = open_frame_store(settings.picture_store_url, ttl_s=None)
    assert pictures.get_many(["frame-1000", "frame-1001"]) == [b"picture", None]
    database.close()
    publisher.close()


def test_a_group_that_met_an_absent_database_is_not_tried_one_by_one(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would wait for the lock's time-out: a group of 32 would keep the writer busy for a quarter of an hour."""
    settings = load_settings(data_dir=tmp_path, redis_url=redis_url)
    upgrade(settings.sqlalchemy_url)
    stage = WriteStage(open_services(create_app(settings), settings, "test", Patience()))
    groups: list[int] = []

    def refuse(messages: list[Message], _kept: object) -> list[Stored]:
        groups.append(len(messages))
        raise StoreUnavailableError("locked")

    monkeypatch.setattr(stage._store, "store", refuse)
    futures = stage.runners["write"].submit([(Message(job=JOB, results=(DEAD,)), frozenset[str]())] * 5)
    for future in futures:
        with pytest.raises(StoreUnavailableError):
            future.result(5)
    stage.close()
    assert groups == [5]


def test_a_group_is_settled_together_once_redis_is_there_again(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are there already when Redis is not: what was stored is stored once, and settled once."""
    settings = load_settings(data_dir=tmp_path, redis_url=redis_url)
    upgrade(settings.sqlalchemy_url)
    services = open_services(create_app(settings), settings, "test", Patience())
    stage, ledger = WriteStage(services), services.delivery.ledger
    jobs = [JOB.model_copy(update={"job_id": f"job-00000{number}"}) for number in range(3)]
    group = [(Message(job=job, results=(DEAD,)), frozenset[str]()) for job in jobs]
    for job in jobs:
        ledger.admit(job)

    def refuse(_ended: object) -> None:
        raise BrokerUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "settle_together", refuse)
        for ticket in stage.runners["write"].submit(group):
            with pytest.raises(BrokerUnavailableError):
                ticket.result(5)
    assert ledger.open_frames() == {"gate": 3}
    for ticket in stage.runners["write"].submit(group):
        ticket.result(5)
    stage.close()
    assert ledger.counts() == {"gate": {"published": 3, "dead": 3}}
    assert [services.board.wait(job.job_id, 0.01) is not None for job in jobs] == [True] * 3
    database = open_database(settings.sqlalchemy_url)
    assert [letter.times for letter in queries.list_dead_letters(database).items] == [1] * 3
    database.close()
