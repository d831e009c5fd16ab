"""`python -m producers.camera`: the camera process.

Exit status: 0 stopped as asked, 1 a bug ended it, 2 bad settings.
"""

from __future__ import annotations

import functools
import logging
import os
import queue
import signal
import sys
import threading

from producers.camera.metrics import CameraMetrics
from producers.camera.process import CameraProcess
from sightline.delivery.publisher import Publisher
from sightline.errors import SettingsError
from sightline.logs import configure_logging
from sightline.metrics.server import serve_metrics
from sightline.redis.connection import connect
from sightline.settings import load_settings, log_settings
from storage.accounting.agreement import same_installation
from storage.cameras import list_cameras
from storage.database.opening import open_database
from storage.database.pool import PoolMetrics


def main() -> int:
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        log_settings(settings)
        database = open_database(settings.sqlalchemy_url)
        publisher = Publisher.from_settings(settings)
        publisher.only_if(same_installation(database, publisher.ledger.agreement).require)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    stop = _stop_on_signal()
    process = CameraProcess(settings, publisher, connect(settings.redis_url), functools.partial(list_cameras, database))
    serve_metrics(settings, "camera", CameraMetrics(process.fleet.statuses), PoolMetrics(database))
    outcome = process.run(stop)
    if outcome != "stopped":
        # A thread that is blocked inside FFmpeg or a socket must not be torn down with the interpreter: leave at once.
        logging.shutdown()
        os._exit(1 if outcome == "crashed" else 0)
    publisher.close()
    database.close()
    return 0


def _stop_on_signal() -> threading.Event:
    """An event that SIGTERM and SIGINT set. A handler must not do so itself: it may hold the lock."""
    stop = threading.Event()
    asked: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: asked.put(number))
    threading.Thread(target=lambda: (asked.get(), stop.set()), name="signals", daemon=True).start()
    return stop


if __name__ == "__main__":
    raise SystemExit(main())
