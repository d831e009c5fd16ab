"""Questions to the database. Lists are pages, newest first, and take the same arguments:

`limit` (1..1000), `cursor` (from the page before), `source` (one source_id), `since` and `until` (aware times; from
`since` on, before `until`). All raise BadMessageError for an argument out of range, naming it in `field`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from sightline.types import FrameResult, ItemResult, JobResult, JobStatus
from storage.accounting.reconciliation import count_rows
from storage.database.engine import Database
from storage.database.paging import Page, between, cursor_of, read_page
from storage.jobs import wire_results
from storage.passages.search import WILDCARDS, is_corrected_to, matches_pattern
from storage.passages.views import PassageView, is_in_zone, view_passage
from storage.plates.text import normalize, plate_chars
from storage.results.dead_letters import IS_TROUBLE, select_letters, view_letter
from storage.results.explanations import Explanation, PassageRef, explain, explain_item
from storage.results.views import DeadLetterView, DetectionView, FrameView, JobView, ReadingView
from storage.tables import DeadLetters, Detections, Frames, Jobs, Passages, Readings, RemovedRows, Sources

_PASSAGE_KEYS = (Passages.first_seen, Passages.passage_id)


def list_passages(
    database: Database,
    *,
    text: str | None = None,
    list_name: str | None = None,
    country: str | None = None,
    zone: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    newer: bool = False,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[PassageView]:
    """Passages by first sight. `text` is a plate in any spelling, as it was read or corrected; `*` stands for any run,
    `?` for one character.

    `list_name`: only those that were on this list of known plates when they were stored; `country`: only those likely
    of it, or of a part of it; `zone`: only those that were read in it. `newer`: those next before the cursor, see
    `read_page`.
    """
    rows = between(sa.select(Passages.__table__), Passages.first_seen, since, until)
    rows = _equal(_equal(rows, Passages.source_id, source), Passages.list_name, list_name)
    rows = _of_plate(database, rows, text)
    if country is not None:
        rows = rows.where(
            sa.or_(Passages.country == country, Passages.country.startswith(f"{country}-", autoescape=True))
        )
    if zone is not None:
        rows = rows.where(is_in_zone(zone))
    return read_page(database, rows, _PASSAGE_KEYS, view_passage, limit=limit, cursor=cursor, newer=newer)


def passage_cursor(passage: PassageView) -> str:
    """Where a passage is in the list of them."""
    return cursor_of(dict(passage), _PASSAGE_KEYS)


def count_passages(
    database: Database,
    *,
    text: str | None = None,
    list_name: str | None = None,
    sources: Sequence[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
) -> dict[str, int]:
    """How many passages there are, by source; those of `sources`, or of all. The rest is as for `list_passages`."""
    counted: Any = sa.select(Passages.source_id, sa.func.count())
    rows = between(counted, Passages.first_seen, since, until)
    rows = _of_plate(database, _equal(rows, Passages.list_name, list_name), text)
    if sources:
        rows = rows.where(Passages.source_id.in_(sources))
    with database.read() as connection:
        found: Any = connection.execute(rows.group_by(Passages.source_id).order_by(Passages.source_id)).all()
    return dict(found)


def list_passage_sources(database: Database) -> list[str]:
    """The sources at which vehicles passed, by name."""
    has_passage = sa.select(Passages.passage_id).where(Passages.source_id == Sources.source_id).exists()
    rows = sa.select(Sources.source_id).where(has_passage).order_by(Sources.source_id)
    with database.read() as connection:
        return [*connection.execute(rows).scalars()]


def get_passage(database: Database, passage_id: str) -> PassageView | None:
    """One passage; None if there is none (any more: passages that turn out to be one are merged)."""
    with database.read() as connection:
        rows = connection.execute(sa.select(Passages.__table__).where(Passages.passage_id == passage_id))
        row = rows.mappings().first()
    return None if row is None else view_passage(row)


def list_detections(
    database: Database,
    *,
    label: str | None = None,
    zone: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[DetectionView]:
    """Detections by time of capture, of one `label` or `zone`, or all."""
    rows = between(sa.select(Detections.__table__), Detections.captured_at, since, until)
    rows = _equal(_equal(rows, Detections.source_id, source), Detections.label, label)
    rows = _equal(rows, Detections.zone, zone)
    keys = [Detections.captured_at, Detections.frame_id, Detections.detection_index]
    return read_page(database, rows, keys, _detection, limit=limit, cursor=cursor)


def list_readings(
    database: Database,
    *,
    text: str | None = None,
    passage_id: str | None = None,
    zone: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[ReadingView]:
    """Readings by time of capture. `text` as for passages, over letters and digits of any script."""
    rows = between(sa.select(Readings.__table__), Readings.captured_at, since, until)
    rows = _equal(_equal(rows, Readings.source_id, source), Readings.passage_id, passage_id)
    rows = _equal(rows, Readings.zone, zone)
    if text is not None:
        rows = rows.where(_matches(Readings.normalized, text, normalize))
    keys = [Readings.captured_at, Readings.frame_id, Readings.reading_index]
    return read_page(database, rows, keys, _reading, limit=limit, cursor=cursor)


def list_frames(
    database: Database,
    *,
    limit: int = 100,
    cursor: str | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[FrameView]:
    """Stored frames by time of capture."""
    rows = between(sa.select(Frames.__table__), Frames.captured_at, since, until)
    rows = _equal(rows, Frames.source_id, source)
    return read_page(database, rows, [Frames.captured_at, Frames.frame_id], _frame, limit=limit, cursor=cursor)


def list_jobs(
    database: Database,
    *,
    status: JobStatus | None = None,
    limit: int = 100,
    cursor: str | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[JobView]:
    """Finished jobs by the time they finished; of `source`: those that stored, gave up or dropped a frame of it."""
    rows = between(sa.select(Jobs.__table__), Jobs.finished_at, since, until)
    rows = _equal(rows, Jobs.status, None if status is None else JobStatus(status).value)
    if source is not None:
        rows = rows.where(_has_source(database, source))
    return read_page(database, rows, [Jobs.finished_at, Jobs.job_id], _job, limit=limit, cursor=cursor)


def list_dead_letters(
    database: Database,
    *,
    reason: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    ended: bool = False,
) -> Page[DeadLetterView]:
    """Frames that gave up, by the time they did, for one `reason` or all.

    With `ended` also those whose frame is stored since, and those that were discarded.
    """
    rows = select_letters() if ended else select_letters().where(IS_TROUBLE)
    rows = between(rows, DeadLetters.died_at, since, until)
    rows = _equal(_equal(rows, DeadLetters.source_id, source), DeadLetters.reason, reason)
    keys = [DeadLetters.died_at, DeadLetters.frame_id, DeadLetters.job_id]
    return read_page(database, rows, keys, view_letter, limit=limit, cursor=cursor)


def get_job(database: Database, job_id: str) -> JobResult | None:
    """The finished job as its owner got it on the wire; None while it is open and for unknown ids."""
    with database.read() as connection:
        return wire_results.load_job(connection, job_id)


def get_frame(database: Database, frame_id: str) -> ItemResult | None:
    """All that is known of an item: stored, or else dead with its reason. None for other ids."""
    with database.read() as connection:
        return wire_results.load_frame(connection, frame_id)


def explain_frame(database: Database, frame_id: str) -> Explanation | None:
    """Why a stored frame has the plate it has, or none, or why it is dead; None if there is no such frame."""
    result = get_frame(database, frame_id)
    if isinstance(result, FrameResult):
        return explain(result, passages_of(database, frame_id))
    return None if result is None else explain_item(result)


def passages_of(database: Database, frame_id: str) -> dict[int, PassageRef]:
    """The passages of a frame's readings as they stand now, by index of the reading."""
    columns = (Passages.passage_id, Passages.text, Passages.confidence, Passages.reading_count, Passages.corrected)
    rows = sa.select(Readings.reading_index, *columns).join(Passages, Passages.passage_id == Readings.passage_id)
    with database.read() as connection:
        found = connection.execute(rows.where(Readings.frame_id == frame_id)).all()
    return {row[0]: PassageRef(*row[1:]) for row in found}


