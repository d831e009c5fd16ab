"""Starts that worker and sends it prompts, all at once."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery

from benchmarks.chat.measured import Answers
from benchmarks.throughput.system import ROOT
from sightline.local.embedded_redis import prepare_redis
from sightline.local.machine import count_cores

_TIMEOUT_S = 1800


class Naive:
    def __init__(self, client: Celery) -> None:
        self._client = client

    def ask(self, texts: Sequence[str], max_tokens: int) -> Answers:
        answers, began = Answers(), time.perf_counter()
        sent: list[Any] = [
            self._client.send_task("benchmarks.chat.peers.naive.answer", (text, max_tokens)) for text in texts
        ]
        for result in sent:
            answers.tokens += result.get(timeout=_TIMEOUT_S)
        answers.seconds = time.perf_counter() - began
        return answers


@contextmanager
def naive(parent: Path, model: Path) -> Iterator[Naive]:
    """A prefork worker with as many processes as there are cores, and a Redis of its own, while the block runs."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    redis = prepare_redis(folder / "redis")
    given = {"NAIVE_REDIS_URL": redis.url, "NAIVE_MODEL": str(model)}
    worker = [sys.executable, "-m", "celery", "-q", "-A", "benchmarks.chat.peers.naive", "worker"]
    with (folder / "log").open("wb") as log:
        processes = (
            subprocess.Popen(redis.command, stdout=log),
            subprocess.Popen(
                [*worker, "-c", str(count_cores())], cwd=ROOT, env=os.environ | given, stdout=log, stderr=log
            ),
        )
    client = Celery("naive", broker=redis.url, backend=redis.url, set_as_current=False)
    try:
        yield Naive(client)
    finally:
        client.close()
        for process in reversed(processes):
            process.terminate()
            process.wait(60)
