"""Every fault finds its victim, whatever the seed: plans of many seeds, struck at a system that was never started."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from benchmarks.chaos.faults import FAULTS, broker, foreign, outside, plan_faults, stores
from benchmarks.chaos.faults import fault as waiting_faults
from benchmarks.chaos.faults import questions as question_faults
from benchmarks.chaos.forks import installed
from benchmarks.chaos.machine import clock, system
from benchmarks.chaos.machine.parts import Part
from benchmarks.chaos.switches import PACKAGES, PROTECTIONS

SEEDS = range(100)


class Machine:
    """A system whose parts are known and do not run. `struck`: those that got a signal or another clock."""

    def __init__(self, folder: Path, needs: system.Needs) -> None:
        self.struck: set[str] = set()
        self.system = system.System(folder, needs)
        self.system.redis = MagicMock()
        self.system.write = lambda _: None  # pyright: ignore
        self.system.signal = self._strike
        self.system.kill = self._strike
        self.system.killed = self._killed
        self.system.parts.update({part.name: part for part in (*self.system.services(), *self.system.roles(1, 2, 3))})

    def _strike(self, part: Part, *_: Any, **__: Any) -> None:
        assert self.system.parts[part.name] is part
        self.struck.add(part.name)

    @contextmanager
    def _killed(self, part: Part) -> Iterator[None]:
        self._strike(part)
        yield


@pytest.fixture(autouse=True)
def _pipeline_that_forks(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / PACKAGES):
        yield


@pytest.fixture
def _nothing_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No time passes, no disk is filled, no database locked and nothing sent."""
    passed_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal passed_s
        passed_s += seconds

    postgres = SimpleNamespace(url="postgresql://nobody@127.0.0.1:1/none", command=("postgres",), user={})
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", sleep)
        patch.setattr(time, "monotonic", lambda: passed_s)
        patch.setattr(system, "_prepare_postgres", lambda _: postgres)
        for name in ("_fill", "_lock_sqlite", "_lock_postgres", "_let_write"):
            patch.setattr(stores, name, MagicMock())
        patch.setattr(broker, "create_app", MagicMock())
        for name in ("Celery", "Journal", "_put"):
            patch.setattr(foreign, name, MagicMock())
        for module in (waiting_faults, question_faults):
            patch.setattr(module, "wait_for", lambda _: True)
        yield


@pytest.mark.usefixtures("_nothing_outside")
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("without", [(), PROTECTIONS], ids=["protected", "unprotected"])
def test_every_fault_of_every_seed_finds_its_victim(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, without: tuple[str, ...]
) -> None:
    needs = system.Needs(seed=1, frames=64, database=database, without=without, stepped_clocks=True)
    machine = Machine(tmp_path, needs)
    monkeypatch.setattr(outside, "step", lambda _, name, ahead_s: machine.struck.add(name) if ahead_s else None)
    of_postgres = {"database-kill", "database-read-only"}
    names = [name for name in FAULTS if database == "postgresql" or name not in of_postgres]
    for seed in SEEDS:
        for number, fault in enumerate(plan_faults(seed, len(names), names)):
            fault.prepare(machine.system)
            fault.strike(machine.system, random.Random(f"round {seed} {number}"))
    assert machine.struck == set(machine.system.parts)
    machine.system.database.close()


def test_the_clock_of_any_worker_can_be_stepped(tmp_path: Path) -> None:
    made = system.System(tmp_path, system.Needs(seed=1, frames=64, stepped_clocks=True))
    workers = [part for part in made.roles(1, 2, 3) if "worker" in part.command]
    assert len(workers) > 3
    for part in workers:
        assert part.environment.items() >= clock.environment(tmp_path, part.name, str(tmp_path / PACKAGES)).items()
    made.database.close()
    made.redis.close()
