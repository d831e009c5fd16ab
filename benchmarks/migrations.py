"""How long a write waits while the tables change: `python -m benchmarks.migrations [--rows N] [--since REVISION]`.

Fills the passages of a PostgreSQL of its own, as they were in an older revision, by `generate_series`. Then a writer
adds one after the other, alone at first and then while `upgrade` runs, and each write is timed.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa

from storage.database import revision as revisions
from storage.database.engine import Database
from storage.database.opening import open_database
from tests.integration.storage.postgres import find_binaries, running_server

_CHUNK: Final = 500_000
_ALONE_S: Final = 10.0
_PASSAGE: Final = """
INSERT INTO passages (passage_id, source_id, text, confidence, first_seen, last_seen, reading_count, best_confidence,
                      best_seen, best_frame_id, best_reading_index, votes, updated_at, final_at, folded)
SELECT '{prefix}' || n, 'gate', 'AB' || lpad(mod(n, 100000)::text, 5, '0'), 0.95, at, at, 10, 0.98, at, 'frame-' || n,
       0, '{{}}', at, at, 'A8' || lpad(mod(n, 100000)::text, 5, '0')
FROM generate_series({first}, {last}) AS n, LATERAL (SELECT timestamptz '2025-01-01' + n * interval '3 s' AS at) AS t
"""


def fill(database: Database, rows: int) -> None:
    """Rows first and their indexes afterwards, which is sooner."""
    with database.write() as connection:
        connection.execute(sa.text("INSERT INTO sources (source_id, created_at) VALUES ('gate', now())"))
        named = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'passages' AND indexname LIKE 'ix_%'"
        indexes = connection.execute(sa.text(named)).all()
        for name, _ in indexes:
            connection.exec_driver_sql(f"DROP INDEX {name}")
    for first in range(0, rows, _CHUNK):
        with database.write() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL session_replication_role = replica")
            last = min(rows, first + _CHUNK) - 1
            connection.exec_driver_sql(_PASSAGE.format(prefix="old-", first=first, last=last))
    with database.write() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0; SET LOCAL maintenance_work_mem = '1GB'")
        for _, definition in indexes:
            connection.exec_driver_sql(definition)
        connection.exec_driver_sql("ANALYZE passages")


@contextmanager
def writing(database: Database, prefix: str) -> Iterator[list[float]]:
    """A row in each transaction, a hundred a second at most; how long each took, in seconds."""
    took: list[float] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.01):
            began = time.perf_counter()
            with database.write() as connection:
                connection.exec_driver_sql(_PASSAGE.format(prefix=prefix, first=number, last=number))
            took.append(time.perf_counter() - began)
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield took
    finally:
        stop.set()
        thread.join()


def _told(took: list[float]) -> dict[str, float]:
    ordered = sorted(took)
    middle, slow = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    return {
        "writes": len(took),
        "p50_ms": round(middle * 1000, 1),
        "p99_ms": round(slow * 1000, 1),
        "longest_ms": round(ordered[-1] * 1000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--since", default="0014", help="the revision before")
    options = parser.parse_args()
    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("no PostgreSQL: install the extra `dev`, or put `initdb` on the PATH")
    newest = revisions.known_revisions
    known = newest()
    with running_server(binaries, durable=True) as url:
        revisions.known_revisions = lambda: known[known.index(options.since) :]
        revisions.upgrade(url)
        revisions.known_revisions = newest
        database = open_database(url)
        began = time.perf_counter()
        fill(database, options.rows)
        print(json.dumps({"rows": options.rows, "filled_s": round(time.perf_counter() - began)}), flush=True)
        with writing(database, "alone-") as took:
            time.sleep(_ALONE_S)
        print(json.dumps({"alone": _told(took)}), flush=True)
        began = time.perf_counter()
        with writing(database, "beside-") as took:
            revisions.upgrade(url)
        seconds = round(time.perf_counter() - began, 1)
        print(json.dumps({"since": options.since, "upgrade_s": seconds, "beside": _told(took)}), flush=True)
        database.close()


if __name__ == "__main__":
    main()
