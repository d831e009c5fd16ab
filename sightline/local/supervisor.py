"""Runs the roles of one machine as child processes: prefixed logs, restarts, and a stop in the right order.

Circus does the work. What is added here: producers stop first and Redis last, each line of a log says who wrote it,
and children end when this process is killed.
"""

from __future__ import annotations

import itertools
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TextIO

_COLORS = itertools.cycle((36, 32, 33, 35, 34, 96, 92, 95))


@dataclass(frozen=True)
class RoleProcess:
    """One process to keep running. Roles with a higher `stop_last` stop later, and start earlier."""

    name: str
    command: tuple[str, ...]
    stop_last: int = 0
    grace_s: float = 10.0
    environment: Mapping[str, str] = field(default_factory=dict)


def supervise(roles: Iterable[RoleProcess], environment: Mapping[str, str]) -> None:
    """Run the roles until SIGINT or SIGTERM, then stop them all. Blocks."""
    from circus.watcher import Watcher

    roles = list(roles)
    width = max(len(role.name) for role in roles)
    watchers: list[Any] = []
    for role in roles:
        stream = {"stream": _PrefixStream(role.name.ljust(width), sys.stdout)}
        command = (*end_with_parent(), *role.command)
        watchers.append(
            Watcher(
                role.name,
                command[0],
                args=list(command[1:]),
                env={**environment, **role.environment},
                graceful_timeout=role.grace_s,
                priority=role.stop_last,
                stdout_stream=stream,
                stderr_stream=stream,
                max_retry=-1,
            )
        )
    with tempfile.TemporaryDirectory(prefix="sightline-") as folder:
        _ordered_arbiter()(watchers, f"ipc://{folder}/control", f"ipc://{folder}/events", loglevel="ERROR").start()


def _ordered_arbiter() -> Any:
    """Circus stops all its watchers at once; workers need Redis until they have stopped."""
    from circus.arbiter import Arbiter
    from tornado import gen

    class OrderedArbiter(Arbiter):
        def manage_watchers(self) -> Any:
            # The look for dead children comes round while the stop is under way; then it has nothing to do.
            return None if self._exclusive_running_command else super().manage_watchers()

        @gen.coroutine
        def stop(self) -> Any:
            # Circus refuses to stop while it starts or looks after a watcher, and the signal would be gone.
            while self._exclusive_running_command:
                yield gen.sleep(0.05)
            yield super().stop()

        @gen.coroutine
        def _stop_watchers(self, close_output_streams: bool = False, watcher_iter_func: Any = None) -> Any:
            watchers = (watcher_iter_func or self.iter_watchers)(reverse=False)
            for _, group in itertools.groupby(watchers, key=lambda watcher: watcher.priority):
                yield gen.multi([watcher._stop(close_output_streams) for watcher in group])

    return OrderedArbiter


def end_with_parent(signal: str = "TERM") -> tuple[str, ...]:
    """On Linux a child is told to end when its supervisor is killed, so that nothing runs on unseen."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", signal, "--") if setpriv else ()


class _PrefixStream:
    """Writes whole lines, each with the name of its role."""

    def __init__(self, name: str, out: TextIO) -> None:
        self._prefix = f"\033[{next(_COLORS)}m{name}\033[0m | " if out.isatty() else f"{name} | "
        self._out = out
        self._rest: dict[str, str] = {}

    def __call__(self, data: Mapping[str, Any]) -> None:
        channel = str(data.get("name", ""))
        text = self._rest.pop(channel, "") + data["data"].decode(errors="replace")
        *lines, rest = text.split("\n")
        if rest:
            self._rest[channel] = rest
        for line in lines:
            if line.strip():
                self._out.write(f"{self._prefix}{line}\n")
        self._out.flush()

    def close(self) -> None:
        for rest in self._rest.values():
            self._out.write(f"{self._prefix}{rest}\n")
        self._rest.clear()
