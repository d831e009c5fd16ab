from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from sightline.cli import app
from sightline.cli.jobs import jobs
from sightline.errors import BadMessageError


def test_a_job_that_there_is_not_keeps_no_other_from_being_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    def call(_settings: object, _method: str, path: str, **_: object) -> dict[str, Any]:
        job_id = path.split("/")[2]
        if job_id == "nobodys":
            raise BadMessageError("job: there is no 'nobodys'")
        return {"job_id": job_id, "status": "open"}

    monkeypatch.setattr(jobs, "call_api", call)
    done = CliRunner().invoke(app, ["cancel", "first", "nobodys", "last", "--json"])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        '{"job_id": "first", "ended": "not yet"}',
        '{"job_id": "nobodys", "ended": "job: there is no \'nobodys\'"}',
        '{"job_id": "last", "ended": "not yet"}',
    ]
