"""Logging of every process: one line a record on standard error, the same everywhere.

The same warning again and again is one line and a count: an outage must not fill the disk, nor hide what else is said.
"""

from __future__ import annotations

import logging
from typing import Literal

from sightline.logs.folding import FoldingHandler
from sightline.logs.lines import JsonLines
from sightline.logs.work import working_on

__all__ = ["configure_logging", "working_on"]

#: Their INFO is a line or two per message and costs 15 to 25 % of a worker's CPU.
_TALKATIVE = ("celery.worker.strategy", "celery.app.trace", "httpx", "httpcore", "kombu", "amqp", "alembic")
#: Celery says at each reconnect that this setting should be decided. It is: see `sightline/celery/app.py`.
_DECIDED = "worker_cancel_long_running_tasks_on_connection_loss"
_TEXT = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")


def configure_logging(level: str, log_format: Literal["text", "json"] = "text") -> None:
    """Called once, by an entry point."""
    handler = FoldingHandler()
    handler.setFormatter(JsonLines() if log_format == "json" else _TEXT)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("py.warnings").addFilter(_is_news)
    logging.getLogger("celery.app.trace").addFilter(_in_one_line)


def _is_news(record: logging.LogRecord) -> bool:
    return _DECIDED not in record.getMessage()


def _in_one_line(record: logging.LogRecord) -> bool:
    """A message given back is no failure, as a worker that stops gives back what it has not begun: no traceback."""
    if record.exc_info and type(record.exc_info[1]).__name__ == "Reject":
        record.exc_info = None
    return True
