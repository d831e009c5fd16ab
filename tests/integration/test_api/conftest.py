"""The API on a real Redis and SQLite, without workers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.frames import open_frame_store
from sightline.messages import Job, Message
from sightline.publisher import Publisher
from sightline.settings import Settings, load_settings
from sightline.types import Detection, FrameError, FrameRef, FrameResult, Lane, Pipeline, Reading
from storage.database import open_database, upgrade
from storage.keys import Role, create_key
from storage.store import Store
from tests.integration.test_api.uploading import Key, jpeg


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return load_settings(
        data_dir=tmp_path, redis_url=redis_url, frames_url=(tmp_path / "frames").as_uri(), max_open_frames_per_source=5
    )


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables and no rows, to copy: that is faster than making them."""
    path = tmp_path_factory.mktemp("tables") / "sightline.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def key(settings: Settings, tables: Path) -> Iterator[Key]:
    shutil.copy(tables, settings.data_dir / "sightline.sqlite3")
    database = open_database(settings.sqlalchemy_url)
    yield lambda role: {"X-API-Key": create_key(database, "test", role)}
    database.close()


@pytest.fixture
def client(settings: Settings, key: Key) -> Iterator[TestClient]:
    """An operator."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080", headers=key(Role.OPERATOR)) as client:
        yield client


@pytest.fixture
def stored(settings: Settings, key: Key) -> FrameResult:
    """A frame with one read plate, as the writer leaves it."""
    ref = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=datetime(2026, 1, 2, tzinfo=UTC))
    result = FrameResult(
        frame=ref,
        width=320,
        height=200,
        detections=(Detection(xyxy=(100, 80, 220, 110), label="text", class_id=0, confidence=0.9),),
        readings=(Reading(text="KAB 4721", confidence=0.98, detection_index=0),),
    )
    bad = FrameResult(
        frame=ref.model_copy(update={"frame_id": "frame-0002"}),
        error=FrameError(reason="bad_image", message="cut off", stage="detect"),
    )
    frames = (result.frame, bad.frame)
    job = Job(job_id="job-000001", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=frames)
    publisher = Publisher.from_settings(settings)
    publisher.ledger.admit(job)
    database = open_database(settings.sqlalchemy_url)
    (outcome,) = Store(database, passage_gap_s=10).store([Message(job=job, results=(result, bad))], {"frame-0001"})
    publisher.ledger.settle(job.job_id, outcome.counts)
    open_frame_store(settings.picture_store_url, ttl_s=None).put_many({"frame-0001": jpeg()})
    database.close()
    return result
