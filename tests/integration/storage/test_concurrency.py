"""Several writers at once, and writers that die half-way."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa

from sightline.errors import StoreUnavailableError
from sightline.wire.messages import Message
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.passages import plate_rows
from storage.results import queries
from storage.results import store as store_module
from storage.results.store import Store, Stored
from storage.tables import Detections, Frames, Jobs, Passages, Readings
from tests.integration.storage.at_once import run_all
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store

THREADS = 6


def count(database: Database, table: type[Frames | Detections | Readings | Jobs | Passages]) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def bundles(number: int) -> list[Message]:
    """Bundles over the same eight cameras, one car each, in ever other order."""
    found: list[Message] = []
    for bundle in range(number):
        cameras = random.Random(bundle).sample(range(8), 8)
        found.append(message(*[frame_result([f"AB{10 + c}CD"], at_s=bundle * 0.1, source=f"cam{c}") for c in cameras]))
    return found


def test_the_same_bundle_by_all_is_stored_once(database: Database, store: Store) -> None:
    for sent in bundles(5):
        answers = run_all([lambda sent=sent: store.store([sent], ())] * THREADS)
        assert all(answer == answers[0] for answer in answers)
        assert all(counts == Counter(stored=1) for counts in answers[0][0].counts.values())
    assert count(database, Frames) == count(database, Readings) == 5 * 8
    assert {view.reading_count for view in queries.list_passages(database).items} == {5}


def test_different_bundles_of_the_same_cameras(database: Database, store: Store) -> None:
    sent = bundles(24)
    shares = [sent[number::THREADS] for number in range(THREADS)]
    run_all([lambda share=share: [store.store([each], ())[0] for each in share] for share in shares])
    views = queries.list_passages(database).items
    assert sorted(view.text for view in views) == [f"AB{10 + camera}CD" for camera in range(8)]
    assert {view.reading_count for view in views} == {24}
    assert count(database, Readings) == 24 * 8


def test_overlapping_groups_and_repetitions(database: Database, store: Store) -> None:
    """Every thread stores everything, in groups and in an order of its own."""
    sent = bundles(12)

    def work(seed: int) -> list[Stored]:
        chance = random.Random(seed)
        mine = chance.sample(sent, len(sent))
        return [stored for start in range(0, 12, 4) for stored in store.store(mine[start : start + 4], ())]

    answers = run_all([lambda seed=seed: work(seed) for seed in range(THREADS)])
    first = {stored.job_id: stored for stored in answers[0]}
    assert all(stored == first[stored.job_id] for answer in answers for stored in answer)
    assert count(database, Jobs) == 12
    assert {view.reading_count for view in queries.list_passages(database).items} == {12}


def test_the_same_later_publish_by_all_decides_once(database: Database, store: Store) -> None:
    for number in range(5):
        job_id, good, bad = f"job-later-{number}", frame_result(), frame_result(error="bad_image")
        store.store([message(good, bad, job_id=job_id, published_at=100.0)], ())
        healed = frame_result(frame_id=bad.frame.frame_id)
        later = message(good, healed, frame_result(error="bad_image"), job_id=job_id, published_at=200.0)
        answers = run_all([lambda later=later: store.store([later], ())] * THREADS)
        assert all(answer == answers[0] for answer in answers)
        assert answers[0][0].counts == {"gate": Counter(repeated=1, stored=1, dead=1)}
    assert {letter.times for letter in queries.list_dead_letters(database).items} == {1}


def test_large_groups_in_any_order_do_not_deadlock(store: Store) -> None:
    results = [frame_result(source=f"cam{number % 20}") for number in range(40)]
    sent = [message(result, frame_result(error="bad_image")) for result in results]
    repeats = [message(result) for result in results]

    def work(seed: int) -> list[Stored]:
        chance = random.Random(seed)
        return store.store(chance.sample(sent, len(sent)), ()) + store.store(chance.sample(repeats, len(sent)), ())

    run_all([lambda seed=seed: work(seed) for seed in range(THREADS)])


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)  # its rowid tells the order of writing
def test_rows_are_written_in_the_order_of_their_keys(database: Database, store: Store) -> None:
    """Two writers that take locks in one order cannot wait for each other."""
    pairs = [(frame_result(source=f"cam{n}"), frame_result(error="bad_image", source=f"cam{n}")) for n in range(20)]
    sent = [message(*reversed(pair)) for pair in pairs]
    random.Random(1).shuffle(sent)
    store.store(sent, ())
    keys = {
        "jobs": "job_id",
        "sources": "source_id",
        "frames": "frame_id",
        "dead_letters": "frame_id",
        "passages": "passage_id",
    }
    with database.read() as connection:
        for table, key in keys.items():
            written = list(connection.scalars(sa.text(f"SELECT {key} FROM {table} ORDER BY rowid")))
            assert len(written) == 20
            assert written == sorted(written)


def test_the_same_frames_in_different_jobs_at_once(database: Database, store: Store) -> None:
    results = [frame_result(at_s=at_s, source=f"cam{at_s}") for at_s in range(8)]
    jobs = [message(*random.Random(seed).sample(results, 8)) for seed in range(THREADS)]
    answers = run_all([lambda job=job: store.store([job], ()) for job in jobs])
    total: Counter[str] = Counter()
    for (stored,) in answers:
        for counts in stored.counts.values():
            total += counts
    assert total == Counter(stored=8, repeated=8 * (THREADS - 1))
    assert {view.reading_count for view in queries.list_passages(database).items} == {1}


def test_two_processes_write_at_once(database: Database, database_url: str) -> None:
    """Separate engines share neither locks nor pools."""
    others = [open_database(database_url) for _ in range(3)]
    stores = [open_store(other, 10.0) for other in others]
    sent = bundles(9)
    run_all(
        [
            lambda store=store, number=number: [store.store([each], ())[0] for each in sent[number::3]]
            for number, store in enumerate(stores)
        ]
    )
    for other in others:
        other.close()
    assert {view.reading_count for view in queries.list_passages(database).items} == {9}


@pytest.mark.parametrize(
    ("module", "step"),
    [
        (store_module, "_insert_items"),
        (plate_rows, "place_sightings"),
        (store_module, "_insert_dead_letters"),
        (store_module, "settle_jobs"),
        (store_module, "_stored"),
    ],
)
def test_a_crash_inside_the_transaction_leaves_nothing(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    class Crash(BaseException):
        pass

    def crash(*_: object, **__: object) -> None:
        raise Crash

    sent = message(frame_result(), frame_result(error="bad_image"))
    with monkeypatch.context() as patched:
        patched.setattr(module, step, crash)
        with pytest.raises(Crash):
            store.store([sent], ())
    assert count(database, Jobs) == count(database, Frames) == count(database, Passages) == 0
    assert store.store([sent], ())[0].counts == {"gate": Counter(stored=1, dead=1)}


def test_a_crash_after_the_commit_counts_as_stored_again(database: Database, database_url: str, tmp_path: Path) -> None:
    """A real process commits and dies before it can tell anybody."""
    sent = message(frame_result(), frame_result(dropped="too_late"))
    code = (
        "import os, sys\n"
        "from sightline.wire.messages import Message\n"
        "from storage.database.opening import open_database\n"
        "from tests.stores import open_store\n"
        "message = Message.model_validate_json(sys.stdin.read())\n"
        "open_store(open_database(sys.argv[1]), 10.0).store([message], ())\n"
        "os._exit(9)"
    )
    root = Path(__file__).parents[3]
    died = subprocess.run([sys.executable, "-c", code, database_url], input=sent.model_dump_json().encode(), cwd=root)
    assert died.returncode == 9

    (stored,) = open_store(database, 10.0).store([sent], ())
    assert stored.counts == {"gate": Counter({"stored": 1, "dropped:too_late": 1})}
    assert stored.result.frames == sent.results
    assert queries.list_passages(database).items[0].reading_count == 1


def test_a_writer_waits_for_another(database: Database, database_url: str, store: Store) -> None:
    """A transaction of another process holds what we need for a while."""
    sent = message(frame_result())
    store.store([message(frame_result(at_s=60))], ())
    other = open_database(database_url)
    holding = threading.Event()

    def hold() -> None:
        with other.write() as connection:
            connection.execute(sa.text("UPDATE sources SET fps = 1"))
            holding.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(10)
    started = time.monotonic()
    store.store([sent], ())
    assert time.monotonic() - started > 0.1
    thread.join()
    other.close()


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_lost_connection_is_unavailable_and_then_heals(database: Database, store: Store) -> None:
    store.store([message(frame_result())], ())

    def lose_connection() -> None:
        with database.write() as connection:
            pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
            with database.write() as killer:
                killer.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            connection.execute(sa.text("SELECT 1"))

    with pytest.raises(StoreUnavailableError):
        lose_connection()
    assert store.store([message(frame_result())], ())[0].counts == {"gate": Counter(stored=1)}
