"""A pipeline that forks, cuts shards and joins, in worker processes that are killed at any moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from producers.api.accounting.books import get_audit
from sightline import JobStatus, Sightline
from storage.tables import Frames
from tests.acceptance.parts.system import ROOT, System
from tests.installing import forget_packages

PACKAGE = ROOT / "tests/packages/text_report"
JOBS = 30
#: After so many jobs, which worker is killed. Another one of its kind goes on, and it comes back.
VICTIMS = {4: "words1", 10: "letters1", 16: "report1", 22: "words2"}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    folder = tmp_path / "packages"
    install = ["install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *install, str(PACKAGE)], check=True)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    forget_packages()
    yield
    forget_packages()


def text_of(number: int) -> str:
    return "\n".join(f"{'word ' * (line + 1)}x{number}" for line in range(5))


def test_each_job_comes_to_one_right_end_whoever_is_killed(redis_url: str, tmp_path: Path) -> None:
    system = System(tmp_path, redis_url)
    system.start("letters1", "letters2", "words1", "words2", "report1", "report2", "write")
    try:
        with Sightline(system.settings) as client:
            jobs = []
            for number in range(JOBS):
                jobs.append(client.submit(text=text_of(number), pipeline="text-report", lane="bulk"))
                if number in VICTIMS:
                    system.kill(VICTIMS[number])
                    system.workers[VICTIMS[number]].wait(10)
                    system.start(VICTIMS[number])
            results = [client.wait(job.job_id, 90) for job in jobs]
            system.wait_until_quiet()
            assert {result.status for result in results} == {JobStatus.STORED}
            for number, result in enumerate(results):
                (found,) = result.frames
                letters = sum(map(str.isalpha, text_of(number)))
                assert found.found == {"letters": letters, "words": 20, "report": f"20 words, {letters} letters"}
            with system.database() as database:
                with database.read() as connection:
                    assert connection.scalar(sa.select(sa.func.count()).select_from(Frames)) == JOBS
                services: Any = type("Services", (), {"publisher": client.publisher, "database": database})
                assert get_audit(cast("Any", services)).balanced
    finally:
        system.stop()
