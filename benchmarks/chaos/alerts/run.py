"""Strikes one fault after the other under a steady load, and asks for each which alerts fire: as it was, and if it had
lasted.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.chaos.alerts.expected import Alerts
from benchmarks.chaos.alerts.longer import after_long, longer
from benchmarks.chaos.alerts.promtool import fired
from benchmarks.chaos.alerts.scrapes import Sample, Scrapes
from benchmarks.chaos.faults import FAULTS
from benchmarks.chaos.faults.fault import Lasting
from benchmarks.chaos.forks import FORKS, installed
from benchmarks.chaos.load import plan_bundles
from benchmarks.chaos.machine.system import Needs, System
from benchmarks.chaos.roles.producer import Order
from benchmarks.chaos.switches import PACKAGES
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.errors import BrokerUnavailableError
from sightline.redis.connection import connect

_BEFORE_S, _HELD_S, _AFTER_S = 7, 14, 6
_WELL_WITHIN_S = 40
#: Well before and long after the fault, in seconds: longer than any rule looks back or waits.
_WELL_S, _LONG_S = 11 * 60, 25 * 60
_BUNDLES_PER_FAULT = 2 * _BEFORE_S + _HELD_S + _AFTER_S + 4


def run(names: Sequence[str], folder: Path, database: str) -> Iterator[tuple[str, Alerts]]:
    """The alerts of each fault, one after the other."""
    frames = 16 * _BUNDLES_PER_FAULT * (len(names) + 1)
    needs = Needs(
        1,
        frames,
        database,
        questions=0.0,
        small_disk="disk-full" in names,
        stepped_clocks="clock-step" in names,
        observed=True,
    )
    with installed(folder / PACKAGES):
        system = System(folder, needs)
        try:
            system.start()
            scrapes = Scrapes(system.metrics_ports)
            with scrapes.running():
                watch = _Watch(system, scrapes, frames)
                for name in names:
                    yield name, watch.alerts_of(name)
        finally:
            system.stop()


class _Watch:
    def __init__(self, system: System, scrapes: Scrapes, frames: int) -> None:
        self._system = system
        self._scrapes = scrapes
        self._bundles = plan_bundles(system.seed, frames)
        self._published = 0
        self._ledger = Ledger(connect(system.settings.redis_url), LedgerLimits.from_settings(system.settings))

    def alerts_of(self, name: str) -> Alerts:
        fault, rng, ticks = FAULTS[name](), random.Random(name), self._scrapes.ticks
        first = len(ticks)
        self._load(_BEFORE_S)
        while fault.poison and fault.pipeline != FORKS and self._bundles[self._published].pipeline == FORKS:
            self._load(1)  # there it would be one branch that fails
        self._publish(_HELD_S + _AFTER_S, poison=fault.poison, pipeline=fault.pipeline or "")
        fault.prepare(self._system)
        lasted: list[Sample] = []
        if isinstance(fault, Lasting):
            with fault.wrong(self._system, rng):
                time.sleep(_HELD_S)
                lasted = ticks[first:]
        else:
            fault.strike(self._system, rng)
        time.sleep(_AFTER_S)
        self._wait_until_well()
        self._load(_BEFORE_S)
        story = ticks[first:]
        (self._system.folder / f"{name}.json").write_text(json.dumps({"lasted": len(lasted), "ticks": story}))
        return Alerts(self._fired(story), self._fired(lasted) if lasted else frozenset())

    def _load(self, seconds: int) -> None:
        self._publish(seconds)
        time.sleep(seconds)

    def _publish(self, over_s: int, *, poison: bool = False, pipeline: str = "") -> None:
        """One bundle a second."""
        self._published += over_s
        until = self._bundles[self._published - 1].end
        self._system.send_order(Order(until, 0, over_s=over_s, poison=poison, pipeline=pipeline))

    def _wait_until_well(self) -> None:
        """Until nothing is open any more, and every role is as it was."""
        until = time.monotonic() + _WELL_WITHIN_S
        while time.monotonic() < until:
            with suppress(BrokerUnavailableError):
                if not sum(self._ledger.open_frames().values()) and self._scrapes.all_is_well():
                    return
            time.sleep(0.5)

    def _fired(self, ticks: Sequence[Sample]) -> frozenset[str]:
        counters = self._scrapes.counters
        story = longer(after_long(ticks, counters, _WELL_S), counters, _LONG_S)
        return frozenset(name.removeprefix("Sightline") for name in fired(story))
