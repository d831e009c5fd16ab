"""The guard of the hot path's cost sees what was lost, on this machine as it is now, and says what to do then."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from benchmarks.guard import __main__ as guard
from benchmarks.guard.figures import Ratio
from sightline.delivery.handoff import Delivery
from sightline.delivery.ledger import Ledger
from sightline.delivery.publisher import Publisher
from sightline.wire.messages import Message
from storage.results.store import Store
from workers.batching.batcher import Batcher
from workers.housekeeping.times import StageTimes
from workers.pixels import images

_LOSS = 0.6  #: clearly more than the guard allows, whatever the machine does meanwhile
#: By part: a function that the guard measures, and how often one call of `ours` calls it.
_FUNCTIONS = {
    "queue": (Publisher, "publish", 1),
    "message": (Message, "pack", 1),
    "observed": (StageTimes, "worked", 200),
    "batcher": (Batcher, "submit", 8),
    "decode": (images, "check_image", 1),
    "write": (Store, "store", 1),
}


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "guard.json"
    path.write_text("{}")
    monkeypatch.setattr(guard, "KNOWN", path)
    return path


@pytest.mark.parametrize("part", guard.PARTS)
def test_a_loss_fails_it_and_nothing_else_does(
    part: str, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--only", part, "--rounds", "3"]
    assert guard.main([*options, "--write"]) == 0
    measured = json.loads(known.read_text())[part]
    assert guard.main(options) == 0
    capsys.readouterr()
    owner, name, times = _FUNCTIONS[part]
    _slow_down(monkeypatch, owner, name, by_ns=_LOSS * _cost_ns(part, tmp_path) / times)
    assert guard.main(options) == 1
    said = capsys.readouterr().out
    assert f" was {measured:g}, is " in said
    assert "make guard ARGS=--write" in said


def test_more_commands_fail_it(
    known: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _repeat(monkeypatch, Delivery, "begin", "queue")
    assert "TOO MUCH: what Redis does for publish" in capsys.readouterr().out


def test_more_round_trips_fail_it(
    known: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _repeat(monkeypatch, Ledger, "settle_together", "queue")
    assert "TOO MUCH: of a worker to Redis for taking" in capsys.readouterr().out


def test_more_statements_fail_it(
    known: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _repeat(monkeypatch, Store, "store", "write")
    assert "TOO MUCH: what SQLite does for a group" in capsys.readouterr().out


def test_what_was_never_measured_fails_it(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.main(["--only", "message", "--rounds", "1"]) == 1
    assert "UNKNOWN: run `make guard ARGS=--write`" in capsys.readouterr().out
    assert json.loads(known.read_text()) == {}


def test_all_that_is_measured_is_known(tmp_path: Path) -> None:
    with ExitStack() as stack:
        figures = [figure.name for part in guard.PARTS.values() for figure in stack.enter_context(part(tmp_path))]
    assert sorted(json.loads(guard.KNOWN.read_text())) == sorted(figures)


def _cost_ns(part: str, folder: Path) -> float:
    with guard.PARTS[part](folder) as figures:
        (ratio,) = (figure for figure in figures if isinstance(figure, Ratio))
        return median(_cpu_ns(ratio.ours()) for _ in range(50))


def _cpu_ns(call: Any) -> int:
    began_at = time.process_time_ns()
    call()
    return time.process_time_ns() - began_at


def _slow_down(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, *, by_ns: float) -> None:
    quick = getattr(owner, name)

    def slow(*arguments: Any, **keywords: Any) -> Any:
        until = time.thread_time_ns() + by_ns
        while time.thread_time_ns() < until:
            pass
        return quick(*arguments, **keywords)

    monkeypatch.setattr(owner, name, slow)


def _repeat(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, part: str) -> None:
    """Note what the part costs, then have it do something three times and expect that to be seen."""
    options = ["--only", part, "--rounds", "1"]
    assert guard.main([*options, "--write"]) == 0
    once = getattr(owner, name)
    monkeypatch.setattr(owner, name, lambda *args, **kwargs: [once(*args, **kwargs) for _ in range(3)][-1])
    assert guard.main(options) == 1


def test_metrics_and_traces_may_cost_two_percent_and_no_more() -> None:
    known = json.loads((Path(guard.__file__).parent / "guard.json").read_text())
    assert known["observed"] <= 2
