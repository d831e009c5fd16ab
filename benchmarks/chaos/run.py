"""One run: load and faults in rounds. A round publishes some frames, strikes while they are on their way, publishes
more while the fault lasts, and ends when nothing is open any more.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.chaos.faults import plan_faults
from benchmarks.chaos.findings import look, waiting
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.load import plan_bundles
from benchmarks.chaos.producer import Order
from benchmarks.chaos.system import System
from benchmarks.chaos.verdict import Round, Verdict, judge
from sightline.errors import BrokerUnavailableError
from sightline.ledger import Ledger, LedgerLimits
from sightline.redis_connection import connect

#: The second half of a round's frames is spread over this time, so that some come during the fault and some after it.
_SPREAD_S = 3.0
_BUSY_WITHIN_S = 2.0
#: A round ends without being quiet when nothing changed for so long: longer than any time-out that repeats work.
_GIVE_UP_S = 30.0


@dataclass(frozen=True)
class Options:
    faults: int
    frames: int
    seed: int
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


def run(options: Options, folder: Path, say: Callable[[str], None] = print) -> Verdict:
    """Start the system in an empty folder, run all rounds, judge what is there then, and stop it."""
    system = System(folder, seed=options.seed, frames=options.frames, without=options.without)
    try:
        system.start()
        rounds = _Rounds(system, options).run(say)
        restarts = ", ".join(f"{part.name} {len(part.ends)}" for part in system.parts.values() if part.ends)
        say(f"started again: {restarts or 'nothing'}")
        entries = Journal(system.journal_path).read()
        return judge(rounds, entries, look(system, entries), options.seed)
    finally:
        system.stop()


class _Rounds:
    def __init__(self, system: System, options: Options) -> None:
        self._system = system
        self._options = options
        self._bundles = plan_bundles(options.seed, options.frames)
        self._journal = Journal(system.journal_path)
        self._ledger = Ledger(connect(system.settings.redis_url), LedgerLimits.from_settings(system.settings))
        self._stuck = 0  #: open frames that earlier rounds gave up on

    def run(self, say: Callable[[str], None]) -> list[Round]:
        options = self._options
        faults = plan_faults(options.seed, options.faults, list(options.only))
        rounds = [Round(number, fault) for number, fault in enumerate(faults)]
        for this in rounds:
            self._run_round(this, *(options.frames * (this.number + more) // len(rounds) for more in (0, 1)))
            seconds = time.time() - this.struck_at
            end = "quiet" if this.quiet else "STUCK"
            say(f"{this.number + 1:3}/{len(rounds)}  {this.fault.name:<17} {end} after {seconds:.1f} s")
        self._wait_for_late_copies()
        self._ledger.close()
        return rounds

    def _run_round(self, this: Round, first: int, until: int) -> None:
        rng = random.Random(f"round {self._options.seed} {this.number}")
        self._system.send_order(Order((first + until) // 2, this.number, poison=this.fault.poison))
        self._wait_until_busy()
        time.sleep(rng.uniform(0, 0.2))
        this.struck_at = time.time()
        self._system.send_order(Order(until, this.number, over_s=_SPREAD_S))
        this.fault.strike(self._system, rng)
        bundles = sum(bundle.end <= until for bundle in self._bundles)
        this.quiet = self._wait_until_quiet(bundles)

    def _wait_until_busy(self) -> None:
        until = time.monotonic() + _BUSY_WITHIN_S
        while not waiting(self._system.redis) and time.monotonic() < until:
            time.sleep(0.002)

    def _wait_until_quiet(self, bundles: int) -> bool:
        """Until so many bundles are published or refused, and none of them is open."""
        seen, changed_at = (-1, -1), time.monotonic()
        while time.monotonic() - changed_at < _GIVE_UP_S:
            known = sum(entry.verdict != "unknown" for entry in self._journal.read().values())
            open_frames = seen[1]
            with suppress(BrokerUnavailableError):
                open_frames = sum(self._ledger.open_frames().values())
            if known >= bundles and open_frames == self._stuck:
                return True
            if (known, open_frames) != seen:
                seen, changed_at = (known, open_frames), time.monotonic()
            time.sleep(0.1)
        self._stuck = seen[1]
        return False

    def _wait_for_late_copies(self) -> None:
        """Messages of finished jobs may still return once, to be forgotten."""
        until = time.monotonic() + _GIVE_UP_S
        while waiting(self._system.redis) and time.monotonic() < until:
            time.sleep(0.2)
