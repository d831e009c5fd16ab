"""Grows and shrinks the workers of one machine by what waits and what is free: looks, has `scaling` decide, does it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sightline.celery.app import create_app
from sightline.delivery.broker import Broker, Line
from sightline.errors import SightlineError
from sightline.local.kinds import Kind
from sightline.local.machine import FreeCores, free_bytes, largest_bytes
from sightline.local.scaling import Look, Past, backlog, decide
from sightline.local.supervisor import Crew
from sightline.settings import Settings

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 2.0


class Autoscaler:
    """`run` looks until the crew has stopped. `file` says how many run and why, for `sightline status`."""

    def __init__(
        self, kinds: Sequence[Kind], settings: Settings, file: Path, on_change: Callable[[Collection[str]], None]
    ) -> None:
        """`on_change` is called with the names of the processes that run, after each change."""
        self._kinds = kinds
        self._broker = Broker(create_app(settings))
        self._cores = FreeCores()
        self._file = file
        self._on_change = on_change
        self._pasts = {kind.name: Past() for kind in kinds}
        self._said = dict.fromkeys(self._pasts, "")  #: by kind, why it stays as it is
        self._told: dict[str, dict[str, Any]] = {}

    def run(self, crew: Crew) -> None:
        for kind in self._kinds:
            self._tell_change(kind, crew, "it just started")
        for kind in self._kinds:
            self._tell(kind, crew, now="")
        try:
            while not crew.wait(LOOK_EVERY_S):
                try:
                    self._look(crew)
                except SightlineError as error:
                    log.debug("no look at the queues: %s", error)  # the roles say it
        finally:
            self._file.unlink(missing_ok=True)

    def _look(self, crew: Crew) -> None:
        lines, held = self._broker.lines(), self._broker.held()
        free_cores, free = self._cores.look(), free_bytes()
        for kind in self._kinds:
            states = crew.states(kind.names)
            running = [name for name in kind.names if states[name] == "running"]
            look = Look(
                at_s=time.monotonic(),
                workers=len(running),
                leaving=sum(state == "leaving" for state in states.values()),
                held=held[0] if held else 0,
                free_cores=free_cores,
                free_bytes=free,
                worker_bytes=largest_bytes(crew.pids(running)),
                **_waiting(lines, kind.queues),
            )
            decision, self._pasts[kind.name] = decide(kind.limits, look, self._pasts[kind.name])
            if decision.change > 0:
                crew.start(next(name for name in kind.names if states[name] == "stopped"))
            elif decision.change < 0:
                crew.let_go(running[-1])
            if decision.change:
                now = look.workers + decision.change
                crew.say(f"{kind.name}: {look.workers} -> {now} of {kind.limits.most}: {decision.why}")
                self._tell_change(kind, crew, decision.why)
            elif decision.why and self._said[kind.name] != (about := decision.why.partition("; ")[2]):
                crew.say(f"{kind.name}: stays at {look.workers}: {decision.why}")
                self._said[kind.name] = about
            self._tell(kind, crew, now=backlog(look) if decision.change else decision.why or backlog(look))

    def _tell_change(self, kind: Kind, crew: Crew, why: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"running": 0, "least": kind.limits.least, "most": kind.limits.most, "since": at, "why": why}
        self._told[kind.name] = told
        self._on_change([name for each in self._kinds for name in _running(crew, each)])
        self._said[kind.name] = ""

    def _tell(self, kind: Kind, crew: Crew, now: str) -> None:
        """What holds now; the reason of the last change is of then."""
        told = self._told[kind.name]
        fresh = {**told, "running": len(_running(crew, kind)), "now": now}
        if fresh != told:
            self._told[kind.name] = fresh
            written = self._file.with_suffix(".new")
            written.write_text(json.dumps(self._told))
            written.replace(self._file)


def _running(crew: Crew, kind: Kind) -> list[str]:
    return [name for name, state in crew.states(kind.names).items() if state == "running"]


def _waiting(lines: Sequence[Line], queues: Sequence[str]) -> dict[str, Any]:
    """How much waits in some queues, and for how long."""
    found = [line for line in lines if line.queue in queues]
    sent_at = min((line.oldest_sent_at for line in found if line.oldest_sent_at), default=None)
    return {
        "waiting": sum(line.messages for line in found),
        "oldest_s": 0.0 if sent_at is None else max(0.0, time.time() - sent_at),
    }
