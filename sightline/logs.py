"""Logging of every process: one line a record on standard error, the same everywhere."""

from __future__ import annotations

import logging

#: Their INFO is a line or two per message and costs 15 to 25 % of a worker's CPU.
_TALKATIVE = ("celery.worker.strategy", "celery.app.trace", "httpx", "httpcore", "kombu", "amqp", "alembic")
#: Celery says at each reconnect that this setting should be decided. It is: see `sightline/celery/app.py`.
_DECIDED = "worker_cancel_long_running_tasks_on_connection_loss"


def configure_logging(level: str) -> None:
    """Called once, by an entry point."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("py.warnings").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return _DECIDED not in record.getMessage()
