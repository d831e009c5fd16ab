"""`python -m workers.deliver`: send what waits in the outbox. Exit status: 0 stopped as asked, 2 bad settings."""

from __future__ import annotations

import asyncio
import signal
import sys

from sightline.errors import SettingsError, StoreUnavailableError
from sightline.logs import configure_logging
from sightline.metrics.server import serve_metrics
from sightline.settings import Settings, load_settings, log_settings
from sightline.tracing import Tracer, open_tracer
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.pool import PoolMetrics
from storage.database.revision import check_revision
from workers.deliver.attempts import ATTEMPTS
from workers.deliver.deliverer import Deliverer


def main() -> int:
    try:
        settings = load_settings()
        configure_logging(settings.log_level, settings.log_format)
        log_settings(settings)
        database = open_database(settings.sqlalchemy_url)
        check_revision(database)
        tracer = open_tracer(settings, "deliver")
    except (SettingsError, StoreUnavailableError) as error:
        print(error, file=sys.stderr)
        return 2
    serve_metrics(settings, "deliver", ATTEMPTS, PoolMetrics(database))
    asyncio.run(_run(settings, database, tracer))
    tracer.close()
    database.close()
    return 0


async def _run(settings: Settings, database: Database, tracer: Tracer) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Deliverer(settings, database, tracer).run(stop)


if __name__ == "__main__":
    raise SystemExit(main())
