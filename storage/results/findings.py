"""Questions about findings: what pipelines found that have no table of their own."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from storage.database.engine import Database
from storage.database.paging import Page, between, read_page
from storage.results.views import FindingView
from storage.tables import Findings, Frames


def list_findings(
    database: Database,
    *,
    pipeline: str | None = None,
    kind: str | None = None,
    job_id: str | None = None,
    limit: int = 100,
    cursor: str | None = None,
    source: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[FindingView]:
    """Findings by time of capture: of one pipeline, field (`kind`) or job, or all. The rest as in `queries`.

    Raises:
        BadMessageError: an argument is out of range; names it in `field`.
    """
    rows = sa.select(Findings.__table__, Frames.job_id).join(Frames, Frames.frame_id == Findings.frame_id)
    equal = {Findings.pipeline: pipeline, Findings.kind: kind, Frames.job_id: job_id, Findings.source_id: source}
    rows = rows.where(*(column == value for column, value in equal.items() if value is not None))
    rows = between(rows, Findings.captured_at, since, until)
    keys = [Findings.captured_at, Findings.frame_id, Findings.kind, Findings.finding_index]
    return read_page(database, rows, keys, FindingView.model_validate, limit=limit, cursor=cursor)
