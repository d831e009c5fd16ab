"""One soak: measure the capacity, publish a share of it, look at every role all the time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from benchmarks.soak.load import Load, Visitors, pictures_for
from benchmarks.soak.machine import Machine
from benchmarks.soak.questions import Askers
from sightline.delivery.publisher import Publisher

_WARM_CAPACITY_S, _CAPACITY_S = 20.0, 40.0
_DRAIN_S = 120.0


@dataclass(frozen=True)
class Options:
    minutes: float
    share: float
    every_s: float
    is_real: bool  #: with the models that come with Sightline, else with stubs
    pipelines: tuple[str, ...] = ()  #: whose questions and recordings are the load, instead of frames


@dataclass(frozen=True)
class Sample:
    at_s: float  #: since the load began
    rss: int  #: bytes resident
    memory: int  #: the same without those of mapped files, which the kernel drops and reads again as it likes
    files: int  #: open file descriptors


@dataclass
class Result:
    capacity: float = 0.0  #: frames a second
    offered: float = 0.0  #: the same
    finished: float = 0.0  #: the same
    refused: int = 0  #: frames
    events: int = 0  #: that reached the webhook
    failed_visits: int = 0
    asked: dict[str, int] = field(default_factory=dict[str, int])  #: questions and recordings, by how they ended
    failed: dict[str, int] = field(default_factory=dict[str, int])  #: those that should not have, by why
    samples: dict[str, list[Sample]] = field(default_factory=dict[str, list[Sample]])  #: by role
    restarts: dict[str, int] = field(default_factory=dict[str, int])  #: by role


def run(options: Options, machine: Machine, say: Callable[[str], None]) -> Result:
    """Returns what was seen."""
    result = Result()
    visitors = Visitors(machine.api())
    visitors.start()
    give = _give_questions if options.pipelines else _give_frames
    give(options, machine, result, say)
    visitors.stop()
    result.failed_visits, result.events = visitors.failed, machine.received
    return result


def _give_questions(options: Options, machine: Machine, result: Result, say: Callable[[str], None]) -> None:
    askers = Askers(machine.api, machine.folder, options.pipelines, options.share)
    askers.start()
    watch, until = _Watch(machine, result, options.every_s, say), time.monotonic() + 60 * options.minutes
    while time.monotonic() < until:
        watch.look_if_due()
        time.sleep(0.25)
    askers.stop()
    result.asked, result.failed = dict(askers.ended), dict(askers.failed)


def _give_frames(options: Options, machine: Machine, result: Result, say: Callable[[str], None]) -> None:
    publisher = Publisher.from_settings(machine.settings)
    load = Load(publisher, pictures_for(is_real=options.is_real))
    result.capacity = load.measure_capacity(_WARM_CAPACITY_S, _CAPACITY_S)
    result.offered = options.share * result.capacity
    say(f"capacity {result.capacity:.0f} frames/s, from now on {result.offered:.0f}")
    watch = _Watch(machine, result, options.every_s, say)
    before, seconds = load.stored(), options.minutes * 60
    load.keep_up(result.offered, seconds, watch.look_if_due)
    result.finished = (load.stored() - before) / seconds
    _drain(publisher)
    result.refused = load.refused
    publisher.close()


class _Watch:
    def __init__(self, machine: Machine, result: Result, every_s: float, say: Callable[[str], None]) -> None:
        self._machine = machine
        self._result = result
        self._every_s = every_s
        self._say = say
        self._began_at = self._next_at = time.monotonic()
        self._said_at = 0.0
        self._processes = machine.processes()

    def look_if_due(self) -> None:
        now = time.monotonic()
        if now < self._next_at:
            return
        self._next_at = now + self._every_s
        self._notice_restarts()
        for role, process in self._processes.items():
            try:
                sample = _sample(process, round(now - self._began_at, 1))
            except psutil.Error:
                continue
            self._result.samples.setdefault(role, []).append(sample)
        if now - self._said_at >= 60:
            self._said_at = now
            sizes = ", ".join(f"{role} {these[-1].memory / 1e6:.1f}" for role, these in self._result.samples.items())
            self._say(f"{(now - self._began_at) / 60:5.1f} min, MB: {sizes}")

    def _notice_restarts(self) -> None:
        if all(process.is_running() for process in self._processes.values()):
            return
        found = self._machine.processes()
        for role, process in found.items():
            if self._processes.get(role) != process:
                self._result.restarts[role] = self._result.restarts.get(role, 0) + 1
                self._say(f"{role} was started again; the log before that:\n{self._machine.log()[-3000:]}")
        self._processes |= found


def _drain(publisher: Publisher) -> None:
    until = time.monotonic() + _DRAIN_S
    while sum(publisher.ledger.open_frames().values()) > 8 and time.monotonic() < until:  # a camera goes on
        time.sleep(0.5)


def _sample(process: psutil.Process, at_s: float) -> Sample:
    found = process.memory_info()
    of_files = getattr(found, "shared", 0)  # Linux alone tells
    return Sample(at_s, found.rss, int(found.rss - of_files), process.num_fds())
