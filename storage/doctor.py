"""`python -m storage.doctor`: how database and sinks are, for `sightline doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from sightline.delivery.agreement import Agreement, other_installation
from sightline.doctor.elsewhere import answer
from sightline.doctor.finding import Finding, bad, ok, warn
from sightline.doctor.machine import compare_clocks
from sightline.errors import StoreUnavailableError
from sightline.redis.connection import connect
from sightline.settings import Settings
from storage.accounting.agreement import fresh_breaks, read_side
from storage.accounting.throughput import size_bytes
from storage.database.causes import CURES
from storage.database.engine import Database, require_writable
from storage.database.opening import open_database, require_existing
from storage.database.revision import check_revision, current_revision
from storage.sinks.deliveries import count_deliveries
from storage.sinks.sinks import list_sinks


def look_at_database(settings: Settings) -> Iterator[Finding]:
    """Whether it answers, has our tables, can be written, and agrees on the time."""
    require_existing(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    try:
        check_revision(database)
        require_writable(database)
        size_mb = size_bytes(database) / 1e6
        name = database.engine.dialect.name
        yield ok("database", f"{name}, revision {current_revision(database)}, can be written, {size_mb:.1f} MB")
        if name == "postgresql":
            yield _clock(database)
    except StoreUnavailableError as error:
        yield _refused(database, error)
    finally:
        database.close()


def _refused(database: Database, error: StoreUnavailableError) -> Finding:
    if database.engine.dialect.name == "sqlite" and error.cause == "read_only":
        file = database.engine.url.database
        return bad("database", f"{file} cannot be written", f"make it and its folder writable: chmod u+w {file}")
    cure = CURES.get(error.cause, "is it up, and is SIGHTLINE_DATABASE_URL right?")
    says = str(error).replace(f" ({cure})", "").replace(f": {cure}", f": {error.cause}")
    return bad("database", says, cure)


def look_at_agreement(settings: Settings) -> Iterator[Finding]:
    """Whether Redis and the database belong together, and are of one time."""
    require_existing(settings.sqlalchemy_url)
    what, database = "redis and database", open_database(settings.sqlalchemy_url)
    try:
        check_revision(database)
        with connect(settings.redis_url) as redis:
            agreement = Agreement(redis, done_ttl_s=settings.result_ttl_s)
            if (error := other_installation(read_side(database).installation_id, agreement.read())) is not None:
                says, _, cure = str(error).partition(". ")
                yield bad(what, says, cure)
                return
        breaks = fresh_breaks(database)
        yield from (warn(what, each.words, "sightline audit") for each in breaks)
        if not breaks:
            yield ok(what, "belong together, and are of one time")
    finally:
        database.close()


def look_at_sinks(settings: Settings) -> Iterator[Finding]:
    """Whether what is pushed arrives."""
    require_existing(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    try:
        check_revision(database)
        sinks, counts = list_sinks(database), count_deliveries(database)
    finally:
        database.close()
    for sink in sinks:
        what, count = f"sink: {sink.sink_id}", counts.get(sink.sink_id)
        if sink.disabled_reason:
            yield bad(what, f"disabled: {sink.disabled_reason}", f"sightline sinks resume {sink.sink_id}")
        elif count is not None and (count.dead or (count.pending and count.last_error)):
            says = f"{count.pending} events wait, {count.dead} given up; last error: {count.last_error}"
            yield warn(what, says, f"sightline sinks test {sink.sink_id}")
        else:
            yield ok(what, f"{count.pending if count else 0} events wait" if sink.enabled else "paused")


def _clock(database: Database) -> Finding:
    before_s = time.time()
    with database.read() as connection:
        now: Any = connection.scalar(sa.text("SELECT clock_timestamp()"))
    assert isinstance(now, datetime)
    return compare_clocks("database", now.astimezone(UTC).timestamp(), before_s, time.time())


if __name__ == "__main__":
    raise SystemExit(
        answer(("database", look_at_database), ("redis and database", look_at_agreement), ("sinks", look_at_sinks))
    )
