"""Votes of a passage are kept by text, no longer by length and position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_AT_ONCE = 2000
_PASSAGES = sa.table("passages", sa.column("passage_id", sa.String()), sa.column("votes", sa.JSON(none_as_null=True)))


def upgrade() -> None:
    _rewrite(_by_text)


def downgrade() -> None:
    _rewrite(_by_length)


def _rewrite(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    connection, last = op.get_bind(), ""
    key, votes = _PASSAGES.c.passage_id, _PASSAGES.c.votes
    update = sa.update(_PASSAGES).where(key == sa.bindparam("key")).values(votes=sa.bindparam("changed"))
    while rows := connection.execute(sa.select(key, votes).where(key > last).order_by(key).limit(_AT_ONCE)).all():
        connection.execute(update, [{"key": each, "changed": change(before)} for each, before in rows])
        last = rows[-1][0]


def _by_text(votes: dict[str, Any]) -> dict[str, Any]:
    """What readings of one length said together is all that is known of them: it stands for each of them."""
    found: dict[str, Any] = {}
    for length in sorted(votes):
        best = [max(sorted(chars.items()), key=lambda item: item[1]) for chars in votes[length]["chars"]]
        text = "".join(char for char, _ in best)
        found[text] = {"count": votes[length]["count"], "weights": [weight for _, weight in best]}
    return found


def _by_length(votes: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in sorted(votes):
        its = votes[text]
        mine = found.setdefault(str(len(text)), {"count": 0, "weight": 0, "chars": [{} for _ in text]})
        mine["count"] += its["count"]
        mine["weight"] += sum(its["weights"]) // len(text)
        for chars, char, weight in zip(mine["chars"], text, its["weights"], strict=True):
            chars[char] = chars.get(char, 0) + weight
    return found