def latest_frame(database: Database, source_id: str) -> FrameView | None:
    """The newest frame of the source whose picture was kept."""
    rows = (
        sa.select(Frames.__table__)
        .where(Frames.source_id == source_id, Frames.picture_kept, Frames.parts.is_(None))
        .order_by(Frames.captured_at.desc(), Frames.frame_id.desc())
        .limit(1)
    )
    with database.read() as connection:
        row = connection.execute(rows).mappings().first()
    return None if row is None else _frame(row)


def counts_by_source(database: Database) -> dict[str, Counter[str]]:
    """How many frames of each source are `stored`, and how often one ended `dead`; `removed` and `removed_dead` are
    those that went by age. Reads the whole index."""
    number = sa.func.count()
    return count_rows(
        database,
        sa.select(Frames.source_id, sa.literal("stored"), number).group_by(Frames.source_id),
        sa.select(DeadLetters.source_id, sa.literal("dead"), sa.func.sum(DeadLetters.times)).group_by(
            DeadLetters.source_id
        ),
        *(
            sa.select(RemovedRows.source_id, sa.literal(name), sa.func.sum(column)).group_by(RemovedRows.source_id)
            for name, column in (("removed", RemovedRows.stored), ("removed_dead", RemovedRows.dead))
        ),
    )


