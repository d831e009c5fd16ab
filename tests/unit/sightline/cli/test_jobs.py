"""`sightline jobs show`: what came of each item."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sightline.cli.jobs import jobs
from sightline.settings import Settings

FRAME = {"frame_id": "frame-0001", "source_id": "notes", "captured_at": "2026-01-02T00:00:00Z", "name": "letter.txt"}


@pytest.mark.parametrize(
    ("pipeline", "found", "told"),
    [
        ("of-somebody-else", {"number": 14}, "number 14"),
        ("of-somebody-else", {"number": None}, "nothing found"),
        ("plates", {"readings": [{"text": "KAB 4721", "confidence": 0.9}]}, "KAB 4721"),
        ("plates", {"readings": []}, "nothing read"),
        ("text", {"readings": [{"text": "", "unread": "script"}, {"text": "42"}]}, "(script not read), 42"),
    ],
)
def test_what_was_found_is_shown_whatever_the_pipeline_finds(
    pipeline: str, found: Any, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = [{"frame": FRAME, "stages": [], "error": None, "dropped": None} | found]
    result = {"job_id": "job-00001", "pipeline": pipeline, "status": "stored", "frames": frames}
    result["finished_at"] = datetime.now(UTC).isoformat()
    monkeypatch.setattr(jobs, "settings_for", lambda _data: Settings())  # pyright: ignore
    monkeypatch.setattr(jobs, "call_api", lambda *_: {"status": "stored", "result": result})  # pyright: ignore
    jobs.show("job-00001")
    assert told in capsys.readouterr().out


def test_of_a_fork_every_stage_is_shown_and_what_came_of_it_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stages of both branches, one of them of two shards, and the join."""
    stages = [{"stage": stage, "queue_wait_ms": 1.0} for stage in ("letters", "words", "words", "report")]
    frame = {"frame": FRAME, "stages": stages, "letters": 14, "report": "3 words, 14 letters"}
    result = {"job_id": "job-00001", "pipeline": "text-report", "status": "stored", "frames": [frame]}
    result["finished_at"] = datetime.now(UTC).isoformat()
    monkeypatch.setattr(jobs, "settings_for", lambda _data: Settings())  # pyright: ignore
    monkeypatch.setattr(jobs, "call_api", lambda *_: {"status": "stored", "result": result})  # pyright: ignore
    jobs.show("job-00001")
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[1] for row in rows] == ["letters", "words", "words", "report"]
    assert ["report 3 words, 14 letters" in row for row in rows] == [False, False, False, True]
