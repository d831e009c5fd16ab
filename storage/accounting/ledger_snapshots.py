"""What the ledger in Redis was last seen to hold, so that its loss can be told in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from storage.database.engine import Database, insert_into
from storage.tables import LedgerLooks


def note_look(database: Database, generation: str, balance: Mapping[str, Mapping[str, int]]) -> None:
    """Note how many frames of each source are open in the ledger of a generation, and were published ever."""
    columns = (LedgerLooks.source_id, LedgerLooks.open_frames, LedgerLooks.published_frames)
    with database.read() as connection:
        rows = connection.execute(sa.select(*columns).where(LedgerLooks.generation == generation))
        before = {source_id: numbers for source_id, *numbers in rows}
    now = {source_id: [0, published] for source_id, (_, published) in before.items()}
    now |= {source_id: [counts.get("open", 0), counts.get("published", 0)] for source_id, counts in balance.items()}
    changed = [
        {
            "source_id": source_id,
            "generation": generation,
            "open_frames": open_frames,
            "published_frames": published,
            "lost_frames": 0,
        }
        for source_id, (open_frames, published) in sorted(now.items())
        if before.get(source_id) != [open_frames, published]
    ]
    if not changed:
        return
    with database.write() as connection:
        insert = insert_into(connection, LedgerLooks)
        connection.execute(
            insert.on_conflict_do_update(
                index_elements=[LedgerLooks.source_id],
                set_={name: insert.excluded[name] for name in ("open_frames", "published_frames")},
                where=LedgerLooks.generation == insert.excluded.generation,
            ),
            changed,
        )


def note_loss(
    database: Database, generation: str, safe: Mapping[str, int], published: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Count what was open in the ledger before this generation as lost, but for the frames that are `safe`.

    `published`: of each source, in a ledger that came back as it was earlier. What it does not know of was published
    after that; the rest is still open in it.

    Only the first to notice a loss counts it. Returns the lost frames per source.
    """
    lost: dict[str, int] = {}
    columns = (LedgerLooks.source_id, LedgerLooks.open_frames, LedgerLooks.published_frames)
    with database.write() as connection:
        select = sa.select(*columns).where(LedgerLooks.generation != generation).with_for_update()
        for source_id, open_frames, published_frames in connection.execute(
            select.order_by(LedgerLooks.source_id)
        ).all():
            unknown = open_frames
            if published is not None:
                unknown = min(open_frames, max(0, published_frames - published.get(source_id, 0)))
            frames = max(0, unknown - safe.get(source_id, 0))
            changes: dict[str, object] = {"generation": generation, "open_frames": 0, "published_frames": 0}
            if published is None:  # it counts from nothing, and so no rows that it knew of are missing
                changes |= {"missing_frames": 0, "missing_letters": 0}
            if frames:
                lost[source_id] = frames
                changes |= {"lost_frames": LedgerLooks.lost_frames + frames, "lost_at": datetime.now(UTC)}
            connection.execute(sa.update(LedgerLooks).where(LedgerLooks.source_id == source_id).values(changes))
    return lost


def note_missing(database: Database, generation: str, missing: Mapping[str, tuple[int, int]]) -> None:
    """Note how many rows of each source a restored database lacks that the ledger counts: frames and letters."""
    rows: list[dict[str, object]] = [
        {
            "source_id": source_id,
            "generation": generation,
            "open_frames": 0,
            "lost_frames": 0,
            "missing_frames": frames,
            "missing_letters": letters,
        }
        for source_id, (frames, letters) in sorted(missing.items())
    ]
    if not rows:
        return
    with database.write() as connection:
        insert = insert_into(connection, LedgerLooks)
        now = {name: insert.excluded[name] for name in ("missing_frames", "missing_letters")}
        connection.execute(insert.on_conflict_do_update(index_elements=[LedgerLooks.source_id], set_=now), rows)


def missing_rows(database: Database) -> dict[str, tuple[int, int]]:
    """How many frames and letters of each source were in a database that was replaced by its backup, at most."""
    columns = (LedgerLooks.source_id, LedgerLooks.missing_frames, LedgerLooks.missing_letters)
    is_any = sa.or_(LedgerLooks.missing_frames > 0, LedgerLooks.missing_letters > 0)
    with database.read() as connection:
        return {
            source_id: (frames, letters)
            for source_id, frames, letters in connection.execute(sa.select(*columns).where(is_any))
        }


def lost_frames(database: Database) -> dict[str, int]:
    """How many frames of each source were lost with a Redis, ever, at most."""
    with database.read() as connection:
        rows = sa.select(LedgerLooks.source_id, LedgerLooks.lost_frames).where(LedgerLooks.lost_frames > 0)
        return dict(connection.execute(rows).all())
