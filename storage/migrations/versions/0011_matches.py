"""Passages say what showed the known plate that they match: the vote, or one reading."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_COLUMNS = ("list_text", "list_by")
_PASSAGES = sa.table("passages", *(sa.column(name) for name in ("text", "list_name", *_COLUMNS)))


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column("passages", sa.Column(name, sa.String(), nullable=True))
    # Until now only votes matched.
    matched = sa.update(_PASSAGES).where(_PASSAGES.c.list_name.is_not(None))
    op.execute(matched.values(list_text=_PASSAGES.c.text, list_by="vote"))


def downgrade() -> None:
    for name in reversed(_COLUMNS):
        op.drop_column("passages", name)
