"""A record as a JSON object, for whatever collects logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

from sightline.logs.work import known_of_work


class JsonLines(logging.Formatter):
    """`time` in UTC, `level`, `logger`, `message`; if known `job`, `frame`, `source`, `trace`; `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= record.__dict__.get("work") or known_of_work()
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
