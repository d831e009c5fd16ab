"""The API on a real Redis and SQLite, without workers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sightline.blobs.opening import open_frame_store
from sightline.delivery.publisher import Publisher
from sightline.settings import Settings
from sightline.types import Detection, FrameError, FrameRef, FrameResult, Lane, Pipeline, Reading
from sightline.wire.messages import Job, Message
from storage.access.keys import create_key
from storage.database.engine import Database
from tests.integration.api.uploading import Key, jpeg
from tests.stores import open_store


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_open_frames_per_source": 5})


@pytest.fixture
def key(database: Database) -> Key:
    """Makes a key of a role; gives the header that shows it."""
    return lambda role: {"X-API-Key": create_key(database, "test", role)}


@pytest.fixture
def stored(settings: Settings, database: Database) -> FrameResult:
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
    (outcome,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=(result, bad))], {"frame-0001"})
    publisher.ledger.settle(job.job_id, outcome.counts)
    open_frame_store(settings.picture_store_url, ttl_s=None).put_many({"frame-0001": jpeg()})
    return result
