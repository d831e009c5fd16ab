"""What is old goes by itself: which things, how old they must be, and how gently.

The order matters: rows first, then the pictures they referred to. What a crash leaves in between has no row, and goes
with the leftovers.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import sqlalchemy as sa

from sightline.blobs.store import FrameStore
from sightline.delivery.ledger_lua import HOURS_KEPT_S
from sightline.settings import Settings
from storage.accounting.removed import fold_hours
from storage.database.engine import Database
from storage.retention import orphans
from storage.retention.expired_rows import (
    Chunk,
    OldEntries,
    OldEvents,
    OldJobs,
    OldLetters,
    OldMessages,
    OldPictures,
    OtherRemoverError,
    are_old_events,
    has_old_picture,
    is_old_job,
    is_old_letter,
    removing,
)
from storage.tables import (
    AuditLog,
    DeadLetters,
    Deliveries,
    Detections,
    Findings,
    Frames,
    Jobs,
    Messages,
    Passages,
    Readings,
)

#: What is younger may still be worked on, whatever the settings say.
_YOUNGEST: Final = timedelta(hours=1)
_YOUNGEST_ORPHAN: Final = timedelta(days=1)
#: After each transaction it pauses so many times as long as that took: others have the database most of the time.
_REST: Final = 4.0
_SHORTEST_REST_S: Final = 0.02
_OTHERS_TURN_S: Final = 1.0
#: A range of the audit looks for the dead letters of its jobs.
_AUDITED: Final = timedelta(seconds=HOURS_KEPT_S)

Counts = Mapping[str, int]
#: Sleeps; True ends the run. `Event.wait` is one.
Wait = Callable[[float], bool]


@dataclass(frozen=True)
class Horizons:
    """What came to be before these times is old. None: nothing is."""

    results: datetime | None
    pictures: datetime | None
    letters: datetime | None
    events: datetime | None
    entries: datetime | None

    @classmethod
    def from_settings(cls, settings: Settings, now: datetime, days: float | None = None) -> Horizons:
        """`days`: for results and pictures, instead of what the settings say."""

        def ago(days: float) -> datetime | None:
            return now - max(timedelta(days=days), _YOUNGEST) if days else None

        results = ago(settings.keep_results_days if days is None else days)
        letters = ago(settings.keep_dead_letters_days)
        if letters is not None:
            # A job must not say of a frame that it is dead whose letter is gone, as long as an audit asks.
            letters = min(letters, max(filter(None, (results, now - _AUDITED))))
        return cls(
            results=results,
            pictures=ago(settings.keep_pictures_days if days is None else days),
            letters=letters,
            events=now - timedelta(seconds=settings.delivery_keep_s),
            entries=ago(settings.keep_audit_log_days),
        )

    def orphans(self, now: datetime) -> datetime | None:
        """Pictures of no row would be gone by now if they had one."""
        known = [time for time in (self.results, self.pictures) if time is not None]
        return min(max(known), now - _YOUNGEST_ORPHAN) if known else None


def remove_old(
    database: Database,
    pictures: FrameStore,
    horizons: Horizons,
    now: datetime,
    *,
    wait: Wait,
    thorough: bool = True,
    tell: Callable[[Counts], None] = lambda _: None,
) -> Counter[str]:
    """Delete all that is old, in short transactions with pauses between; `tell` hears what each one took.

    Any number may run at once, and each may be ended at any time: the next run goes on. `thorough`: also look for
    leftovers, for which everything that is kept is gone through.

    Raises:
        StoreUnavailableError: the database or the picture store does not answer; what is gone is gone.
    """
    removed: Counter[str] = Counter()
    for work in _works(database, pictures, horizons, now, thorough=thorough):
        while True:
            began_at = time.monotonic()
            try:
                took = work()
            except OtherRemoverError:
                if wait(_OTHERS_TURN_S):
                    return +removed
                continue
            if took is None:
                break
            removed.update(took)
            tell(took)
            if wait(max(_SHORTEST_REST_S, _REST * (time.monotonic() - began_at))):
                return +removed
    return +removed


def count_old(database: Database, pictures: FrameStore, horizons: Horizons, now: datetime) -> Counter[str]:
    """What `remove_old` would delete. Reads all that is old, and for the leftovers all that is kept."""
    counts: Counter[str] = Counter()
    number = sa.func.count()
    wanted: list[tuple[str, sa.Select[int]]] = []
    if (before := horizons.results) is not None:
        of_old_job = sa.select(Frames.frame_id).join(Jobs, Jobs.job_id == Frames.job_id).where(is_old_job(before))
        passages = sa.select(Readings.passage_id).where(Readings.passage_id == Passages.passage_id)
        stays = passages.where(Readings.frame_id.not_in(of_old_job)).exists()
        goes = passages.where(Readings.frame_id.in_(of_old_job)).exists()
        wanted += [
            ("jobs", sa.select(number).select_from(Jobs).where(is_old_job(before))),
            ("frames", sa.select(number).select_from(of_old_job.subquery())),
            ("detections", sa.select(number).select_from(Detections).where(Detections.frame_id.in_(of_old_job))),
            ("readings", sa.select(number).select_from(Readings).where(Readings.frame_id.in_(of_old_job))),
            ("findings", sa.select(number).select_from(Findings).where(Findings.frame_id.in_(of_old_job))),
            ("messages", sa.select(number).select_from(Messages).where(Messages.at < before)),
            ("passages", sa.select(number).select_from(Passages).where(Passages.final_at.is_not(None), goes, ~stays)),
        ]
        letters = sa.or_(is_old_letter(horizons.letters, before), DeadLetters.frame_id.in_(of_old_job))
        kept = sa.and_(Frames.picture_kept, Frames.frame_id.in_(of_old_job))
    else:
        letters, kept = is_old_letter(horizons.letters, None), sa.false()
    if horizons.pictures is not None:
        kept = sa.or_(kept, has_old_picture(horizons.pictures))
    wanted += [
        ("dead_letters", sa.select(number).select_from(DeadLetters).where(letters)),
        ("pictures", sa.select(number).select_from(Frames).where(kept)),
        ("pictures", sa.select(number).select_from(DeadLetters).where(letters, DeadLetters.picture_kept)),
        (
            "events",
            sa.select(number).select_from(Deliveries).where(sa.or_(*are_old_events(horizons.events, horizons.letters))),
        ),
    ]
    if horizons.entries is not None:
        wanted.append(("audit_log", sa.select(number).select_from(AuditLog).where(AuditLog.at < horizons.entries)))
    with database.read() as connection:
        for name, statement in wanted:
            counts[name] += connection.scalar(statement) or 0
    for name, pages in _leftovers(database, pictures, horizons, now).items():
        counts[name] += sum(map(len, pages))
    return counts


Work = Callable[[], Counts | None]
Pages = Iterator[list[str]]


def _works(
    database: Database, pictures: FrameStore, horizons: Horizons, now: datetime, *, thorough: bool
) -> Iterator[Work]:
    """What is to be done, in its order; each is called until it says None."""
    removers: list[Callable[[Database], Chunk | None]] = []
    if horizons.results is not None:
        removers += [OldMessages(horizons.results), OldJobs(horizons.results)]
    if horizons.pictures is not None:
        removers.append(OldPictures(horizons.pictures))
    removers += [OldLetters(horizons.letters, horizons.results), OldEvents(horizons.events, horizons.letters)]
    if horizons.entries is not None:
        removers.append(OldEntries(horizons.entries))

    def with_pictures(remover: Callable[[Database], Chunk | None]) -> Counts | None:
        chunk = remover(database)
        return chunk and chunk.rows + Counter(pictures=orphans.free_pictures(database, pictures, chunk.pictures))

    def fold() -> None:
        with removing(database) as connection:
            fold_hours(connection, now)

    yield from (partial(with_pictures, remover) for remover in removers)
    yield fold
    if thorough:
        remove: dict[str, Callable[[list[str]], int]] = {
            "passages": partial(orphans.remove_passages, database),
            "plates": partial(orphans.remove_plates, database),
            "pictures": partial(orphans.free_pictures, database, pictures),
        }
        for name, pages in _leftovers(database, pictures, horizons, now).items():
            yield _PageByPage(name, pages, remove[name])


def _leftovers(database: Database, pictures: FrameStore, horizons: Horizons, now: datetime) -> dict[str, Pages]:
    found: dict[str, Pages] = {}
    if horizons.results is not None:
        found["passages"] = orphans.empty_passages(database, horizons.results)
        found["plates"] = orphans.forgotten_plates(database)
    orphans_before = horizons.orphans(now)
    if orphans_before is not None:
        found["pictures"] = orphans.orphaned_pictures(database, pictures, orphans_before)
    return found


class _PageByPage:
    """Removes what is found; a page that another process was in the way of is tried again."""

    def __init__(self, name: str, pages: Pages, remove: Callable[[list[str]], int]) -> None:
        self._name = name
        self._pages = pages
        self._remove = remove
        self._page: list[str] | None = None

    def __call__(self) -> Counts | None:
        if self._page is None:
            self._page = next(self._pages, None)
        if self._page is None:
            return None
        count = self._remove(self._page)
        self._page = None
        return {self._name: count}
