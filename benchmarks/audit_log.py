"""What an entry of the audit log costs a search: `python -m benchmarks.audit_log [--json FILE]`.

The API in this process on SQLite in a temporary folder, asked for passages one request after the other, in turns with
and without an entry; once alone, and once while a writer commits all the time, as it does under load.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from fastapi.testclient import TestClient

from producers.api.access.audit_trail import Logged
from producers.api.app import create_app
from sightline.settings import load_settings
from storage.access.keys import create_key
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.tables import Sources


def measure(searches: int, *, busy: bool) -> dict[str, float]:
    """Milliseconds of a search, at the median and the 99th percentile."""
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(data_dir=Path(folder))
        upgrade(settings.sqlalchemy_url)
        database = open_database(settings.sqlalchemy_url)
        headers = {"X-API-Key": create_key(database, "benchmark", "viewer")}
        stopped = threading.Event()

        def write() -> None:
            # A connection of its own to the same file, like the writer's process.
            other, number = open_database(settings.sqlalchemy_url), 0
            while not stopped.is_set():
                with other.write() as connection:
                    new = [{"source_id": f"s{number}-{n}", "created_at": datetime.now(UTC)} for n in range(200)]
                    connection.execute(sa.insert(Sources), new)
                number += 1
                time.sleep(0.01)
            other.close()

        writer = threading.Thread(target=write)
        if busy:
            writer.start()
        times_ms: dict[bool, list[float]] = {True: [], False: []}
        with TestClient(create_app(settings), headers=headers) as client:
            for number in range(2 * searches + 20):
                Logged.logs_reading = logged = number % 2 == 0
                started_at = time.perf_counter()
                assert client.get("/v1/passages", params={"text": "KAB*"}).status_code == 200
                if number >= 20:
                    times_ms[logged].append((time.perf_counter() - started_at) * 1000)
        stopped.set()
        if busy:
            writer.join()
        database.close()
    return {
        f"{name}_{point}_ms": round(value, 2)
        for name, logged in (("without", False), ("with", True))
        for point, value in (
            ("p50", statistics.median(times_ms[logged])),
            ("p99", statistics.quantiles(times_ms[logged], n=100)[98]),
        )
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit_log", description=__doc__)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results = {"alone": measure(options.searches, busy=False), "beside a writer": measure(options.searches, busy=True)}
    print(f"{'ms of a search':<18}{'without p50':>13}{'with p50':>13}{'without p99':>13}{'with p99':>13}")
    for name, row in results.items():
        order = ("without_p50_ms", "with_p50_ms", "without_p99_ms", "with_p99_ms")
        print(f"{name:<18}" + "".join(f"{row[column]:>13.2f}" for column in order))
    if options.json:
        options.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
