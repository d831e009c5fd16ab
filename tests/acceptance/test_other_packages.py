"""A package adds a pipeline: it is installed, and everything knows it, without a change of ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline import JobStatus, Sightline
from sightline.submission.jobs import NewFrame, make_job
from sightline.testing import make_picture
from sightline.types import Lane
from storage.access.keys import Role, create_key
from tests.acceptance.parts.system import ROOT, System
from tests.installing import forget_packages

PACKAGE = ROOT / "tests/packages/count_letters"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pip makes of the package."""
    folder = tmp_path_factory.mktemp("packages")
    install = ["install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *install, str(PACKAGE)], check=True)
    return folder


@pytest.fixture(autouse=True)
def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Installed for the time of the test, here and in every process that is started."""
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(ROOT)]))
    forget_packages()
    yield
    forget_packages()


def test_its_jobs_go_from_the_client_through_a_worker_into_rows(redis_url: str, tmp_path: Path) -> None:
    system = System(tmp_path, redis_url)
    system.start("count", "write")
    try:
        frame = NewFrame(make_picture("AB12CD"), datetime.now(UTC), "three words here")
        job, pixels = make_job([frame], system.settings, pipeline="count-letters", lane=Lane.BULK, source_id="words")
        with Sightline(system.settings) as client:
            client.publisher.publish(job, pixels)
            result = client.wait(job.job_id, 30)
        assert (result.status, result.pipeline) == (JobStatus.STORED, "count-letters")
        assert [reading.text for reading in result.readings] == ["14"]
        system.wait_until_quiet()
    finally:
        system.stop()
    with system.database() as database:
        key = create_key(database, "test", Role.OPERATOR)
    with TestClient(create_app(system.settings), headers={"X-API-Key": key}) as api:
        assert api.get(f"/v1/jobs/{job.job_id}").json()["result"]["pipeline"] == "count-letters"
        assert "count-letters" in api.get("/openapi.json").text
        assert set(api.get("/v1/queues").json()["depths"]) == {"gpu.detect", "cpu.count", "cpu.ocr", "db.write"}
        refused = api.post("/v1/jobs", json={"urls": ["https://example.org/a.jpg"], "pipeline": "cars"}).json()
        assert "'objects', 'text', 'plates' or 'count-letters'" in refused["detail"]


def test_the_command_line_names_it_and_its_worker_needs_no_image_library() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "sightline", "submit", "--help"],
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "<objects|text|plates|count-letters>" in shown.stdout
    code = (
        "import sys; from workers.app import load_stages; load_stages(['cpu.count'])\n"
        "assert 'count_letters.stage' in sys.modules\n"
        "assert not {'cv2', 'numpy', 'workers.stages.detect', 'workers.stages.write'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
