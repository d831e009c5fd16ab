"""A database with a store, and the deliver role on it: in this process, or in one of its own that can be killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sightline.settings import Settings, load_settings
from storage.database.engine import Database
from storage.sinks.outbox import Outbox
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store
from workers.deliver.deliverer import Deliverer

ROOT = Path(__file__).parents[3]
#: Leases end soon, so that a test need not wait for them.
PROGRAM = """
import sys
from workers.deliver import runner
runner.BATCH_S, runner.MARGIN_S = 0.5, 0.2
from workers.deliver.__main__ import main
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Everything goes fast."""
    return load_settings(
        data_dir=tmp_path,
        delivery_timeout_s=0.5,
        delivery_retry_s=0.02,
        delivery_max_retry_s=0.2,
        delivery_max_attempts=40,
        public_url="https://sightline.example/",
    )


@pytest.fixture
def see(database: Database) -> Callable[..., None]:
    """Store one frame with this plate."""
    store = open_store(database, 10.0, Outbox(sinks_every_s=0))

    def see(text: str, at_s: float = 0, source: str = "gate") -> None:
        store.store([message(frame_result([text], at_s=at_s, source=source))], ())

    return see


@contextmanager
def delivering(settings: Settings, database: Database) -> Iterator[None]:
    """The deliver role in a thread of this process."""
    started = threading.Event()
    control: dict[str, Any] = {}

    async def run() -> None:
        control["stop"], control["loop"] = asyncio.Event(), asyncio.get_running_loop()
        started.set()
        await Deliverer(settings, database).run(control["stop"])

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    started.wait()
    try:
        yield
    finally:
        control["loop"].call_soon_threadsafe(control["stop"].set)
        thread.join(10)
        assert not thread.is_alive()


def start_process(settings: Settings) -> subprocess.Popen[bytes]:
    """The deliver role as a process."""
    names = ("delivery_timeout_s", "delivery_retry_s", "delivery_max_retry_s", "delivery_max_attempts")
    ours = {f"SIGHTLINE_{name.upper()}": str(getattr(settings, name)) for name in names}
    environment = os.environ | ours | {"SIGHTLINE_DATA_DIR": str(settings.data_dir)}
    with (settings.data_dir / "deliver.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, stdout=log, stderr=log)


def wait_for(condition: Callable[[], Any], timeout_s: float = 15) -> Any:
    until = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found
