"""A package adds a pipeline: it is installed, and everything knows it, without a change of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline import JobStatus, Sightline
from sightline.ids import new_id
from sightline.testing import make_picture
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


LONG = "ä b" * 20_000  # more than goes into a message


def test_texts_go_through_every_door_and_a_worker_into_rows(redis_url: str, tmp_path: Path) -> None:
    system = System(tmp_path, redis_url)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "letter.txt").write_text("Dear Sir,")
    (tmp_path / "texts" / "other.bin").write_bytes(b"\xff")
    system.start("count", "write")
    try:
        with Sightline(system.settings) as client:
            jobs = [client.submit(text=["three words here", LONG, "three words here"], pipeline="count-letters")]
            by_hand = client.wait(_send_by_name(system), 30)
            (result,) = [client.wait(job.job_id, 30) for job in jobs]
        assert (result.status, result.pipeline) == (JobStatus.STORED, "count-letters")
        assert [(type(one).__name__, one.found) for one in result.frames] == [
            ("LetterCount", {"number": 14}),
            ("LetterCount", {"number": 40_000}),
        ]
        assert [one.found for one in by_hand.frames] == [{"number": 6}]
        shown = _submit(system, "texts", "--text", "a b c", cwd=tmp_path)
        assert [row.get("number", row.get("left_out")) for row in shown] == [3, 7, shown[-1]["left_out"]]
        with system.database() as database, _api(system, create_key(database, "test", Role.OPERATOR)) as api:
            _check_api(api, result.job_id)
        system.wait_until_quiet()
    finally:
        system.stop()


def _send_by_name(system: System) -> str:
    """As an app without our package does."""
    job_id, frame_id = new_id(), new_id()
    item = {
        "frame_id": frame_id,
        "source_id": "by-hand",
        "captured_at": datetime.now(UTC).isoformat(),
        "parts": [{"medium": "text", "text": "12 apples"}],
    }
    job = {"job_id": job_id, "pipeline": "count-letters", "lane": "bulk", "published_at": time.time(), "frames": [item]}
    with Celery(broker=system.settings.redis_url) as app:
        app.send_task(
            "sightline.count",
            kwargs={"message": {"v": 1, "job": job}},
            queue="cpu.count",
            priority=6,
            task_id=f"{job_id}:count",
            headers={"sightline_sent_at": time.time()},
        )
    return job_id


def _submit(system: System, *arguments: str, cwd: Path) -> list[dict[str, Any]]:
    command = ["submit", "--pipeline", "count-letters", "--wait", "--json", *arguments]
    done = subprocess.run(
        [sys.executable, "-m", "sightline", *command],
        cwd=cwd,
        env=system.environment | {"PYTHONPATH": os.environ["PYTHONPATH"]},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr  # of the folder one file is no text
    return [json.loads(line) for line in done.stdout.splitlines()]


def _api(system: System, key: str) -> TestClient:
    return TestClient(create_app(system.settings), headers={"X-API-Key": key})


def _check_api(api: TestClient, job_id: str) -> None:
    known = api.get(f"/v1/jobs/{job_id}").json()["result"]
    assert (known["pipeline"], known["frames"][0]["number"]) == ("count-letters", 14)
    given = {"texts": ["one", "two three"], "pipeline": "count-letters"}
    answer = api.post("/v1/jobs?wait=30", json=given).json()
    assert [one["number"] for one in answer["result"]["frames"]] == [3, 8]
    frame_id = answer["result"]["frames"][1]["frame"]["frame_id"]
    assert api.get(f"/v1/frames/{frame_id}").json()["number"] == 8
    assert api.get(f"/v1/frames/{frame_id}/explanation").json()["why"] == "found: number 8"
    twice = api.post("/v1/jobs", json={"texts": ["one", "one"], "pipeline": "count-letters"}).json()
    assert twice["notes"] == ["texts.1: the same as texts.0; both are one item"]
    found = api.get("/v1/findings", params={"pipeline": "count-letters", "job": answer["job_id"]}).json()["items"]
    assert sorted((one["kind"], one["payload"], one["stage"]) for one in found) == [
        ("number", 3, "count"),
        ("number", 8, "count"),
    ]
    said = api.get(f"/v1/jobs/{answer['job_id']}/events").text
    assert ("event: result" in said, '"number":8' in said) == (True, True), said
    plain = api.post("/v1/jobs?wait=30&pipeline=count-letters", content=b"four", headers={"Content-Type": "text/plain"})
    assert plain.json()["result"]["frames"][0]["number"] == 4
    form = api.post(
        "/v1/jobs?wait=30",
        data={"pipeline": "count-letters"},
        files={"files": ("letter.txt", b"fifth", "text/plain")},
    )
    assert (form.json()["result"]["frames"][0]["frame"]["name"], form.status_code) == ("letter.txt", 202)
    picture = {"files": ("a.jpg", make_picture("AB12CD"))}
    for refused, told in (
        (
            api.post("/v1/jobs", json={"texts": ["one"]}),
            "takes pictures, and 'texts.0' is text; for text take chat or ask or co",
        ),
        (
            api.post("/v1/jobs", data={"pipeline": "count-letters"}, files=picture),
            "'count-letters' takes text, and 'a.jpg' is pictures; for pictures take objects or text or plates or chat",
        ),
        (
            api.post("/v1/cameras", json={"camera_id": "x", "url": "rtsp://a/b", "pipeline": "count-letters"}),
            "'count-letters' takes text, and 'x' is pictures",
        ),
        (api.post("/v1/jobs", json={"urls": ["https://example.org/a.jpg"], "pipeline": "cars"}), "'ask' or 'count"),
    ):
        assert (refused.status_code, told in refused.json()["detail"]) == (422, True), refused.text
    books = api.get("/v1/audit").json()
    assert books["balanced"]
    assert {each["source_id"]: each["stored"] for each in books["sources"]}["python"] == 2
    assert "count-letters" in api.get("/openapi.json").text
    ours = {"gpu.detect", "gpu.chat", "cpu.ocr", "cpu.transcribe", "db.write"}
    assert set(api.get("/v1/queues").json()["depths"]) == ours | {"cpu.count"}


def test_the_command_line_names_it_and_its_worker_needs_no_image_library() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "sightline", "submit", "--help"],
        env=os.environ | {"COLUMNS": "200", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "<objects|text|plates|chat|transcribe|ask|count-letters>" in shown.stdout
    code = (
        "import sys; from workers.app import load_stages; load_stages(['cpu.count'])\n"
        "assert 'count_letters.stage' in sys.modules\n"
        "assert not {'cv2', 'numpy', 'workers.stages.detect', 'workers.stages.write'} & set(sys.modules), sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
