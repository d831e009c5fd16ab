"""Runs the roles of one machine as child processes: prefixed logs, restarts, and a stop in the right order.

Circus does the work. What is added here: producers stop first and Redis last, each line of a log says who wrote it,
and children end when this process is killed.
"""

from __future__ import annotations

import itertools
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sightline.local.log_streams import LogFormat, LogStream, stream_of

_OURS: Final = "workers"  #: who writes what is said of the processes themselves


@dataclass(frozen=True)
class RoleProcess:
    """One process to keep running. Roles with a higher `stop_last` stop later, and start earlier."""

    name: str
    command: tuple[str, ...]
    stop_last: int = 0
    grace_s: float = 10.0
    environment: Mapping[str, str] = field(default_factory=dict)
    starts: bool = True  #: with the others; else a `Crew` starts it


def supervise(
    roles: Iterable[RoleProcess],
    environment: Mapping[str, str],
    beside: Callable[[Crew], None] | None = None,
    log_format: LogFormat = "text",
) -> None:
    """Run the roles until SIGINT or SIGTERM, then stop them all. Blocks. What they write goes to standard output.

    `beside` runs in a thread meanwhile and may start and let go roles; it is to end when its crew has stopped.
    """
    from circus.watcher import Watcher

    roles = list(roles)
    width = max(len(name) for name in (_OURS, *(role.name for role in roles)))
    watchers: list[Any] = []
    for role in roles:
        stream = {"stream": stream_of(role.name, width, log_format, sys.stdout)}
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
                autostart=role.starts,
            )
        )
    with tempfile.TemporaryDirectory(prefix="sightline-") as folder:
        arbiter = _ordered_arbiter()(watchers, f"ipc://{folder}/control", f"ipc://{folder}/events", loglevel="ERROR")
        crew = Crew(arbiter, watchers, stream_of(_OURS, width, log_format, sys.stdout))
        thread = threading.Thread(target=beside or (lambda _: None), args=(crew,), name="beside", daemon=True)
        thread.start()
        try:
            arbiter.start()
        finally:
            crew.stopped.set()
            thread.join(5)


class Crew:
    """The processes under a supervisor, for whoever starts more of them and lets some go. For one other thread."""

    def __init__(self, arbiter: Any, watchers: Sequence[Any], stream: LogStream) -> None:
        self._arbiter = arbiter
        self._watchers = {watcher.name: watcher for watcher in watchers}
        self._stream = stream
        self._wanted = {watcher.name for watcher in watchers if watcher.autostart}
        self.stopped = threading.Event()

    def wait(self, seconds: float) -> bool:
        """True as soon as all have stopped, or are about to."""
        return self.stopped.wait(seconds) or self._arbiter._stopping

    def states(self, names: Iterable[str]) -> dict[str, Literal["running", "leaving", "stopped"]]:
        """`leaving`: it finishes what it holds, and is not started again."""
        return {
            name: "running" if name in self._wanted else "stopped" if self._watchers[name].is_stopped() else "leaving"
            for name in names
        }

    def pids(self, names: Iterable[str]) -> list[int]:
        return [pid for name in names for pid in list(self._watchers[name].processes)]

    def start(self, name: str) -> None:
        """Start one that has stopped."""
        self._wanted.add(name)
        self._arbiter.loop.add_callback(self._start, self._watchers[name])

    def let_go(self, name: str) -> None:
        """Tell one to end when it has finished what it holds, however long that takes. It is not killed."""
        self._wanted.discard(name)
        self._arbiter.loop.add_callback(self._let_go, self._watchers[name])

    def say(self, text: str) -> None:
        """A line of the log."""
        self._arbiter.loop.add_callback(self._stream, {"data": f"{text}\n".encode()})

    async def _start(self, watcher: Any) -> None:
        from tornado import gen

        # Circus does one thing at a time, and refuses the second.
        while self._arbiter._exclusive_running_command:
            await gen.sleep(0.05)
        if not self._arbiter._stopping:
            watcher.respawn = True
            await watcher.start()

    @staticmethod
    def _let_go(watcher: Any) -> None:
        watcher.respawn = False  # circus stops a watcher whose process has ended then
        for pid in list(watcher.processes):
            watcher.send_signal(pid, signal.SIGTERM)


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


def end_with_parent(name: str = "TERM") -> tuple[str, ...]:
    """On Linux a child is told to end when its supervisor is killed, so that nothing runs on unseen."""
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", name, "--") if setpriv else ()
