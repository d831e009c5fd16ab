"""Why a database says no, and what to do about it.

A database is asked by SQLSTATE (PostgreSQL) or result code (SQLite). What is about a value is proven to be the fault
of the message that has it; what is about a statement is a bug of ours; everything else is about the database, and is
waited for, whether we know it or not: a message is never dead for what it did not do.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

from sqlalchemy import exc

#: What people are told of each cause. Said in `/readyz` too, which is open to all: no names, no addresses.
CURES: Final[dict[str, str]] = {
    "unreachable": "it does not answer: is it up, and is SIGHTLINE_DATABASE_URL right?",
    "starting": "it starts, stops or recovers; it is waited for",
    "read_only": "it only reads now: it is a standby, or default_transaction_read_only is on; for "
    "a failover name all hosts in the URL, with target_session_attrs=read-write",
    "session_ended": "it ended the session, as an administrator, a time-out or a crash has it; another is opened",
    "too_many_clients": "it takes no more connections: raise max_connections or the limit of the role, or put "
    "PgBouncer in front of it",
    "disk_full": "its disk is full: make room",
    "exhausted": "it is out of memory or of another resource",
    "conflict": "another transaction was in the way; it is repeated",
    "busy": "it is locked or overloaded: a statement or a lock took too long",
    "not_permitted": "this user is not let in or may not do this: check user, password and database in "
    "SIGHTLINE_DATABASE_URL, and GRANT what is missing",
    "other_tables": "tables, columns or the schema are missing: run `python -m storage upgrade`",
    "pooler": "the session is another one than before: there is a pooler in between",
    "damaged": "it is damaged: stop what writes to it, keep a copy, and restore a backup",
    "broken": "it failed inside; its own log says more",
    "pool": "all connections of this process are in use",
}

_CURE_OF_A_FILE: Final = (
    "its file cannot be written: it, its folder and the disk must be writable for the user that runs this"
)


def cure_of(cause: str, backend: str) -> str:
    """What helps; a database that is a file only reads for other reasons than a server does."""
    return _CURE_OF_A_FILE if (cause, backend) == ("read_only", "sqlite") else CURES[cause]


#: Time alone does not mend these: at its start a process refuses to begin.
LASTING: Final = frozenset({"not_permitted", "other_tables", "damaged"})

_BY_SQLSTATE: Final[dict[str, str]] = {
    "25006": "read_only",
    "25": "session_ended",
    "08": "unreachable",
    "08P01": "pooler",
    "26": "pooler",
    "42P05": "pooler",
    "28": "not_permitted",
    "42501": "not_permitted",
    "3D": "other_tables",
    "3F": "other_tables",
    "42P01": "other_tables",
    "42703": "other_tables",
    "40": "conflict",
    "55": "busy",
    "55006": "starting",
    "57014": "busy",
    "53": "exhausted",
    "53100": "disk_full",
    "53300": "too_many_clients",
    "57": "session_ended",
    "57P03": "starting",
    "XX001": "damaged",
    "XX002": "damaged",
    "21": "value",
    "22": "value",
    "23": "value",
    "54": "value",
    "42": "bug",
    "07": "bug",
}
#: Who is not let in is told without an SQLSTATE.
_BY_TEXT: Final = (
    (re.compile(r"too many (clients|connections)|connection slots are reserved"), "too_many_clients"),
    (re.compile(r"starting up|shutting down|in recovery|not accepting|not yet accepting"), "starting"),
    (re.compile(r"read-only|hot standby"), "read_only"),
    (re.compile(r"password|authentication|pg_hba|role \".*\" (does not exist|is not permitted)"), "not_permitted"),
    (re.compile(r"database \".*\" does not exist|no such database|permission denied"), "not_permitted"),
)
_BY_RESULT_CODE: Final[dict[int, str]] = {
    sqlite3.SQLITE_PERM: "not_permitted",
    sqlite3.SQLITE_AUTH: "not_permitted",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_PROTOCOL: "busy",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_CANTOPEN: "unreachable",
    sqlite3.SQLITE_SCHEMA: "conflict",
    sqlite3.SQLITE_CONSTRAINT: "value",
    sqlite3.SQLITE_MISMATCH: "value",
    sqlite3.SQLITE_TOOBIG: "value",
    sqlite3.SQLITE_RANGE: "bug",
    sqlite3.SQLITE_MISUSE: "bug",
}
_NO_SUCH: Final = re.compile(r"no such (table|column)|has no column named")


def meaning_of(error: exc.DBAPIError | sqlite3.Error) -> str:
    """One of `CURES`, or `value` (a value is refused), or `bug` (a statement is wrong)."""
    said = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(said, sqlite3.Error):
        return _of_sqlite(said)
    sqlstate: Any = getattr(said, "sqlstate", None)
    if sqlstate:
        return _BY_SQLSTATE.get(sqlstate) or _BY_SQLSTATE.get(sqlstate[:2], "broken")
    if isinstance(error, exc.DataError):  # psycopg's own objection, before anything is sent
        return "value"
    if isinstance(error, exc.ProgrammingError | exc.NotSupportedError):
        return "bug"
    return next((cause for pattern, cause in _BY_TEXT if pattern.search(str(said))), "unreachable")


def _of_sqlite(error: sqlite3.Error) -> str:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:  # Python's own objection, not SQLite's
        return "value" if isinstance(error, sqlite3.DataError | sqlite3.IntegrityError) else "bug"
    if code & 0xFF == sqlite3.SQLITE_ERROR:
        return "other_tables" if _NO_SUCH.search(str(error)) else "bug"
    return _BY_RESULT_CODE.get(code & 0xFF, "broken")
