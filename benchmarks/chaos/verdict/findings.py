"""What is there after a run: rows, the ledger, queues, pictures, what the receiver acted on, and how often each stage
worked on each job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import redis

from benchmarks.chaos.journal import Entry
from benchmarks.chaos.machine.system import System
from benchmarks.chaos.roles.receiver import Receipt, read_receipts
from benchmarks.chaos.switches import FOREIGN_LETTERS, RECEIPTS, RUNS_FOLDER
from benchmarks.chaos.verdict.rows import Rows
from benchmarks.chaos.verdict.streams import listen
from producers.api.accounting.books import get_audit
from sightline.blobs.opening import open_frame_store
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import ResultBoard
from sightline.pipelines import registry
from sightline.pipelines.queues import LANE_PRIORITIES
from sightline.settings import Settings


@dataclass(frozen=True)
class Findings:
    rows: Rows
    receipts: list[Receipt]
    counts: dict[str, dict[str, int]]  #: the ledger's, by source and outcome
    dropped: set[str]  #: frames whose result says that a rule dropped them
    balanced: bool  #: what `sightline audit` says
    starts: Counter[tuple[str, str]]  #: how often the stage of a queue began to work, by job and queue
    heard: dict[str, list[Any]]  #: what who listened to a job heard since its stage last started over, by job
    left_over: list[str]  #: what should be gone and is not, or be there and is not, in words


def look(system: System, entries: Mapping[str, Entry]) -> Findings:
    """Read everything. All services must be up and nothing may be on its way any more."""
    settings = system.settings
    publisher = Publisher.from_settings(settings)
    try:
        rows = Rows.read(system.database)
        dropped = _dropped(system, entries, rows)
        audit = get_audit(cast("Any", SimpleNamespace(publisher=publisher, database=system.database)))
        return Findings(
            rows=rows,
            receipts=list(read_receipts(system.folder / RECEIPTS)),
            counts=publisher.ledger.counts(),
            dropped=dropped,
            balanced=audit.balanced,
            starts=_starts(system.folder / RUNS_FOLDER),
            heard=listen(system, entries, rows.frames),
            left_over=[
                *_left_in_redis(system.redis),
                *_left_pixels(system.pixels(), _ended_early(entries, dropped | rows.dead.keys())),
                *_missing_pictures(settings, rows),
                *_unburied(system.folder / FOREIGN_LETTERS, rows.letters),
            ],
        )
    finally:
        publisher.close()


def waiting(client: redis.Redis) -> dict[str, int]:
    """Messages in queues and unacknowledged ones, where there are any."""
    sizes = {
        "unacked": client.hlen("unacked"),
        "unacked_index": client.zcard("unacked_index"),
    }
    for queue in registry().queues:
        for priority in chain(*LANE_PRIORITIES.values()):
            name = f"{queue}\x06\x16{priority}" if priority else queue
            sizes[name] = client.llen(name)
    return {name: size for name, size in sizes.items() if size}


def _dropped(system: System, entries: Mapping[str, Entry], rows: Rows) -> set[str]:
    """A job that a rule dropped leaves no row, but a result."""
    board = ResultBoard(system.redis, result_ttl_s=system.settings.result_ttl_s)
    dropped: set[str] = set()
    for job_id, entry in entries.items():
        if entry.frame_ids - rows.frames.keys() - rows.dead.keys():
            result = board.wait(job_id, timeout_s=0.0)
            dropped |= {frame.frame.frame_id for frame in result.frames if frame.dropped} if result else set[str]()
    return dropped


def _starts(folder: Path) -> Counter[tuple[str, str]]:
    return Counter(
        (job_id, file.name.rpartition(".")[0]) for file in folder.glob("*") for job_id in file.read_text().split()
    )


def _left_in_redis(client: redis.Redis) -> list[str]:
    left = [f"{size} messages in {name}" for name, size in waiting(client).items()]
    ledger = [f"sightline:{name}" for name in ("jobs", "attempts", "sightings")]
    sizes = {name: client.hlen(name) for name in ledger}
    for name in client.scan_iter("sightline:due:*"):
        sizes[str(name)] = client.zcard(name)
    sizes["sightline:arrived:*"] = len(list(client.scan_iter("sightline:arrived:*")))
    left += [f"{size} entries in {name}" for name, size in sizes.items() if size]
    open_frames = cast("dict[str, str]", client.hgetall("sightline:open"))
    return left + [f"{n} open frames of {source}" for source, n in open_frames.items() if int(n)]


def _ended_early(entries: Mapping[str, Entry], frame_ids: set[str]) -> set[str]:
    """These frames, and the jobs that had one of them."""
    return frame_ids | {job_id for job_id, entry in entries.items() if not frame_ids.isdisjoint(entry.frame_ids)}


def _left_pixels(files: list[str], ended_early: set[str]) -> list[str]:
    """Crops of frames that were dropped or died, and parts and shards of their jobs, are left to expire: whoever ends
    such a job does not know them."""
    left = [name for name in files if "." not in name or name.partition(".")[0] not in ended_early]
    return [f"{len(left)} pictures in the frame store, such as {left[0]}"] if left else []


def _missing_pictures(settings: Settings, rows: Rows) -> list[str]:
    store = open_frame_store(settings.picture_store_url, ttl_s=None)
    wanted = sorted(rows.pictures)
    missing = [frame_id for frame_id, data in zip(wanted, store.get_many(wanted), strict=True) if data is None]
    return [f"{len(missing)} kept pictures are missing, such as {missing[0]}"] if missing else []


def _unburied(names: Path, letters: Sequence[str]) -> list[str]:
    """Messages that could not be worked on and are no dead letters."""
    wanted = names.read_text().split() if names.exists() else []
    return [f"message {name}: no dead letter has it" for name in wanted if not any(name in text for text in letters)]
