"""One run: load and faults in rounds. A round publishes some frames, strikes while they are on their way, publishes
more while the fault lasts, and ends when nothing is open any more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.faults import FAULTS, plan_faults
from benchmarks.chaos.faults.fault import NotStruckError
from benchmarks.chaos.forks import installed
from benchmarks.chaos.journal import Entry, Journal
from benchmarks.chaos.load import plan_bundles
from benchmarks.chaos.machine.system import Needs, System
from benchmarks.chaos.roles.producer import Order
from benchmarks.chaos.rounds import Round, round_at
from benchmarks.chaos.switches import CAMERA_JOURNAL, FOREIGN_JOURNAL, JOURNAL, PACKAGES
from benchmarks.chaos.verdict.findings import look, waiting
from benchmarks.chaos.verdict.rows import open_passages, waiting_events
from benchmarks.chaos.verdict.verdict import Verdict, judge
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.errors import BrokerUnavailableError, StoreUnavailableError
from sightline.redis.connection import connect

#: The second half of a round's frames is spread over this time, so that some come during the fault and some after it.
_SPREAD_S = 3.0
_BUSY_WITHIN_S = 2.0
#: A round ends without being quiet when nothing changed for so long: longer than any time-out that repeats work.
_GIVE_UP_S = 30.0
#: The same where nobody sends overdue jobs again.
_GIVE_UP_UNSWEPT_S = 15.0


@dataclass(frozen=True)
class Options:
    """`only`: kinds of faults, all if none is named. `without`: protections that are off. `questions`: the share of
    jobs that are questions and recordings. `timely`: judge also what a machine without a free core breaks, that a
    worker renews its leases in time and so no work is done twice."""

    faults: int
    frames: int
    seed: int
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    database: str = "sqlite"
    questions: float = 0.3
    timely: bool = True


def missing_faults(database: str) -> dict[str, str]:
    """Those that cannot be had here, and why."""
    return {name: why for name, fault in FAULTS.items() if (why := fault.missing(database))}


def run(options: Options, folder: Path, say: Callable[[str], None] = print) -> Verdict:
    """Start the system in an empty folder, run all rounds, judge what is there then, and stop it."""
    missing = missing_faults(options.database)
    names = [name for name in options.only or FAULTS if name not in missing]
    for name in options.only or FAULTS:
        if name in missing:
            say(f"left out: {name}: {missing[name]}")
    needs = Needs(
        options.seed,
        options.frames,
        options.database,
        options.without,
        options.questions,
        small_disk="disk-full" in names,
        stepped_clocks="clock-step" in names,
    )
    with installed(folder / PACKAGES):
        system = System(folder, needs)
        try:
            system.start()
            return _judged(system, options, _Rounds(system, options, names).run(say), say)
        finally:
            system.stop()


def _judged(system: System, options: Options, rounds: list[Round], say: Callable[[str], None]) -> Verdict:
    restarts = ", ".join(f"{part.name} {part.ends}" for part in system.parts.values() if part.ends)
    say(f"started again, after the exit status: {restarts or 'nothing'}")
    entries = _all_entries(system.folder, rounds)
    return judge(rounds, entries, look(system, entries), options.seed, timely=options.timely)


def _all_entries(folder: Path, rounds: list[Round]) -> Mapping[str, Entry]:
    """Of all journals. What the camera and others published belongs to the round that ran then."""
    of_others = Journal(folder / CAMERA_JOURNAL).read() | Journal(folder / FOREIGN_JOURNAL).read()
    for entry in of_others.values():
        entry.round = round_at(rounds, entry.job.published_at).number
        entry.repeated = False
    return Journal(folder / JOURNAL).read() | of_others


class _Rounds:
    def __init__(self, system: System, options: Options, names: list[str]) -> None:
        self._system = system
        self._options = options
        self._names = names
        self._bundles = plan_bundles(options.seed, options.frames, options.questions)
        self._journal = Journal(system.folder / JOURNAL)
        self._ledger = Ledger(connect(system.settings.redis_url), LedgerLimits.from_settings(system.settings))
        self._give_up_s = _GIVE_UP_UNSWEPT_S if "ledger" in options.without else _GIVE_UP_S
        self._stuck = (0, 0)  #: open frames and waiting events that earlier rounds gave up on

    def run(self, say: Callable[[str], None]) -> list[Round]:
        options = self._options
        faults = plan_faults(options.seed, options.faults, self._names)
        rounds = [Round(number, fault) for number, fault in enumerate(faults)]
        for this in rounds:
            self._run_round(this, *(options.frames * (this.number + more) // len(rounds) for more in (0, 1)))
            seconds = time.time() - this.struck_at
            end = this.missed or ("quiet" if this.quiet else "STUCK")
            say(f"{this.number + 1:3}/{len(rounds)}  {this.fault.name:<17} {end} after {seconds:.1f} s")
        self._wait_for_the_rest()
        self._ledger.close()
        return rounds

    def _run_round(self, this: Round, first: int, until: int) -> None:
        rng = random.Random(f"round {self._options.seed} {this.number}")
        fault, half = this.fault, (first + until) // 2
        pipeline = fault.pipeline or ""
        self._system.send_order(Order(half, this.number, poison=fault.poison, pipeline=pipeline))
        self._wait_until_busy()
        time.sleep(rng.uniform(0, 0.2))
        fault.prepare(self._system)
        this.struck_at = time.time()
        self._system.send_order(Order(until, this.number, over_s=_SPREAD_S, pipeline=pipeline))
        try:
            fault.strike(self._system, rng)
        except NotStruckError as error:
            this.missed = str(error)
        bundles = sum(bundle.end <= until for bundle in self._bundles)
        this.quiet = self._wait_until_quiet(bundles)

    def _wait_until_busy(self) -> None:
        until = time.monotonic() + _BUSY_WITHIN_S
        while not waiting(self._system.redis) and time.monotonic() < until:
            time.sleep(0.002)

    def _wait_until_quiet(self, bundles: int) -> bool:
        """Until so many bundles are published or refused, none of them is open, and every event is sent."""
        seen, changed_at = (-1, -1, -1), time.monotonic()
        while time.monotonic() - changed_at < self._give_up_s:
            known = sum(entry.verdict != "unknown" for entry in self._journal.read().values())
            open_frames, events = seen[1:]
            with suppress(BrokerUnavailableError, StoreUnavailableError):
                open_frames = sum(self._ledger.open_frames().values())
                events = waiting_events(self._system.database)
            if known >= bundles and open_frames == self._stuck[0] and events <= self._stuck[1]:
                return True
            if (known, open_frames, events) != seen:
                seen, changed_at = (known, open_frames, events), time.monotonic()
            time.sleep(0.1)
        self._stuck = seen[1:]
        return False

    def _wait_for_the_rest(self) -> None:
        """Messages of finished jobs may still return once, to be forgotten; passages become final and are told."""
        system, until = self._system, time.monotonic() + self._give_up_s
        while time.monotonic() < until:
            with suppress(StoreUnavailableError):
                events = open_passages(system.database) + waiting_events(system.database)
                if not waiting(system.redis) and events <= self._stuck[1]:
                    return
            time.sleep(0.2)
