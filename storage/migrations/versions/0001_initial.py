"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_STRING = sa.String()
_INTEGER = sa.BigInteger()
_DOUBLE: sa.Double[float] = sa.Double()
_TIME = sa.DateTime(timezone=True)
_JSON = sa.JSON(none_as_null=True)


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", _STRING, nullable=False),
        sa.Column("name", _STRING, nullable=False),
        sa.Column("role", _STRING, nullable=False),
        sa.Column("secret_sha256", _STRING, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("revoked_at", _TIME, nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("frame_id", _STRING, nullable=False),
        sa.Column("job_id", _STRING, nullable=False),
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("captured_at", _TIME, nullable=False),
        sa.Column("pipeline", _STRING, nullable=False),
        sa.Column("lane", _STRING, nullable=False),
        sa.Column("stage", _STRING, nullable=False),
        sa.Column("reason", _STRING, nullable=False),
        sa.Column("message", _STRING, nullable=False),
        sa.Column("attempt", _INTEGER, nullable=False),
        sa.Column("times", _INTEGER, nullable=False),
        sa.Column("died_at", _TIME, nullable=False),
        sa.Column("result", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("frame_id", "job_id", name=op.f("pk_dead_letters")),
    )
    op.create_index(op.f("ix_dead_letters_died_at"), "dead_letters", ["died_at"])
    op.create_index(op.f("ix_dead_letters_source_id_died_at"), "dead_letters", ["source_id", "died_at"])

    op.create_table(
        "deliveries",
        sa.Column("delivery_id", _STRING, nullable=False),
        sa.Column("sink", _STRING, nullable=False),
        sa.Column("topic", _STRING, nullable=False),
        sa.Column("payload", _JSON, nullable=False),
        sa.Column("attempts", _INTEGER, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("next_attempt_at", _TIME, nullable=True),
        sa.Column("sent_at", _TIME, nullable=True),
        sa.Column("last_error", _STRING, nullable=True),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_next_attempt_at"), "deliveries", ["next_attempt_at"])

    op.create_table(
        "jobs",
        sa.Column("job_id", _STRING, nullable=False),
        sa.Column("pipeline", _STRING, nullable=False),
        sa.Column("lane", _STRING, nullable=False),
        sa.Column("status", _STRING, nullable=False),
        sa.Column("attempt", _INTEGER, nullable=False),
        sa.Column("frame_count", _INTEGER, nullable=False),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("finished_at", _TIME, nullable=False),
        sa.Column("outcomes", _JSON, nullable=False),
        sa.Column("dropped", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
    )
    op.create_index(op.f("ix_jobs_finished_at"), "jobs", ["finished_at"])
    op.create_index(op.f("ix_jobs_status_finished_at"), "jobs", ["status", "finished_at"])

    op.create_table(
        "sources",
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("url", _STRING, nullable=True),
        sa.Column("pipeline", _STRING, nullable=True),
        sa.Column("fps", _DOUBLE, nullable=True),
        sa.Column("preset", _STRING, nullable=True),
        sa.Column("motion", sa.Boolean(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=True),
        sa.Column("loop", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_sources")),
    )
    op.create_table(
        "frames",
        sa.Column("frame_id", _STRING, nullable=False),
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("job_id", _STRING, nullable=False),
        sa.Column("captured_at", _TIME, nullable=False),
        sa.Column("seq", _INTEGER, nullable=False),
        sa.Column("name", _STRING, nullable=False),
        sa.Column("width", _INTEGER, nullable=False),
        sa.Column("height", _INTEGER, nullable=False),
        sa.Column("stages", _JSON, nullable=False),
        sa.Column("picture_kept", sa.Boolean(), nullable=False),
        sa.Column("published_at", _TIME, nullable=False),
        sa.Column("stored_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_frames_job_id")),
        sa.ForeignKeyConstraint(["source_id"], ["sources.source_id"], name=op.f("fk_frames_source_id")),
        sa.PrimaryKeyConstraint("frame_id", name=op.f("pk_frames")),
    )
    op.create_index(op.f("ix_frames_captured_at"), "frames", ["captured_at"])
    op.create_index(op.f("ix_frames_job_id"), "frames", ["job_id"])
    op.create_index(
        "ix_frames_kept",
        "frames",
        ["source_id", "captured_at"],
        sqlite_where=sa.text("picture_kept"),
        postgresql_where=sa.text("picture_kept"),
    )
    op.create_index(op.f("ix_frames_source_id_captured_at"), "frames", ["source_id", "captured_at"])

    op.create_table(
        "passages",
        sa.Column("passage_id", _STRING, nullable=False),
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("text", _STRING, nullable=False),
        sa.Column("confidence", _DOUBLE, nullable=False),
        sa.Column("first_seen", _TIME, nullable=False),
        sa.Column("last_seen", _TIME, nullable=False),
        sa.Column("reading_count", _INTEGER, nullable=False),
        sa.Column("best_confidence", _DOUBLE, nullable=False),
        sa.Column("best_seen", _TIME, nullable=False),
        sa.Column("best_frame_id", _STRING, nullable=False),
        sa.Column("best_reading_index", _INTEGER, nullable=False),
        sa.Column("best_xyxy", _JSON, nullable=True),
        sa.Column("votes", _JSON, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.source_id"], name=op.f("fk_passages_source_id")),
        sa.PrimaryKeyConstraint("passage_id", name=op.f("pk_passages")),
    )
    op.create_index(op.f("ix_passages_first_seen"), "passages", ["first_seen"])
    op.create_index(op.f("ix_passages_source_id_first_seen"), "passages", ["source_id", "first_seen"])
    op.create_index(
        op.f("ix_passages_text_first_seen"),
        "passages",
        ["text", "first_seen"],
        postgresql_ops={"text": "text_pattern_ops"},
    )

    op.create_table(
        "detections",
        sa.Column("frame_id", _STRING, nullable=False),
        sa.Column("detection_index", _INTEGER, nullable=False),
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("captured_at", _TIME, nullable=False),
        sa.Column("label", _STRING, nullable=False),
        sa.Column("class_id", _INTEGER, nullable=False),
        sa.Column("confidence", _DOUBLE, nullable=False),
        sa.Column("x1", _DOUBLE, nullable=False),
        sa.Column("y1", _DOUBLE, nullable=False),
        sa.Column("x2", _DOUBLE, nullable=False),
        sa.Column("y2", _DOUBLE, nullable=False),
        sa.Column("corners", _JSON, nullable=True),
        sa.Column("track_id", _INTEGER, nullable=True),
        sa.Column("model", _STRING, nullable=True),
        sa.Column("model_sha256", _STRING, nullable=True),
        sa.Column("runtime", _STRING, nullable=True),
        sa.Column("worker", _STRING, nullable=True),
        sa.Column("queue_wait_ms", _DOUBLE, nullable=True),
        sa.Column("inference_ms", _DOUBLE, nullable=True),
        sa.ForeignKeyConstraint(
            ["frame_id"], ["frames.frame_id"], name=op.f("fk_detections_frame_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("frame_id", "detection_index", name=op.f("pk_detections")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_detections_captured_at"), "detections", ["captured_at"])
    op.create_index(op.f("ix_detections_label_captured_at"), "detections", ["label", "captured_at"])
    op.create_index(op.f("ix_detections_source_id_captured_at"), "detections", ["source_id", "captured_at"])

    op.create_table(
        "readings",
        sa.Column("frame_id", _STRING, nullable=False),
        sa.Column("reading_index", _INTEGER, nullable=False),
        sa.Column("source_id", _STRING, nullable=False),
        sa.Column("captured_at", _TIME, nullable=False),
        sa.Column("text", _STRING, nullable=False),
        sa.Column("normalized", _STRING, nullable=False),
        sa.Column("confidence", _DOUBLE, nullable=False),
        sa.Column("char_confidences", _JSON, nullable=False),
        sa.Column("detection_index", _INTEGER, nullable=True),
        sa.Column("passage_id", _STRING, nullable=True),
        sa.Column("model", _STRING, nullable=True),
        sa.Column("model_sha256", _STRING, nullable=True),
        sa.Column("runtime", _STRING, nullable=True),
        sa.Column("worker", _STRING, nullable=True),
        sa.Column("queue_wait_ms", _DOUBLE, nullable=True),
        sa.Column("inference_ms", _DOUBLE, nullable=True),
        sa.ForeignKeyConstraint(
            ["frame_id"], ["frames.frame_id"], name=op.f("fk_readings_frame_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["passage_id"], ["passages.passage_id"], name=op.f("fk_readings_passage_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("frame_id", "reading_index", name=op.f("pk_readings")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_readings_captured_at"), "readings", ["captured_at"])
    op.create_index(
        op.f("ix_readings_normalized_captured_at"),
        "readings",
        ["normalized", "captured_at"],
        postgresql_ops={"normalized": "text_pattern_ops"},
    )
    op.create_index(op.f("ix_readings_passage_id"), "readings", ["passage_id"])
    op.create_index(op.f("ix_readings_source_id_captured_at"), "readings", ["source_id", "captured_at"])


def downgrade() -> None:
    for table in (
        "readings",
        "detections",
        "passages",
        "frames",
        "sources",
        "jobs",
        "deliveries",
        "dead_letters",
        "api_keys",
    ):
        op.drop_table(table)
