"""Dead letters get a name, and know of their picture, their replay and their end."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STRING = sa.String()
_TIME = sa.DateTime(timezone=True)
_ADDED = {
    "letter_id": _STRING,
    "picture_kept": sa.Boolean(),
    "replay_job_id": _STRING,
    "replayed_at": _TIME,
    "discarded_at": _TIME,
}


def upgrade() -> None:
    for name, kind in _ADDED.items():
        op.add_column("dead_letters", sa.Column(name, kind, nullable=True))
    _fill()
    with op.batch_alter_table("dead_letters") as table:
        table.alter_column("letter_id", existing_type=_STRING, nullable=False)
        table.alter_column("picture_kept", existing_type=sa.Boolean(), nullable=False)
    op.create_index(op.f("ix_dead_letters_letter_id"), "dead_letters", ["letter_id"], unique=True)
    op.create_index(op.f("ix_dead_letters_replay_job_id"), "dead_letters", ["replay_job_id"])


def downgrade() -> None:
    op.drop_index(op.f("ix_dead_letters_replay_job_id"), "dead_letters")
    op.drop_index(op.f("ix_dead_letters_letter_id"), "dead_letters")
    with op.batch_alter_table("dead_letters") as table:
        for name in _ADDED:
            table.drop_column(name)


def _fill() -> None:
    """Letters from before kept no picture; their name follows from their key."""
    letters = sa.table(
        "dead_letters", *(sa.column(name) for name in ("frame_id", "job_id", "letter_id", "picture_kept"))
    )
    connection = op.get_bind()
    connection.execute(sa.update(letters).values(picture_kept=sa.false()))
    named = [
        {"of_frame": frame_id, "of_job": job_id, "name": _letter_id(job_id, frame_id)}
        for frame_id, job_id in connection.execute(sa.select(letters.c.frame_id, letters.c.job_id))
    ]
    if named:
        same = (letters.c.frame_id == sa.bindparam("of_frame"), letters.c.job_id == sa.bindparam("of_job"))
        connection.execute(sa.update(letters).where(*same).values(letter_id=sa.bindparam("name")), named)


def _letter_id(*parts: str) -> str:
    """As `storage.jobs.rows.letter_id`, whatever becomes of that."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]
