"""Keeps speed from rotting: `python -m benchmarks.guard`, less than a minute.

What the hot path costs in CPU time, each part to a bare baseline of the same run. The parts take turns, medians count.
Exit status 1 if one costs over a quarter more than `guard.json` says it did, in two measurements one after the other.
`queue` and `write` still differ by a third from run to run: see docs/performance.md.

    python -m benchmarks.guard --write    # a loss that is wanted, or a gain: note what is now, and commit the file
"""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from sightline.broker import Broker
from sightline.celery_app import create_app
from sightline.delivery import Delivery
from sightline.embedded_redis import prepare_redis
from sightline.ids import new_id
from sightline.ledger import Ledger, LedgerLimits
from sightline.messages import Job, Message, parse_message
from sightline.patience import Patience
from sightline.publisher import Publisher
from sightline.queues import WRITE_TASK
from sightline.redis_connection import connect
from sightline.settings import load_settings
from sightline.testing import MemoryFrameStore
from sightline.types import Detection, FrameRef, FrameResult, Lane, Pipeline, Reading, StageRun
from storage.database import open_database, upgrade
from storage.store import Store
from workers import images
from workers.batching import Batcher

KNOWN = Path(__file__).with_suffix(".json")
#: A figure may be so many times what `guard.json` says.
MARGIN = 1.25
#: Commands that a client sends for a job of one frame from `publish` to `settle`; the baseline sends as many, so it
#: stays as it is when the code comes to send more.
_COMMANDS = 8


@dataclass(frozen=True)
class Part:
    """One part of the hot path. `ours` and `bare` do the same amount of work; a call takes tens of milliseconds."""

    name: str
    what: str  #: what is compared with what
    where: str  #: where to look first
    ours: Callable[[], Any]
    bare: Callable[[], Any]
    bare_times: int = 1  #: how often `bare` does the work, where once is too short to be timed


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    known: dict[str, float] = json.loads(KNOWN.read_text())
    with tempfile.TemporaryDirectory(prefix="sightline-guard-") as name, ExitStack() as stack:
        parts = [stack.enter_context(make(Path(name))) for key, make in _PARTS.items() if key in options.only]
        found = measure(parts, options.rounds)
        slow = [part for part in parts if found[part.name] > known.get(part.name, 0.0) * MARGIN]
        if slow and not options.write:
            found |= measure(slow, options.rounds)
    if options.write:
        KNOWN.write_text(json.dumps(known | {name: round(ratio, 2) for name, ratio in found.items()}, indent=2) + "\n")
    return _judge(parts, found, json.loads(KNOWN.read_text()))


def measure(parts: Sequence[Part], rounds: int) -> dict[str, float]:
    """The median over the rounds of each part's CPU time to that of its baseline, measured right beside it."""
    ratios: dict[str, list[float]] = {part.name: [] for part in parts}
    for part in parts:  # connections, caches, compiled statements
        part.ours()
        part.bare()
    for number in range(rounds):
        for part in parts:
            if number % 2:
                bare_s, ours_s = _cpu_s(part.bare), _cpu_s(part.ours)
            else:
                ours_s, bare_s = _cpu_s(part.ours), _cpu_s(part.bare)
            ratios[part.name].append(ours_s / bare_s * part.bare_times)
    return {name: median(found) for name, found in ratios.items()}


def _cpu_s(call: Callable[[], Any]) -> float:
    """Of all threads of this process: what others do on the machine is not in it."""
    gc.collect()
    gc.disable()
    began_at = time.process_time()
    call()
    took_s = time.process_time() - began_at
    gc.enable()
    return took_s


def _judge(parts: Sequence[Part], found: dict[str, float], known: dict[str, float]) -> int:
    failed = 0
    for part in parts:
        now, then = found[part.name], known.get(part.name)
        if then is None:
            print(f"guard: {part.name:<8} {now:6.2f}  unknown: run `python -m benchmarks.guard --write`")
            failed = 1
        elif now > then * MARGIN:
            print(
                f"guard: {part.name:<8} {now:6.2f}  TOO SLOW: {part.what} was {then:.2f}, is {now:.2f}, "
                f"may be {then * MARGIN:.2f}.\n  Look at {part.where}: what does it do now that it did not do before? "
                f"`git stash` and `make guard` tell whether it is your change.\n  Where the loss is worth it: "
                f"`make guard ARGS=--write`, and say why in the commit of benchmarks/guard.json."
            )
            failed = 1
        else:
            print(f"guard: {part.name:<8} {now:6.2f}  (was {then:.2f}, may be {then * MARGIN:.2f}): {part.what}")
    return failed


@contextmanager
def _queue(folder: Path) -> Iterator[Part]:
    jobs = 40
    server = prepare_redis(folder / "redis")
    process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL)
    settings = load_settings(data_dir=folder, redis_url=server.url)
    client = connect(server.url)
    ledger = Ledger(connect(server.url), LedgerLimits.from_settings(settings))
    broker = Broker(create_app(settings))
    publisher = Publisher(ledger, MemoryFrameStore(), broker)
    delivery = Delivery(ledger, broker, Patience())
    delivery.patience.insist(ledger.generation, "reach the Redis of this run")
    payload = json.dumps(_message(1).dump())

    def ours() -> None:
        for _ in range(jobs):
            message = _message(1)
            job = message.job
            publisher.publish(job, {frame.frame_id: b"pixels" for frame in job.frames})
            delivery.begin(job)
            delivery.hand_over(WRITE_TASK, job, message.results)
            delivery.begin(job)
            delivery.settle(job, {"gate": {"stored": 1}})

    def bare() -> None:
        for _ in range(jobs):
            for _ in range(_COMMANDS):
                pipe = client.pipeline(transaction=False)
                pipe.lpush("bare", payload)
                pipe.execute()

    try:
        yield Part(
            "queue",
            "publish, begin, hand over, begin, settle to as many bare LPUSH",
            "sightline/publisher.py, broker.py, ledger.py, delivery.py, messages.py",
            ours,
            bare,
        )
    finally:
        publisher.close()
        client.close()
        process.terminate()
        process.wait(20)


