"""The audit of an hour, step by step: frames that cross its end, clocks that differ, and work that flows meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from producers.api.accounting.books import get_audit
from producers.api.accounting.hours import Audit
from sightline.delivery.ledger import Ledger
from sightline.pipelines.queues import DETECT_TASK
from sightline.testing import make_frame_refs
from sightline.types import FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from storage.accounting import reconciliation
from storage.database.engine import Database
from storage.results import queries, store
from tests.integration.stages.running import raising
from tests.stores import open_store
from workers.stages.runner import run_message
from workers.stages.services import Services

#: The end of the hour before the last one, in epoch seconds.
HOUR = time.time() // 3600 * 3600 - 3600
FIRST, SECOND = (HOUR - 3600, HOUR), (HOUR, HOUR + 3600)


class Clock:
    """What it says is the time, to everybody in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = HOUR
        monkeypatch.setattr(time, "time", lambda: self.now)
        moment = SimpleNamespace(now=lambda _: datetime.fromtimestamp(self.now, UTC))
        monkeypatch.setattr(store, "datetime", moment)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def live_job(published_at: float, source_id: str = "gate") -> Job:
    frames = tuple(make_frame_refs(1, source_id=source_id))
    return Job(
        job_id=f"job-{frames[0].frame_id}",
        pipeline=Pipeline.OBJECTS,
        lane=Lane.LIVE,
        frames=frames,
        published_at=published_at,
        deadline_at=published_at + 5,
        entered=True,
    )


class Books:
    """Of this ledger and this database. Each look asks for both hours and for all time; all must balance."""

    def __init__(self, services: Services, database: Database) -> None:
        self._of = cast("Any", SimpleNamespace(publisher=services.delivery, database=database))
        self._database = database
        self.ledger: Ledger = services.delivery.ledger

    def look(self) -> list[dict[str, int]]:
        """What they say of the one source in both hours."""
        audits = [self.audit(*hour) for hour in (FIRST, SECOND)]
        for audit in (*audits, get_audit(self._of, None, None)):
            assert audit.balanced, audit
        return [
            {name: getattr(source, name) for name in ("published", "open", "stored", "rows") if getattr(source, name)}
            for audit in audits
            for source in audit.sources
        ]

    def audit(self, since: float, until: float) -> Audit:
        return get_audit(self._of, *(datetime.fromtimestamp(at, UTC) for at in (since, until)))

    def commit(self, job: Job) -> Callable[[], bool]:
        """Write its rows. What is returned settles it."""
        message = Message(job=job, results=tuple(FrameResult(frame=frame) for frame in job.frames))
        (stored,) = open_store(self._database).store([message], set())
        return lambda: self.ledger.settle(job.job_id, stored.counts)


@pytest.fixture
def books(services: Services, database: Database) -> Books:
    return Books(services, database)


def test_a_frame_that_crosses_the_hour_counts_in_that_of_its_publish(
    books: Books, services: Services, clock: Clock
) -> None:
    """It is live, and a late copy of its message comes at every step after its deadline."""
    clock.now = HOUR - 0.5
    job = live_job(clock.now)

    def late_copy() -> None:
        copy = raising(AssertionError("too late for it"))
        run_message({DETECT_TASK: copy}, DETECT_TASK, services, Message(job=job).dump(), redelivered=False)

    assert books.ledger.admit(job) == "admitted"
    assert books.look() == [{"published": 1, "open": 1}]
    clock.now = HOUR + 0.5
    assert books.ledger.begin(job) == 1
    assert books.look() == [{"published": 1, "open": 1}]
    clock.now = HOUR + 4
    assert books.ledger.begin(job, to_write=True) == 1
    clock.now = HOUR + 6
    late_copy()
    assert books.look() == [{"published": 1, "open": 1}]
    settle = books.commit(job)
    late_copy()
    assert books.look() == [{"published": 1, "open": 1, "rows": 1}]
    assert settle()
    late_copy()
    assert books.look() == [{"published": 1, "stored": 1, "rows": 1}]


@pytest.mark.parametrize("behind_s", [1, 1800])
def test_a_writer_whose_clock_is_behind_ends_a_job_before_it_was_published(
    books: Books, clock: Clock, behind_s: float
) -> None:
    job = live_job(HOUR + 0.1)
    books.ledger.admit(job)
    clock.now = HOUR + 0.2 - behind_s
    assert books.commit(job)()
    assert books.look() == [{"published": 1, "stored": 1, "rows": 1}]


def test_frames_that_end_between_two_looks_are_no_alarm(
    books: Books, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is published, stored and counted after the ledger was read and before the database is."""
    clock.now = HOUR + 60

    def after_another(module: Any, name: str) -> None:
        real = getattr(module, name)

        def read(*arguments: Any) -> Any:
            job = live_job(clock.now)
            books.ledger.admit(job)
            books.commit(job)()
            return real(*arguments)

        monkeypatch.setattr(module, name, read)

    after_another(reconciliation, "rows_between")
    after_another(queries, "counts_by_source")
    for _ in range(3):
        assert books.audit(*SECOND).balanced
        assert get_audit(books._of, None, None).balanced  # pyright: ignore[reportPrivateUsage]


def test_what_is_counted_and_what_is_open_is_read_at_one_moment(books: Books, working: Callable[[], None]) -> None:
    """While jobs come and end all the time."""
    hours = range(int(time.time() // 3600), int(time.time() // 3600) + 2)
    working()
    for _ in range(300):
        for balance in (books.ledger.balance(), books.ledger.hourly_balance(hours)):
            counts = balance.get("gate", {})
            published = counts.pop("published", 0)
            assert published == sum(counts.values()), (published, counts)


@pytest.fixture
def working(books: Books) -> Iterator[Callable[[], None]]:
    """Starts somebody who admits and settles jobs, until the test has ended."""
    stopped = threading.Event()

    def work() -> None:
        while not stopped.is_set():
            job = live_job(time.time())
            books.ledger.admit(job)
            books.ledger.settle(job.job_id, {"gate": {"stored": 1}})

    thread = threading.Thread(target=work)
    yield thread.start
    stopped.set()
    thread.join(20)
