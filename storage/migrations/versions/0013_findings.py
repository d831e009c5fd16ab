"""Items know their parts, and what was found on items of any medium has a table."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from storage.tables.times import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STRING = sa.String()


def upgrade() -> None:
    op.add_column("frames", sa.Column("parts", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "findings",
        sa.Column("frame_id", _STRING, nullable=False),
        sa.Column("kind", _STRING, nullable=False),
        sa.Column("finding_index", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("captured_at", UtcDateTime(), nullable=False),
        sa.Column("pipeline", _STRING, nullable=False),
        sa.Column("stage", _STRING, nullable=True),
        sa.Column("model", _STRING, nullable=True),
        sa.Column("model_sha256", _STRING, nullable=True),
        sa.Column("runtime", _STRING, nullable=True),
        sa.Column("worker", _STRING, nullable=True),
        sa.Column("queue_wait_ms", sa.Double(), nullable=True),
        sa.Column("inference_ms", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["frame_id"], ["frames.frame_id"], name=op.f("fk_findings_frame_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("frame_id", "kind", "finding_index", name=op.f("pk_findings")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_findings_source_id_captured_at", "findings", ["source_id", "captured_at"])
    op.create_index("ix_findings_captured_at", "findings", ["captured_at"])
    op.create_index("ix_findings_pipeline_kind_captured_at", "findings", ["pipeline", "kind", "captured_at"])


def downgrade() -> None:
    op.drop_table("findings")
    op.drop_column("frames", "parts")
