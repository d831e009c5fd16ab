"""What any pipeline found has a page, and so has what went wrong, for browsers alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from sightline.pipelines.speech import TranscribeResult
from sightline.types import FrameRef, FrameResult, Item, Lane, Part, Pipeline
from sightline.wire.messages import Job, Message
from storage.database.engine import Database
from tests.stores import open_store

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_what_another_pipeline_found(client: TestClient, database: Database) -> None:
    item = Item(
        frame_id="sound-0001",
        source_id="desk",
        captured_at=datetime(2026, 1, 2, tzinfo=UTC),
        name="call <1>.wav",
        parts=(Part(medium="audio", key="sound-0001.p0"),),
    )
    segments = [{"start_s": 0, "end_s": 1.5, "text": "two tons <of> sand", "confidence": 0.9}]
    result = TranscribeResult.model_validate({"frame": item, "text": "two tons <of> sand", "segments": segments})
    job = Job(job_id="job-000007", pipeline=Pipeline("transcribe"), lane=Lane.BULK, frames=(item,))
    open_store(database).store([Message(job=job, results=(result,))], ())
    assert "transcribe" in client.get("/jobs").text
    assert "two tons &lt;of&gt; sand" in client.get("/jobs/job-000007").text
    page = client.get("/frames/sound-0001").text
    for words in ("call &lt;1&gt;.wav", "<h3>text</h3>", "<h2>segments</h2>", "<th>end s</th>", "<td>1.5</td>"):
        assert words in page
    assert "annotated" not in page
    assert "<of>" not in page


def test_a_picture_with_what_was_found_and_a_dead_one(client: TestClient, stored: object) -> None:
    jobs = client.get("/jobs").text
    assert 'href="/jobs/job-000001"' in jobs
    assert "1 stored, 1 dead" in jobs
    job = client.get("/jobs/job-000001").text
    assert 'href="/frames/frame-0001"' in job
    assert "cut off" in job
    frame = client.get("/frames/frame-0001").text
    for words in ("KAB 4721", "<th>confidence</th>", "/v1/frames/frame-0001/annotated?width=760"):
        assert words in frame
    dead = client.get("/frames/frame-0002").text
    assert "bad_image" in dead
    assert "annotated" not in dead


def test_what_was_read_is_told_in_words(client: TestClient, database: Database) -> None:
    """Likelihoods of each character are for the JSON."""
    frame = FrameRef(frame_id="photo-0001", source_id="desk", captured_at=datetime(2026, 1, 2, tzinfo=UTC))
    read = {
        "text": "KAB4721",
        "confidence": 0.9,
        "char_confidences": [0.9123456789012345] * 7,
        "alternatives": [[["K", 0.9], ["X", 0.1]]] * 7,
        "detection_index": 0,
    }
    box = {"xyxy": (1, 2, 30, 40), "label": "plate", "class_id": 0, "confidence": 0.9}
    found = FrameResult.model_validate(
        {"frame": frame, "detections": [box], "readings": [read, {**read, "text": "X1"}]}
    )
    job = Job(job_id="job-000008", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
    open_store(database, passage_gap_s=10).store([Message(job=job, results=(found,))], ())
    assert "<td>KAB4721, X1</td>" in client.get("/jobs/job-000008").text
    page = client.get("/frames/photo-0001").text
    assert "<th>xyxy</th>" in page
    for long in ("char confidences", "alternatives", "0.9123456789"):
        assert long not in page


def test_jobs_are_filtered_as_by_the_api(client: TestClient, stored: object) -> None:
    assert "job-000001" in client.get("/jobs?source=gate&status=dead").text
    for other in ("source=yard", "status=stored"):
        assert "job-000001" not in client.get(f"/jobs?{other}").text
    for wrong in ("/jobs?sorce=gate", "/jobs?status=open", "/jobs?status=done", "/plates?txt=KAB"):
        assert client.get(wrong).status_code == 422, wrong
    assert "did you mean source?" in client.get("/jobs?sorce=gate").text


def test_a_dead_letter_names_its_pipeline(client: TestClient, stored: object) -> None:
    letter_id = client.get("/v1/dead-letters").json()["items"][0]["letter_id"]
    assert "<td>plates</td>" in client.get(f"/dead-letters/{letter_id}").text


@pytest.mark.parametrize("path", ["/passages/nope", "/jobs/nope", "/frames/nope", "/nope", "/plates?cursor=x&like=9"])
def test_a_browser_gets_a_page_and_others_a_problem(client: TestClient, path: str) -> None:
    page, problem = client.get(path, headers=BROWSER), client.get(path)
    assert page.status_code == problem.status_code >= 400
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["title"] in page.text


def test_under_v1_errors_are_problems_for_everybody(client: TestClient) -> None:
    assert client.get("/v1/passages/nope", headers=BROWSER).json()["status"] == 404


def test_a_browser_without_a_key_is_asked_for_one(client: TestClient) -> None:
    answer = client.get("/plates", headers={**BROWSER, "X-API-Key": "sl_0_0"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert client.get("/plates", headers={"X-API-Key": "sl_0_0"}).status_code == 401


def test_jobs_are_found_by_a_form(client: TestClient, stored: object) -> None:
    """What is left blank in it chooses nothing; further pages keep the rest."""
    today, tomorrow = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (0, 1))
    form = client.get(f"/jobs?status=&source=gate&since={today}&until={tomorrow}").text
    assert "job-000001" in form
    for words in (f'type="date" value="{today}"', f'type="date" value="{tomorrow}"', 'value="gate"'):
        assert words in form
    none = client.get(f"/jobs?status=&source=&since={tomorrow}&until=").text
    assert ("job-000001" in none, "Nothing matches" in none) == (False, True)
    assert client.get("/jobs?since=2026-13-01").status_code == 422
    assert client.get(f"/jobs?since={tomorrow}&until={today}").status_code == 422
