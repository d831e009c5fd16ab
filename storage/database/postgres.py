"""How PostgreSQL is connected to: straight, through a pooler such as PgBouncer, or to the one of several hosts.

Time zone and time-outs travel with the connection (`options`), and statements are prepared. A pooler that lends a
connection for each transaction takes neither: where `options` did not arrive they are set in each transaction, and
nothing is prepared. Whether they arrived is told by the name that the server reports, which is among them.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 5
_NAME: Final = "sightline"
#: PgBouncer's words, and pgcat's.
_NOT_TAKEN: Final = "startup parameter"
#: After these a connection is of no use: its server only reads now, or is another one than before.
_NEEDS_ANOTHER: Final = frozenset({"25006", "26000", "42P05"})
_POOLED: Final = frozenset({"26000", "42P05"})


def connect_args(address: sa.URL, timeout_s: float) -> dict[str, Any]:
    """What psycopg is given beside the URL. An URL with `options` of its own keeps them, and is taken as it is."""
    arguments: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": round(timeout_s * 1000),  # a server that is gone without a word must not hang the writer
    }
    if "options" in address.query:
        return arguments | {"application_name": _NAME}
    settings = {"application_name": _NAME} | _settings(timeout_s)
    return arguments | {"options": " ".join(f"-c {name}={value}" for name, value in settings.items())}


def attend(engine: sa.Engine, timeout_s: float) -> None:
    """Have the engine notice a pooler, and leave servers that only read."""
    way = _Way(timeout_s)
    event.listen(engine, "do_connect", way.connect)
    event.listen(engine, "begin", way.begin)
    event.listen(engine, "handle_error", way.look_at)


def _settings(timeout_s: float) -> dict[str, object]:
    timeout_ms = round(timeout_s * 1000)
    return {"timezone": "UTC", "statement_timeout": timeout_ms, "lock_timeout": timeout_ms}


class _Way:
    def __init__(self, timeout_s: float) -> None:
        self._is_pooled = False
        self._set_local = "; ".join(f"SET LOCAL {name} = '{value}'" for name, value in _settings(timeout_s).items())

    def connect(self, dialect: sa.Dialect, _record: object, arguments: list[Any], named: dict[str, Any]) -> Any:
        if not self._is_pooled:
            try:
                connection: Any = dialect.connect(*arguments, **named)
            except dialect.loaded_dbapi.OperationalError as error:
                if _NOT_TAKEN not in str(error):
                    raise
            else:
                if "application_name" in named or connection.info.parameter_status("application_name") == _NAME:
                    return connection
                connection.close()
            self._is_pooled = True
            log.info("there is a pooler in front of the database: nothing is prepared")
        without = {name: value for name, value in named.items() if name != "options"}
        return dialect.connect(*arguments, **without, prepare_threshold=None)

    def begin(self, connection: sa.Connection) -> None:
        if self._is_pooled:
            connection.exec_driver_sql(self._set_local)

    def look_at(self, context: Any) -> None:
        sqlstate = getattr(context.original_exception, "sqlstate", None)
        if sqlstate in _NEEDS_ANOTHER:
            context.is_disconnect = True
        if sqlstate in _POOLED:
            self._is_pooled = True
