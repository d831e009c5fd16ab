"""How a job stands, where it may change between two looks."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from producers.api.routes import jobs
from sightline.types import JobResult, JobStatus, Pipeline

JOB_ID = "job-0001-0001"
STORED = JobResult(
    job_id=JOB_ID, pipeline=Pipeline.PLATES, status=JobStatus.STORED, frames=(), finished_at=datetime.now(UTC)
)


@pytest.mark.parametrize("looks", [[STORED], [None, STORED], [None, None]])
async def test_a_job_that_ends_between_two_looks_is_found(
    monkeypatch: pytest.MonkeyPatch, looks: list[JobResult | None]
) -> None:
    """Redis lost it, so the ledger and the board know nothing; it was published again and is just being stored."""

    async def nothing(*_: object) -> None: ...

    services: Any = SimpleNamespace(
        board=SimpleNamespace(wait=nothing),
        publisher=SimpleNamespace(ledger=SimpleNamespace(open_job=lambda _: None)),
        accepted=SimpleNamespace(is_open=lambda _: False),
        database=None,
    )
    rows = iter(looks)
    monkeypatch.setattr(jobs.queries, "get_job", lambda *_: next(rows))
    answer = await jobs.look(services, JOB_ID, 0)
    assert (answer and answer.status) == (JobStatus.STORED if STORED in looks else None)
