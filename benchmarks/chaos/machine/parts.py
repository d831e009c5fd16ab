"""Processes that are kept alive: what ends is started again, as systemd or Docker would."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[3]
_RESTART_PAUSE_S = 0.3
_READY_TIMEOUT_S = 120


@dataclass
class Part:
    """One process. `ready`: what it logs when it is; empty: nobody waits for it."""

    name: str
    command: Sequence[str]
    ready: bytes = b"ready."
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    user: Mapping[str, Any] = field(default_factory=dict[str, Any])
    first_input: bytes | None = None  #: what each process of it is told first; None: it has no input
    process: subprocess.Popen[bytes] | None = None
    held: bool = False  #: not started again for now
    ends: list[int] = field(default_factory=list[int])  #: exit statuses so far


class Parts:
    """All of a run. Its thread starts with `keep_alive`."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._stopping = threading.Event()
        self._lock = threading.RLock()
        self.by_name: dict[str, Part] = {}

    def start(self, parts: Iterable[Part]) -> None:
        """Returns when they are ready."""
        parts = list(parts)
        for part in parts:
            self.by_name[part.name] = part
            self._launch(part)
        for part in parts:
            self._wait_until_ready(part)

    def keep_alive(self) -> None:
        threading.Thread(target=self._supervise, name="supervisor", daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()
        with self._lock:
            running = [part for part in self.by_name.values() if part.process and part.process.poll() is None]
            for part in running:
                _send(part, signal.SIGKILL)  # nothing is open any more, or it is known to be lost
            for part in running:
                assert part.process is not None
                part.process.wait(10)
            for part in self.by_name.values():
                _close_input(part)

    def signal(self, part: Part, number: signal.Signals) -> None:
        """Send it to the process and its children, if it is there."""
        with self._lock:
            if part.process is not None and part.process.poll() is None:
                _send(part, number)

    @contextmanager
    def killed(self, part: Part) -> Iterator[None]:
        """kill -9, and nobody starts it again inside of this."""
        part.held = True
        self.signal(part, signal.SIGKILL)
        yield
        part.held = False

    def kill(self, part: Part, away_s: float) -> None:
        """kill -9, and so long nobody starts it again."""
        with self.killed(part):
            time.sleep(away_s)

    def tell(self, part: Part, line: bytes) -> None:
        """Write to its input; whichever process comes after this one is told the same first."""
        with self._lock:
            part.first_input = line
            _tell(part)

    def log_of(self, part: Part) -> Path:
        return self._folder / f"{part.name}.log"

    def _launch(self, part: Part) -> None:
        _close_input(part)
        with self.log_of(part).open("ab") as log:
            part.process = subprocess.Popen[bytes](
                part.command,
                cwd=ROOT,
                env={**self._environment, **part.environment},
                stdin=subprocess.DEVNULL if part.first_input is None else subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **dict[str, Any](part.user),
            )
        _tell(part)

    def _supervise(self) -> None:
        while not self._stopping.wait(0.05):
            with self._lock:
                ended = [part for part in self.by_name.values() if part.process and part.process.poll() is not None]
            for part in ended:
                if part.held:
                    continue
                assert part.process is not None
                part.ends.append(part.process.returncode)
                time.sleep(_RESTART_PAUSE_S)
                with self._lock:
                    if not self._stopping.is_set():
                        self._launch(part)

    def _wait_until_ready(self, part: Part) -> None:
        until = time.monotonic() + _READY_TIMEOUT_S
        while part.ready not in (log := self.log_of(part).read_bytes()):
            if time.monotonic() > until or (part.process and part.process.poll() is not None):
                raise RuntimeError(f"{part.name} does not start:\n{log.decode()[-4000:]}")
            time.sleep(0.1)


def _send(part: Part, number: signal.Signals) -> None:
    """To the process first: the one of PostgreSQL would clear up after its children."""
    assert part.process is not None
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(part.process.pid).children(recursive=True)
        part.process.send_signal(number)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(number)


def _tell(part: Part) -> None:
    if part.first_input and part.process is not None and part.process.stdin is not None:
        with suppress(BrokenPipeError):  # it was killed; the next one is told when it starts
            part.process.stdin.write(part.first_input)
            part.process.stdin.flush()


def _close_input(part: Part) -> None:
    if part.process is not None and part.process.stdin is not None:
        with suppress(BrokenPipeError):
            part.process.stdin.close()
