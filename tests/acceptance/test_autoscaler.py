"""`sightline up --worker-max`: workers come with a backlog and go after it, and nothing is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sightline.delivery.publisher import Publisher
from sightline.ids import new_id
from sightline.testing import make_picture
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job
from tests.acceptance.parts.machine import Machine

_SLOW_MODEL = '[models.slow]\nkind = "stub"\nlabels = ["plate"]\ncall_ms = 250\n'
_BACKLOG = 120


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "models.toml").write_text(_SLOW_MODEL)
    running = Machine(
        tmp_path / "data",
        # Cores are busy with whatever else this machine does; the stub only sleeps.
        *("--worker-max", "2", "--worker-cores", "0", "--worker-idle-s", "3"),
        SIGHTLINE_MODELS_FILE=str(tmp_path / "models.toml"),
        SIGHTLINE_PLATES_MODEL="slow",
        SIGHTLINE_RECOGNIZER="stub",
        SIGHTLINE_PLATES_RECOGNIZER="",
        SIGHTLINE_MAX_BATCH_SIZE="1",
        SIGHTLINE_DETECT_CONCURRENCY="8",
    )
    yield running
    running.stop()
    assert "Traceback" not in running.log(), running.log()


def test_workers_grow_under_a_backlog_and_shrink_after_it_and_nothing_is_lost(machine: Machine) -> None:
    assert workers_of(machine) == ["worker0@%h"]
    publisher = Publisher.from_settings(machine.settings())
    for number in range(_BACKLOG):
        publish(publisher, number)
    wait_until(lambda: workers_of(machine) == ["worker0@%h", "worker1@%h"], machine)
    (status,) = machine.rows("status")
    assert (status["workers"]["worker"]["running"], status["workers"]["worker"]["most"]) == (2, 2)
    assert "messages wait" in status["workers"]["worker"]["why"]
    assert "processes of worker" in machine.cli("status").stdout
    # From here on there is always something in work, also in the worker that goes; one that is killed comes back.
    os.kill(machine.children()["worker0@%h"], signal.SIGKILL)
    with dripping(publisher) as published:
        wait_until(lambda: not publisher.queue_depths()["gpu.detect"], machine)
        wait_until(lambda: workers_of(machine) == ["worker0@%h"], machine)
    wait_until(lambda: not publisher.ledger.open_frames(), machine)
    (counts,) = publisher.ledger.counts().values()
    publisher.close()
    total = _BACKLOG + len(published)
    assert counts == {"published": total, "stored": total}
    assert machine.rows("audit")[0]["balanced"]
    (status,) = machine.rows("status")
    told = status["workers"]["worker"]
    assert (told["running"], told["now"]) == (1, "nothing waits")  # whatever it was that changed the number last
    assert told["why"].startswith("nothing waited for ")
    assert "workers" in machine.log()
    assert "worker: 1 -> 2 of 2: " in machine.log()
    assert "worker: 2 -> 1 of 2: nothing waited for " in machine.log()


def publish(publisher: Publisher, number: int) -> None:
    frame = FrameRef(frame_id=new_id(), source_id="yard", captured_at=datetime.now(UTC), seq=number)
    job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
    publisher.publish(job, {frame.frame_id: make_picture(f"KAB{number:04}")})


@contextmanager
def dripping(publisher: Publisher) -> Iterator[list[int]]:
    """A picture every half a second meanwhile; gives the list of their numbers."""
    numbers, over = list[int](), threading.Event()

    def run() -> None:
        while not over.wait(0.5):
            numbers.append(_BACKLOG + len(numbers))
            publish(publisher, numbers[-1])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield numbers
    over.set()
    thread.join()


def workers_of(machine: Machine) -> list[str]:
    return sorted(name for name in machine.children() if "@%h" in name)


def wait_until(holds: Callable[[], bool], machine: Machine, timeout_s: float = 90) -> None:
    until = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < until, machine.log()[-4000:]
        time.sleep(0.3)


def test_what_does_not_go_together_is_refused_before_anything_starts(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from sightline.cli import app

    said = CliRunner().invoke(app, ["up", "--data", str(tmp_path / "data"), "--worker-min", "2"])
    assert said.exit_code != 0
    assert "--worker-max" in str(said.exception)
    assert not (tmp_path / "data").exists()
