"""What tutorials show: a Celery task per frame, the picture as text in the message, defaults everywhere.

    NAIVE_REDIS_URL=… NAIVE_FOLDER=… celery -A benchmarks.throughput.peers.naive worker

The weights are ours, so that the work is the same. Where ultralytics is installed it detects, as in its own guide;
else onnxruntime does, in sessions that nobody tuned.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

_READER: list[Any] = []  #: one a process, made when the process is

_URL = os.environ.get("NAIVE_REDIS_URL", "redis://127.0.0.1:6379/0")

app = Celery("naive", broker=_URL, backend=_URL)
# The one thing that is not as it comes: models may take longer to load than a new process is given by default.
app.conf.worker_proc_alive_timeout = 300


@worker_process_init.connect
def load_models(**_: object) -> None:
    from benchmarks.throughput.reader import Reader, Table
    from sightline.settings import load_settings

    folder = Path(os.environ["NAIVE_FOLDER"])
    runtime = os.environ.get("NAIVE_RUNTIME", "onnxruntime")
    _READER[:] = [Reader(load_settings(data_dir=folder, runtime=runtime)), Table(folder / "naive.sqlite3")]


@app.task
def process(frame: str, picture: str) -> int:
    """Detect, read, and commit row by row. Returns how many plates were read."""
    reader, table = _READER
    (found,) = reader.read([base64.b64decode(picture)])
    for one in found:
        table.insert([frame], [[one]])
    return sum(reader.is_read(one) for one in found)