@contextmanager
def _message_part(_folder: Path) -> Iterator[Part]:
    message = _message(16)
    text = json.dumps(message.dump())

    def ours() -> None:
        for _ in range(20):
            parse_message(json.loads(json.dumps(message.pack())))

    def bare() -> None:
        for _ in range(20):
            json.dumps(json.loads(text))

    yield Part("message", "dump and parse 16 frames to json alone", "sightline/messages.py, types.py", ours, bare)


@contextmanager
def _batcher(_folder: Path) -> Iterator[Part]:
    batcher: Batcher[int, int] = Batcher(lambda items: items, max_batch_size=16, max_wait_ms=0, name="guard")
    items = list(range(32))

    def ours() -> None:
        for number in range(60):
            for ticket in batcher.submit(items, Lane.LIVE if number % 4 else Lane.BULK):
                ticket.result()

    def bare() -> None:
        for _ in range(60):
            futures: list[Future[int]] = [Future() for _ in items]
            for item, future in zip(items, futures, strict=True):
                future.set_result(item)
            for future in futures:
                future.result()

    try:
        yield Part("batcher", "an item through the batcher to a loop of futures", "workers/batching.py", ours, bare)
    finally:
        batcher.close()


@contextmanager
def _decode(_folder: Path) -> Iterator[Part]:
    noise = np.random.default_rng(1).integers(0, 256, (45, 80, 3), np.uint8)
    jpeg = images.encode_jpeg(np.asarray(cv2.resize(noise, (640, 360)), np.uint8))

    def ours() -> None:
        for _ in range(12):
            images.decode(jpeg, max_mb=20, max_mpx=50)

    def bare() -> None:
        for _ in range(12):
            cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)

    yield Part("decode", "decode of a 360p JPEG to cv2.imdecode", "workers/images.py, sightline/images.py", ours, bare)


@contextmanager
def _write(folder: Path) -> Iterator[Part]:
    times = 10
    url = f"sqlite:///{folder / 'guard.sqlite3'}"
    upgrade(url)
    database = open_database(url)
    store = Store(database, passage_gap_s=10)
    with sqlite3.connect(folder / "guard.sqlite3") as reader:
        before = _contents(reader)
        store.store([_message(8) for _ in range(4)], kept=())
        rows = {name: found - before.get(name, set()) for name, found in _contents(reader).items()}
    reader.close()
    rows = {name: list(found) for name, found in rows.items() if found}
    plain = sqlite3.connect(folder / "bare.sqlite3")
    plain.execute("PRAGMA journal_mode = wal")
    for name, found in rows.items():
        plain.execute(f"CREATE TABLE {name} ({', '.join(f'c{place}' for place in range(len(found[0])))})")

    def ours() -> None:
        for _ in range(2):
            store.store([_message(8) for _ in range(4)], kept=())

    def bare() -> None:
        for _ in range(2 * times):
            with plain:
                for name, found in rows.items():
                    plain.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(found[0]))})", found)

    try:
        what = "a group of 4 jobs of 8 frames to executemany of its rows"
        yield Part("write", what, "storage/store.py and below", ours, bare, bare_times=times)
    finally:
        database.close()
        plain.close()


_PARTS = {"queue": _queue, "message": _message_part, "batcher": _batcher, "decode": _decode, "write": _write}


def _contents(connection: sqlite3.Connection) -> dict[str, set[tuple[Any, ...]]]:
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    names = [name for name in names if not name.startswith("sqlite_")]
    return {name: set(connection.execute(f"SELECT * FROM {name}").fetchall()) for name in names}


_message_numbers = iter(range(10**9))


def _message(frames: int) -> Message:
    """A job with one plate a frame, read; each of a vehicle and a time of its own."""
    number = next(_message_numbers)
    began_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
    refs = tuple(
        FrameRef(frame_id=new_id(), source_id="gate", captured_at=began_at + timedelta(seconds=n / 5), seq=n)
        for n in range(frames)
    )
    box = Detection(xyxy=(100, 100, 300, 160), label="plate", class_id=0, confidence=0.9)
    text = f"KA{number % 10_000:04}B"
    read = Reading(text=text, confidence=0.9, char_confidences=(0.9,) * len(text), detection_index=0, sharpness=9.0)
    run = StageRun(
        stage="detect",
        model="guard",
        model_sha256="",
        runtime="none",
        worker="guard",
        queue_wait_ms=1.0,
        inference_ms=1.0,
        batch_size=8,
    )
    results = tuple(
        FrameResult(frame=ref, width=1280, height=720, detections=(box,), readings=(read,), stages=(run,))
        for ref in refs
    )
    job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=refs)
    return Message(job=job, results=results)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.guard", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11, help="in one measurement (%(default)s)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(_PARTS), help=", ".join(_PARTS))
    parser.add_argument("--write", action="store_true", help="note what is measured as what is known")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
