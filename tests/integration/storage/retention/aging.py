"""Rows that were stored long ago, and the removal of such."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sightline.blobs.store import FrameStore
from sightline.settings import Settings
from sightline.testing import MemoryFrameStore
from sightline.wire.messages import Message
from storage.database.engine import Database
from storage.results.store import Store
from storage.retention.retention import Horizons, remove_old
from storage.tables import DeadLetters, Frames, Jobs, Passages

NOW = datetime.now(UTC)
SETTINGS = Settings(keep_results_days=100, keep_pictures_days=10, keep_dead_letters_days=200, keep_audit_log_days=300)


def age(database: Database, job_id: str, days: float) -> None:
    """Let a job, its frames and its letters have been stored so long ago."""
    then = NOW - timedelta(days=days)
    frames = sa.select(Frames.frame_id).where(Frames.job_id == job_id)
    with database.write() as connection:
        connection.execute(sa.update(Passages).values(final_at=NOW).where(Passages.best_frame_id.in_(frames)))
        connection.execute(sa.update(Jobs).values(finished_at=then, published_at=then).where(Jobs.job_id == job_id))
        connection.execute(sa.update(Frames).values(stored_at=then, published_at=then).where(Frames.job_id == job_id))
        connection.execute(sa.update(DeadLetters).values(died_at=then).where(DeadLetters.job_id == job_id))


def put_aged(store: Store, database: Database, sent: Message, days: float, kept: tuple[str, ...] = ()) -> Message:
    """Store a message as if that had happened so long ago; `kept` are the frames whose pictures were kept."""
    store.store([sent], kept)
    age(database, sent.job.job_id, days)
    return sent


def remove(
    database: Database,
    pictures: FrameStore | None = None,
    settings: Settings = SETTINGS,
    *,
    days: float | None = None,
    **options: Any,
) -> Counter[str]:
    """Remove what is old now, without a pause. Gives how many rows of what kind went."""
    options.setdefault("wait", lambda _: False)
    horizons = Horizons.from_settings(settings, NOW, days)
    return remove_old(database, pictures or MemoryFrameStore(), horizons, NOW, **options)


def count(database: Database, table: Any) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
