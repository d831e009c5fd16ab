"""Jobs the API accepted and nobody finished yet, so that they outlive the loss of Redis, where they are open.

A row is written before the client is told that its job is accepted. When the ledger has lost a job that is not
finished here, it is published again as it was: same ids, same time, so what was stored before is not stored twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sightline.blobs.names import frames_name
from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.delivery.ledger import Ledger
from sightline.delivery.publisher import Publisher
from sightline.ids import content_id
from sightline.pipelines import registry
from sightline.settings import PlaceSettings
from sightline.types import Item
from sightline.wire.messages import Job
from storage.database.engine import Database, insert_into
from storage.jobs.rows import published_at
from storage.tables import AcceptedJobs, Jobs

_MANY = 200
_IS_FINISHED = sa.exists().where(Jobs.job_id == AcceptedJobs.job_id, Jobs.published_at >= AcceptedJobs.published_at)


class Accepted:
    """The accepted jobs in a database. `spares` holds their pixels where the frame store is a Redis too."""

    def __init__(self, database: Database, spares: FrameStore | None) -> None:
        self._database = database
        self._spares = spares

    @classmethod
    def from_settings(cls, database: Database, settings: PlaceSettings) -> Accepted:
        spares = open_frame_store(settings.picture_store_url, ttl_s=None) if settings.frames_are_in_redis else None
        return cls(database, spares)

    def keep(self, job: Job, pixels: Mapping[str, bytes]) -> None:
        """Note a job. Raises `StoreUnavailableError`: it is not noted, or not known to be."""
        if self._spares is not None:
            self._spares.put_many({_spare_key(job.job_id, key): data for key, data in pixels.items()})
        row = {"job_id": job.job_id, "published_at": published_at(job), "job": job.model_dump(mode="json")}
        with self._database.write() as connection:
            insert = insert_into(connection, AcceptedJobs)
            newer = {name: insert.excluded[name] for name in ("published_at", "job")}
            older = AcceptedJobs.published_at < insert.excluded.published_at
            connection.execute(
                insert.on_conflict_do_update(index_elements=[AcceptedJobs.job_id], set_=newer, where=older), row
            )

    def is_open(self, job_id: str) -> bool:
        with self._database.read() as connection:
            rows = sa.select(AcceptedJobs.job_id).where(AcceptedJobs.job_id == job_id, ~_IS_FINISHED)
            return connection.scalar(rows) is not None

    def lost_frames(self, ledger: Ledger) -> Counter[str]:
        """How many frames of each source are accepted, not finished, and not open in the ledger."""
        lost = (job for jobs in self._unfinished() for job in _not_open(ledger, jobs))
        return Counter(frame.source_id for job in lost for frame in job.frames)

    def rebuild(self, publisher: Publisher) -> Counter[str]:
        """Publish again what is accepted, not finished, and not open in the ledger. Returns the frames per source.

        Raises:
            BacklogFullError: the ledger has no room for more now; go on later.
            StoreUnavailableError, BrokerUnavailableError: the same.
        """
        rebuilt: Counter[str] = Counter()
        for jobs in self._unfinished():
            for job in _not_open(publisher.ledger, jobs):
                publisher.publish(job, self._pixels(publisher.frames, job))
                rebuilt.update(frame.source_id for frame in job.frames)
        return rebuilt

    def forget_finished(self) -> int:
        """Drop the rows and spare pixels of finished jobs. Returns how many jobs."""
        forgotten = 0
        while jobs := self._some(sa.select(AcceptedJobs.job).where(_IS_FINISHED)):
            if self._spares is not None:
                self._spares.delete_many([key for job in jobs for key in _spare_keys(job)])
            ids = [job["job_id"] for job in jobs]
            with self._database.write() as connection:
                connection.execute(sa.delete(AcceptedJobs).where(AcceptedJobs.job_id.in_(ids), _IS_FINISHED))
            forgotten += len(jobs)
        return forgotten

    def restore_pixels(self, frames: FrameStore, job: Job) -> bool:
        """Put the pixels of an accepted job, which the frame store lost, there again. Returns False if there are none.

        Raises:
            StoreUnavailableError: not done, or not known to be.
        """
        pixels = self._pixels(frames, job) if self._spares is not None and self.is_open(job.job_id) else {}
        frames.put_bundle(frames_name(job.job_id), pixels)
        return len(pixels) == len(job.keys)

    def _unfinished(self) -> Iterator[list[Job]]:
        """Those of pipelines that are known here: of others a process that knows them takes care."""
        known = AcceptedJobs.job["pipeline"].as_string().in_(registry().names)
        rows = sa.select(AcceptedJobs.job).where(known, ~_IS_FINISHED).order_by(AcceptedJobs.job_id)
        last = ""
        while jobs := [Job.model_validate(job) for job in self._some(rows.where(AcceptedJobs.job_id > last))]:
            yield jobs
            last = jobs[-1].job_id

    def _some(self, rows: sa.Select[dict[str, Any]]) -> list[dict[str, Any]]:
        with self._database.read() as connection:
            return list(connection.scalars(rows.limit(_MANY)))

    def _pixels(self, frames: FrameStore, job: Job) -> dict[str, bytes]:
        """What is left of them. A frame without becomes a dead letter, as any whose pixels are lost."""
        keys = job.keys
        found = dict(zip(keys, frames.get_bundle(frames_name(job.job_id), keys), strict=True))
        missing = [key for key, data in found.items() if data is None]
        if missing and self._spares is not None:
            spares = self._spares.get_many([_spare_key(job.job_id, key) for key in missing])
            found |= dict(zip(missing, spares, strict=True))
        return {key: data for key, data in found.items() if data is not None}


def _not_open(ledger: Ledger, jobs: list[Job]) -> list[Job]:
    known = ledger.which_are_open([job.job_id for job in jobs])
    return [job for job in jobs if job.job_id not in known]


def forget_accepted(connection: sa.Connection, job_ids: Sequence[str]) -> list[str]:
    """Drop the rows of those of these jobs that are finished, within a transaction. Returns where their spare pixels
    lie in the picture store, as far as there are any. What is being tried anew stays."""
    finished = (AcceptedJobs.job_id.in_(job_ids), _IS_FINISHED)
    jobs = connection.scalars(sa.select(AcceptedJobs.job).where(*finished)).all()
    connection.execute(sa.delete(AcceptedJobs).where(*finished))
    return [key for job in jobs for key in _spare_keys(job)]


def spare_keys(database: Database) -> set[str]:
    """Where the spare bytes of all noted jobs lie in the picture store, as far as there are any."""
    with database.read() as connection:
        return {key for job in connection.scalars(sa.select(AcceptedJobs.job)) for key in _spare_keys(job)}


def _spare_keys(job: dict[str, Any]) -> Iterator[str]:
    """Of a job as it was noted, whose pipeline need not be known here."""
    for item in job["frames"]:
        yield from (_spare_key(job["job_id"], key) for key in Item.model_validate(item).keys)


def _spare_key(job_id: str, key: str) -> str:
    """Not the item's own: that is the kept picture's, and other jobs may have the same item."""
    return content_id("spare", job_id, key)
