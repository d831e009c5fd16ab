"""Changes of tables beside writes, for migrations with `ONLINE = True`: on PostgreSQL these are no transaction. So an
index is made while others write, and of several tables one is held at a time: two would be a deadlock with who writes
to both. They may be repeated after a crash. Elsewhere they are what they always were.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op


def add_column(table: str, column: sa.Column[Any]) -> None:
    op.add_column(table, column, if_not_exists=_is_online() or None)


def create_index(name: str, table: str, columns: Sequence[str], where: sa.TextClause | None = None) -> None:
    """Waits until all who use the table now are done with it; keeps nobody from it meanwhile."""
    wheres: dict[str, Any] = {"sqlite_where": where, "postgresql_where": where}
    if not _is_online():
        op.create_index(name, table, columns, **wheres)
        return
    op.execute("SET lock_timeout = 0")
    op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)  # of a try that broke off
    op.create_index(name, table, columns, postgresql_concurrently=True, **wheres)


def _is_online() -> bool:
    return op.get_bind().get_execution_options().get("isolation_level") == "AUTOCOMMIT"