def _of_plate(database: Database, rows: sa.Select[Any], text: str | None) -> sa.Select[Any]:
    """The passages of a plate in any spelling, with wildcards or without; None: of any."""
    if text is None:
        return rows
    rows = rows.where(_matches_plate(text))
    fits = matches_pattern(database, text) if any(char in WILDCARDS for char in text) else None
    return rows if fits is None else rows.where(fits)


def _equal(rows: sa.Select[Any], column: InstrumentedAttribute[Any], value: str | None) -> sa.Select[Any]:
    return rows if value is None else rows.where(column == value)


def _has_source(database: Database, source: str) -> sa.ColumnElement[bool]:
    """The condition that a job has a frame of a source: stored, dead (there or as a replay), or dropped."""
    dead = (
        sa.select(DeadLetters.job_id),
        sa.select(DeadLetters.replay_job_id).where(DeadLetters.replay_job_id.is_not(None)),
    )
    stored = sa.select(Frames.job_id).where(Frames.source_id == source)
    known = sa.union_all(stored, *(rows.where(DeadLetters.source_id == source) for rows in dead))
    is_sqlite = database.engine.dialect.name == "sqlite"
    each = (sa.func.json_each if is_sqlite else sa.func.json_array_elements)(Jobs.dropped).table_valued(
        sa.column("value", sa.JSON), name="dropped_frame"
    )
    of_source = each.c.value["frame"]["source_id"].as_string() == source
    return sa.or_(Jobs.job_id.in_(known), sa.exists().select_from(each).where(of_source).correlate(Jobs))


def _matches(column: InstrumentedAttribute[str], wanted: str, spell: Callable[[str], str]) -> sa.ColumnElement[bool]:
    """`column` is spelled by `spell`, and so is what stands between the wildcards of `wanted`."""
    pattern = like_pattern(wanted, spell)
    return column == spell(wanted) if pattern is None else column.like(pattern, escape="\\")


def _matches_plate(wanted: str) -> sa.ColumnElement[bool]:
    pattern = like_pattern(wanted, plate_chars)
    if pattern is None:
        corrected = is_corrected_to([plate_chars(wanted)])
    else:  # the first of the two leads to the index of the few that are corrected
        corrected = sa.and_(Passages.corrected_folded > "", Passages.corrected.like(pattern, escape="\\"))
    return sa.or_(_matches(Passages.text, wanted, plate_chars), corrected)


def like_pattern(wanted: str, spell: Callable[[str], str]) -> str | None:
    """The pattern for LIKE with a backslash as escape; None if there are no wildcards."""
    if not any(char in WILDCARDS for char in wanted):
        return None
    parts: list[str] = []
    literal = ""
    for char in [*wanted, "*"]:
        if char not in WILDCARDS:
            literal += char
            continue
        parts += [
            "".join(f"\\{each}" if each in "%_\\" else each for each in spell(literal)),
            "%" if char == "*" else "_",
        ]
        literal = ""
    return "".join(parts[:-1])


def _frame(row: sa.RowMapping) -> FrameView:
    return FrameView.model_validate({**row, "parts": row["parts"] or ()})


def _detection(row: sa.RowMapping) -> DetectionView:
    names = DetectionView.model_fields.keys() - {"xyxy"}
    box = (row["x1"], row["y1"], row["x2"], row["y2"])
    return DetectionView.model_validate({name: row[name] for name in names} | {"xyxy": box})


def _reading(row: sa.RowMapping) -> ReadingView:
    return ReadingView.model_validate({name: row[name] for name in ReadingView.model_fields})


def _job(row: sa.RowMapping) -> JobView:
    counts = Counter(outcome for _, outcome in row["outcomes"])
    names = JobView.model_fields.keys() - {"outcomes"}
    return JobView.model_validate({name: row[name] for name in names} | {"outcomes": counts})
