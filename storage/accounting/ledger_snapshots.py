"""What the ledger in Redis was last seen to hold, so that its loss can be told in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from storage.database.engine import Database, insert_into
from storage.tables import LedgerLooks


def note_look(database: Database, generation: str, open_frames: Mapping[str, int]) -> None:
    """Note how many frames of each source are open in the ledger of a generation."""
    with database.read() as connection:
        rows = connection.execute(
            sa.select(LedgerLooks.source_id, LedgerLooks.open_frames).where(LedgerLooks.generation == generation)
        )
        before: dict[str, int] = dict(rows.all())
    now = dict.fromkeys(before, 0) | dict(open_frames)
    changed = [
        {"source_id": source_id, "generation": generation, "open_frames": frames, "lost_frames": 0}
        for source_id, frames in sorted(now.items())
        if before.get(source_id) != frames
    ]
    if not changed:
        return
    with database.write() as connection:
        insert = insert_into(connection, LedgerLooks)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[LedgerLooks.source_id],
                set_={"open_frames": insert.excluded.open_frames},
                where=LedgerLooks.generation == insert.excluded.generation,
            ),
            changed,
        )


def note_loss(database: Database, generation: str, safe: Mapping[str, int]) -> dict[str, int]:
    """Count what was open in the ledger before this generation as lost, but for the frames that are `safe`.

    Only the first to notice a loss counts it. Returns the lost frames per source.
    """
    lost: dict[str, int] = {}
    with database.write() as connection:
        earlier = LedgerLooks.generation != generation
        select = sa.select(LedgerLooks.source_id, LedgerLooks.open_frames).where(earlier).with_for_update()
        for source_id, open_frames in connection.execute(select.order_by(LedgerLooks.source_id)).all():
            frames = max(0, open_frames - safe.get(source_id, 0))
            changes: dict[str, object] = {"generation": generation, "open_frames": 0}
            if frames:
                lost[source_id] = frames
                changes |= {"lost_frames": LedgerLooks.lost_frames + frames, "lost_at": datetime.now(UTC)}
            connection.execute(sa.update(LedgerLooks).where(LedgerLooks.source_id == source_id).values(changes))
    return lost


def lost_frames(database: Database) -> dict[str, int]:
    """How many frames of each source were lost with a Redis, ever, at most."""
    with database.read() as connection:
        rows = sa.select(LedgerLooks.source_id, LedgerLooks.lost_frames).where(LedgerLooks.lost_frames > 0)
        return dict(connection.execute(rows).all())
