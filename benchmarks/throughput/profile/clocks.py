"""Clocks in the steps of a worker: CPU time by thread and step, told on SIGUSR2. For `where`.

`clocked` and `clocked_models` are the apps that have them.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any, Final

import kombu.transport.redis
from celery.signals import worker_ready

import sightline.delivery.handoff
import storage.passages.plate_rows
import storage.results.store
import workers.app
import workers.stages.runner
from benchmarks.throughput.profile.clock import Seconds, clock, spent_s
from sightline.blobs.folder import FolderFrameStore
from sightline.celery.intake import ListReader
from sightline.celery.take import Taker
from sightline.delivery.ledger import Ledger
from sightline.wire.messages import Message
from workers.batching.batcher import Batcher

#: Environment variable: the file a report goes to.
REPORT: Final = "BENCHMARK_CLOCKS"


def install() -> None:
    """Put clocks into what every worker does."""
    worker_ready.connect(_listen, weak=False)
    qos: Any = kombu.transport.redis.QoS
    for owner, name in ((ListReader, "read"), (Taker, "begin")):
        clock(owner, name, "take messages, make Celery's requests")
    clock(qos, "append", "note one as unacknowledged")
    clock(Taker, "_flush", "acknowledge them")
    clock(workers.app, "run_message", "stages: what is left")
    clock(workers.stages.runner, "parse_message", "read the message")
    clock(Message, "pack", "write the message")
    delivery: Any = sightline.delivery.handoff.Delivery
    clock(delivery, "begin", "ledger: begin")
    clock(delivery, "hand_over", "send the message")
    for name in ("get_bundle", "put_bundle", "delete_bundles"):
        clock(FolderFrameStore, name, "frame store")
    clock(Ledger, "settle_together", "ledger: settle, post the result")
    clock(Batcher, "submit", "batchers")
    clock(Batcher, "_run_once", "batchers")
    clock(storage.results.store.Store, "store", "transaction: what is left")
    store: Any = storage.results.store
    clock(store, "claim_jobs", "transaction: jobs")
    clock(store, "settle_jobs", "transaction: jobs")
    clock(store, "_insert_items", "transaction: frames")
    plate_rows: Any = storage.passages.plate_rows
    clock(plate_rows, "sightings", "transaction: passages")
    clock(plate_rows, "place_sightings", "transaction: passages")
    clock(plate_rows, "write_detections", "transaction: detections, readings")
    clock(plate_rows, "reading_rows", "transaction: detections, readings")
    clock(plate_rows, "insert_rows", "transaction: detections, readings")


def _tell(*_: object) -> None:
    threads = Seconds(float)
    for thread in threading.enumerate():
        if thread.ident is not None:
            name = "main" if thread is threading.main_thread() else thread.name.partition("_")[0].rstrip("0123456789-")
            threads[name] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    content = {"process": time.process_time(), "threads": threads, "steps": spent_s()}
    path = Path(os.environ[REPORT])
    path.with_suffix(".new").write_text(json.dumps(content))
    path.with_suffix(".new").replace(path)


def _listen(**_: object) -> None:
    signal.signal(signal.SIGUSR2, _tell)
