"""How fast jobs come to an end, and how much room their rows take."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from storage.database.engine import Database
from storage.tables import Jobs


def frames_per_s(database: Database, *, over_s: float) -> float:
    """Frames of all jobs that ended in the last `over_s` seconds, for each of these seconds."""
    since = datetime.now(UTC) - timedelta(seconds=over_s)
    with database.read() as connection:
        frames = connection.scalar(sa.select(sa.func.sum(Jobs.frame_count)).where(Jobs.finished_at >= since))
    return float(frames or 0) / over_s  # PostgreSQL sums to a decimal number


def size_bytes(database: Database) -> int:
    """What the whole database takes on its disk; of SQLite without the log that is not written into it yet."""
    with database.read() as connection:
        if connection.dialect.name == "postgresql":
            size = sa.select(sa.func.pg_database_size(sa.func.current_database()))
        else:
            size = sa.text("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
        return int(connection.scalar(size) or 0)
