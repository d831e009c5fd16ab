"""Who is doing what right now: noted in the audit log by the very transaction that does it.

Whoever acts for a person says so with `acting`; `Database.write` then adds the entry to its first transaction. So a
change and its entry are committed together or not at all, whichever function makes the change.
"""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa

from sightline.ids import new_id
from storage.tables import AuditLog

DONE: Final = "done"
REFUSED: Final = "refused"
FAILED: Final = "failed: "  #: followed by the reason


@dataclass(slots=True)
class Act:
    """One thing somebody does. `actor` names a key, or who acts without one; never the key itself."""

    actor: str
    action: str  #: name of the endpoint or command
    key_id: str | None = None
    role: str | None = None
    address: str | None = None
    target: str | None = None  #: what it is done to
    query: Mapping[str, Any] = field(default_factory=dict[str, Any])  #: what was asked for, without secrets
    noted: bool = False  #: an entry says that it was done


_current: ContextVar[Act | None] = ContextVar("sightline_act", default=None)


@contextmanager
def acting(act: Act | None) -> Iterator[None]:
    """What is written inside is done by this act."""
    token = _current.set(act)
    try:
        yield
    finally:
        _current.reset(token)


def tell(**details: Any) -> None:
    """Add what only becomes known while it is done, such as the id of a new key."""
    act = _current.get()
    if act is not None:
        act.query = dict(act.query) | details


def note_current(connection: sa.Connection) -> Act | None:
    """Add the entry of the current act, unless an earlier transaction has. Returns the act that is noted now."""
    act = _current.get()
    if act is None or act.noted:
        return None
    note(connection, act, DONE)
    return act


def note(connection: sa.Connection, act: Act, outcome: str) -> None:
    row = {
        "entry_id": new_id(),
        "at": datetime.now(UTC),
        "actor": act.actor,
        "key_id": act.key_id,
        "role": act.role,
        "address": act.address,
        "action": act.action,
        "target": act.target,
        "query": dict(act.query),
        "outcome": outcome,
    }
    connection.execute(sa.insert(AuditLog), [row])


def act_of_this_user(action: str, target: str | None = None, **query: Any) -> Act:
    """An act on the database itself, by a command: known is the user of the operating system."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return Act(actor=f"os:{user}", action=action, address=socket.gethostname(), target=target, query=query)
