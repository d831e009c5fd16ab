"""The audit log: who searched and changed what. Entries are added and, when they are old, forgotten; never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sightline.types import Value
from storage.database.acting import Act, acting, note
from storage.database.engine import Database
from storage.database.paging import Page, between, read_page
from storage.tables import AuditLog


class AuditEntry(Value):
    """One act. `actor`: the name of the key, `local` without one, `os:<user>` for a command on the database."""

    entry_id: str
    at: datetime
    actor: str
    key_id: str | None
    role: str | None
    address: str | None  #: of the peer; behind a proxy with what the proxy says in front
    action: str
    target: str | None
    query: dict[str, Any]
    outcome: str  #: done, refused, failed: <reason>


def record(database: Database, act: Act, outcome: str) -> None:
    """Add an entry in a transaction of its own. Raises StoreUnavailableError: then it is not there."""
    with acting(None), database.write() as connection:
        note(connection, act, outcome)


def list_entries(
    database: Database,
    *,
    actor: str | None = None,
    action: str | None = None,
    target: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[AuditEntry]:
    """Entries, newest first. `actor` is a name or the id of a key."""
    rows = sa.select(AuditLog.__table__)
    if actor is not None:
        rows = rows.where(sa.or_(AuditLog.actor == actor, AuditLog.key_id == actor))
    for column, wanted in ((AuditLog.action, action), (AuditLog.target, target)):
        if wanted is not None:
            rows = rows.where(column == wanted)
    rows = between(rows, AuditLog.at, since, until)
    keys = [AuditLog.at, AuditLog.entry_id]
    return read_page(database, rows, keys, AuditEntry.model_validate, limit=limit, cursor=cursor)
