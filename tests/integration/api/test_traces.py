"""Where the time of a frame went, by the API and by the command."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from sightline.cli import app
from sightline.pipelines.ask import AskResult
from sightline.settings import Settings
from sightline.types import FrameRef, FrameResult, Lane, Pipeline, StageRun
from sightline.wire.messages import Job, Message
from storage.database.engine import Database
from tests.stores import open_store

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CAPTURED_AT = datetime.now(UTC) - timedelta(seconds=30)


def run(stage: str, waited_ms: float, took_ms: float) -> StageRun:
    return StageRun(
        stage=stage,
        model=f"{stage}-model",
        model_sha256="",
        runtime="none",
        worker="worker@here",
        queue_wait_ms=waited_ms,
        inference_ms=took_ms,
        batch_size=4,
    )


@pytest.fixture
def traced(database: Database) -> str:
    """A frame of a camera, published two seconds after it was taken; 28 s later it is stored."""
    ref = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=CAPTURED_AT, time_from="camera")
    result = FrameResult(frame=ref, width=8, height=8, stages=(run("detect", 20_000, 40.25), run("ocr", 1.5, 3)))
    published_at = (CAPTURED_AT + timedelta(seconds=2)).timestamp()
    job = Job(
        job_id="job-000001",
        pipeline=Pipeline.PLATES,
        lane=Lane.BULK,
        frames=(ref,),
        published_at=published_at,
        traceparent=f"00-{TRACE}-00f067aa0ba902b7-01",
    )
    open_store(database, passage_gap_s=10).store([Message(job=job, results=(result,))], ())
    return ref.frame_id


def test_the_parts_of_the_way_add_up(client: TestClient, traced: str) -> None:
    trace = client.get(f"/v1/frames/{traced}/trace").json()
    spans = [(span["what"], span["stage"], span["ms"]) for span in trace["spans"]]
    assert spans[:5] == [
        ("source", "", 2000),
        ("wait", "detect", 20_000),
        ("model", "detect", 40.2),
        ("wait", "ocr", 1.5),
        ("model", "ocr", 3),
    ]
    assert trace["total_ms"] >= 28_000
    assert sum(ms for what, _, ms in spans if what != "source") == pytest.approx(trace["total_ms"])
    assert (trace["job_id"], trace["trace_id"]) == ("job-000001", TRACE)


@pytest.mark.parametrize(
    ("heard_ms", "beside"),
    [(2_000, {"detect", "ocr"}), (60_000, {"detect", "ocr"}), (200, {"transcribe"})],
)
def test_what_went_side_by_side_is_waited_for_once(
    client: TestClient, database: Database, heard_ms: float, beside: set[str]
) -> None:
    """`transcribe` is cut into shards: what they took in all may be longer than the whole way."""
    runs = (run("detect", 500, 400), run("ocr", 0, 300), run("transcribe", 100, heard_ms), run("chat", 20, 3_000))
    ref = FrameRef(frame_id="frame-ask1", source_id="desk", captured_at=CAPTURED_AT)
    published_at = (CAPTURED_AT + timedelta(seconds=2)).timestamp()
    job = Job(
        job_id="job-ask001", pipeline=Pipeline.ASK, lane=Lane.INTERACTIVE, frames=(ref,), published_at=published_at
    )
    open_store(database, passage_gap_s=10).store([Message(job=job, results=(AskResult(frame=ref, stages=runs),))], ())
    trace = client.get("/v1/frames/frame-ask1/trace").json()
    assert {span["stage"] for span in trace["spans"] if span["beside"]} == beside
    assert sum(span["ms"] for span in trace["spans"] if not span["beside"]) == pytest.approx(trace["total_ms"], abs=1)
    assert [span["stage"] for span in trace["spans"] if span["what"] == "model"] == [each.stage for each in runs]


def test_the_page_of_a_frame_shows_them(client: TestClient, traced: str) -> None:
    page = client.get(f"/frames/{traced}").text
    for words in ("Where its time went", TRACE, "waits for detect", "20000.0", "<meter", "worker@here"):
        assert words in page


def test_the_age_of_a_photo_is_no_time_on_the_way(client: TestClient, stored: FrameResult) -> None:
    trace = client.get(f"/v1/frames/{stored.frame.frame_id}/trace").json()
    assert [span["what"] for span in trace["spans"]] == ["rest"]


def test_what_is_not_stored_has_no_times(client: TestClient, stored: FrameResult) -> None:
    for frame_id in ("frame-0002", "frame-9999"):  # dead, unknown
        answer = client.get(f"/v1/frames/{frame_id}/trace")
        assert answer.status_code == 404
        assert "not stored" in answer.json()["detail"]


def test_the_command_says_it_in_a_table(
    api_url: str, settings: Settings, traced: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_API_URL", api_url)
    monkeypatch.setenv("SIGHTLINE_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("COLUMNS", "160")
    as_json = CliRunner().invoke(app, ["trace", traced, "--json"], catch_exceptions=False)
    total_ms = json.loads(as_json.output)["total_ms"]
    done = CliRunner().invoke(app, ["trace", traced], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "waits for detect" in done.output
    assert f"{20_000 / total_ms:.0%}" in done.output
    assert "detect-model" in done.output
