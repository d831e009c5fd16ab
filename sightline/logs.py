"""Logging of every process: one line a record on standard error, the same everywhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sightline.redaction import redact_text

if TYPE_CHECKING:
    from sightline.settings import Settings

log = logging.getLogger(__name__)

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


def log_settings(settings: Settings) -> None:
    """Say what a process was told beside `run.env`, once, at its start: settings are not read again. Hides secrets."""
    run_env = settings.data_dir / "run.env"
    known = run_env.read_text("utf-8") if run_env.is_file() else ""
    names = [name for name in sorted(settings.model_fields_set) if f"SIGHTLINE_{name.upper()}=" not in known]
    given = {name: str(getattr(settings, name)) for name in names}
    shown = ", ".join(f"SIGHTLINE_{name.upper()}={redact_text(value, value)}" for name, value in given.items())
    log.info("settings, read once (restart to change them): %s; all others have their defaults", shown or "none given")


def _is_news(record: logging.LogRecord) -> bool:
    return _DECIDED not in record.getMessage()
