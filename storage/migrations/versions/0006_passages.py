"""Passages know their way, direction, contest and list; where vehicles stood; the index of the search; known plates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STRING = sa.String()
_BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_INTEGER = sa.BigInteger()
_DOUBLE: sa.Double[float] = sa.Double()
_TIME = sa.DateTime(timezone=True)
_PASSAGES = {
    "best_score": _INTEGER,
    "path": sa.JSON(none_as_null=True),
    "direction": _STRING,
    "folded": _STRING,
    "contest": _STRING,
    "list_name": _STRING,
    "list_plate": _STRING,
    "list_distance": _DOUBLE,
}
_READINGS = {"sharpness": _DOUBLE, "spot": _INTEGER}
#: With a default a column can be added in place: copying the table would take their passages from the readings.
_REQUIRED = {"best_score": "0", "direction": "unknown", "folded": sa.text("''")}
_AT_ONCE = 2000


def upgrade() -> None:
    op.create_table(
        "stands",
        sa.Column("passage_id", _STRING, nullable=False),
        sa.Column("folded", _STRING, nullable=False),
        sa.Column("spot", _INTEGER, nullable=False),
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("first_seen", _TIME, nullable=False),
        sa.Column("last_seen", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("passage_id", "folded", "spot", name=op.f("pk_stands")),
        sa.ForeignKeyConstraint(
            ["passage_id"], ["passages.passage_id"], name=op.f("fk_stands_passage_id"), ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_stands_source_id_last_seen"), "stands", ["source_id", "last_seen"])
    op.create_table(
        "plate_rotations",
        sa.Column("rotation", _BYTEWISE, nullable=False),
        sa.Column("folded", _STRING, nullable=False),
        sa.PrimaryKeyConstraint("rotation", name=op.f("pk_plate_rotations")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "known_plates",
        sa.Column("list_name", _STRING, nullable=False),
        sa.Column("plate", _STRING, nullable=False),
        sa.Column("tolerance", _DOUBLE, nullable=False),
        sa.Column("note", _STRING, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("list_name", "plate", name=op.f("pk_known_plates")),
    )
    for table, added in (("passages", _PASSAGES), ("readings", _READINGS)):
        for name, kind in added.items():
            default = _REQUIRED.get(name)
            op.add_column(table, sa.Column(name, kind, nullable=default is None, server_default=default))
    _fill()
    op.create_index(op.f("ix_passages_folded_first_seen"), "passages", ["folded", "first_seen"])
    _partial_index("ix_passages_contest", ["contest"], "contest IS NOT NULL")
    _partial_index("ix_passages_listed", ["list_name", "first_seen"], "list_name IS NOT NULL")


def downgrade() -> None:
    op.drop_index("ix_passages_listed", "passages")
    op.drop_index("ix_passages_contest", "passages")
    op.drop_index(op.f("ix_passages_folded_first_seen"), "passages")
    for name in _READINGS:
        op.drop_column("readings", name)
    for name in _PASSAGES:
        op.drop_column("passages", name)
    op.drop_table("known_plates")
    op.drop_table("plate_rotations")
    op.drop_table("stands")


def _fill() -> None:
    """Passages from before can be found by the new search; their way is not known any more."""
    passages = sa.table("passages", *(sa.column(name) for name in ("passage_id", "text", "folded", "best_confidence")))
    rotations = sa.table("plate_rotations", sa.column("rotation"), sa.column("folded"))
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "UPDATE passages SET best_score = CAST(ROUND(best_confidence * 1000) AS BIGINT), direction = 'unknown',"
            " folded = translate(text, 'OIBSZG', '018526')"
            if connection.dialect.name == "postgresql"
            else "UPDATE passages SET best_score = CAST(ROUND(best_confidence * 1000) AS INTEGER),"
            " direction = 'unknown', folded = replace(replace(replace(replace(replace(replace("
            "text, 'O', '0'), 'I', '1'), 'B', '8'), 'S', '5'), 'Z', '2'), 'G', '6')"
        )
    )
    last = ""
    while True:
        texts = sa.select(passages.c.folded).distinct().where(passages.c.folded > last)
        found = list(connection.scalars(texts.order_by(passages.c.folded).limit(_AT_ONCE)))
        if not found:
            return
        last = found[-1]
        new = [{"rotation": rotation, "folded": folded} for folded in found for rotation in _rotations(folded)]
        connection.execute(sa.insert(rotations), new)


def _rotations(folded: str) -> list[str]:
    """As `storage.passages.search.rotations`, whatever becomes of that."""
    ring = f"{folded}|"
    return [ring[start:] + ring[:start] for start in range(len(ring))]


def _partial_index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "passages", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
