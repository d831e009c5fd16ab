"""What runs from a checkout and not from the wheel, reached as processes: the floor imports none of it."""

from __future__ import annotations

import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Final

from sightline.errors import SettingsError, SightlineError
from sightline.pipelines import registry

#: How glibc keeps memory. It gives every few threads a heap of their own, and what was freed in one is no use to
#: another; and it learns from the largest block it ever freed how much to keep: now and then some megabytes more.
FRUGAL_MALLOC: Final = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(1 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 20),
}


def require_checkout(*packages: str) -> None:
    """Raises SettingsError if a package is not there: the wheel alone has none of them."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"this needs {', '.join(missing)}: run it from a checkout after `make setup`, or use the image"
        )


def run_once(module: str, *arguments: str, environment: Mapping[str, str], given: str | None = None) -> str:
    """Run a module of the checkout to its end, with `given` as its input. Returns what it printed.

    Raises:
        SettingsError: it failed; the text is what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip()
        is_sentence = said and "\n" not in said
        raise SettingsError(said if is_sentence else f"python -m {module} {' '.join(arguments)} failed:\n{said}")
    return done.stdout


def answer_once(answer: Callable[[], str]) -> int:
    """Be the module that `run_once` runs: print the answer, or the sentence that says why there is none.

    Returns the exit status: 0, or 2 for an error of ours.
    """
    logging.disable(logging.WARNING)  # what is wrong is said once, by the error
    try:
        print(answer())
    except SightlineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def worker_environment(*queues: str) -> dict[str, str]:
    """What a worker of these queues needs beside the environment of all; what is set in this process's stays."""
    stages = (stage for stage in registry().stages.values() if stage.queue in queues)
    ours = {name: value for stage in stages for name, value in stage.environment.items()}
    return {name: value for name, value in ours.items() if name not in os.environ}


def worker_command(name: str, *queues: str, concurrency: int, app: str = "workers.app") -> tuple[str, ...]:
    """A worker of these queues; its threads hold `concurrency` messages at once."""
    options = ("-P", "threads", "-c", str(concurrency), "-Q", ",".join(queues), "-n", f"{name}@%h")
    frugal = ("--without-gossip", "--without-mingle", "--heartbeat-interval", "10")
    return (sys.executable, "-m", "celery", "-q", "-A", app, "worker", *options, *frugal)
