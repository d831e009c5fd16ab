"""A question about pictures and a recording, through real workers: each medium by its own, and one answer for all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline import JobStatus, Sightline
from sightline.pipelines.ask import AskResult
from sightline.testing import make_picture
from tests.acceptance.parts.doors import Doors
from tests.acceptance.parts.system import System
from tests.voices import as_wav, talk

QUESTION = "What is at the gate?"


@pytest.fixture
def system(redis_url: str, tmp_path: Path) -> Iterator[System]:
    stubs = {"chat_engine": "stub", "speech_engine": "stub", "objects_model": "stub", "plates_model": "stub"}
    running = System(tmp_path, redis_url, **stubs, text_model="stub", recognizer="stub", max_attempts=2)
    running.start("detect", "ocr", "transcribe", "chat", "write")
    yield running
    running.stop()


def test_the_answer_goes_by_what_is_seen_and_said(system: System, tmp_path: Path) -> None:
    (tmp_path / "car.png").write_bytes(make_picture("AB12CD"))
    (tmp_path / "call.wav").write_bytes(as_wav(talk(1)))
    doors = Doors(system, "", "")
    of_both = ("--image", tmp_path / "car.png", "--sound", tmp_path / "call.wav")
    code, said, complained = doors.run("ask", QUESTION, *of_both, "--json")
    assert (code, complained) == (0, "")
    told = json.loads(said)
    assert told["used"][0].startswith("Picture 1: 1 x plate (")
    assert told["used"][1].startswith('Picture 1: license plate "AB12CD" (')
    assert told["used"][2].startswith("Recording, ")
    # The stub says back what it is asked.
    assert all(line in told["answer"] for line in told["used"])
    assert told["answer"].endswith(f"Question: {QUESTION}")
    assert (told["failed"], told["left_out"]) == ([], [])
    assert {run["stage"] for run in told["stages"]} == {"detect", "ocr", "transcribe", "chat"}
    code, streamed, _ = doors.run("ask", QUESTION, *of_both)
    assert (code, streamed) == (0, told["answer"] + "\n")
    assert doors.run("ask", QUESTION, "--sound", tmp_path / "none.wav")[0] == 2
    system.wait_until_quiet()


def test_what_fails_is_said_and_the_rest_is_answered(system: System) -> None:
    with Sightline(system.settings) as client:
        job = client.submit(make_picture("AB12CD"), text=QUESTION, sound=b"RIFFno sound at all", pipeline="ask")
        result = job.wait(60)
        (found,) = result.frames
        assert isinstance(found, AskResult)
        assert result.status is JobStatus.STORED
        assert [error.stage for error in found.failed] == ["transcribe"]
        assert "The recordings could not be examined: " in (found.answer or "")
        assert (len(found.used), len(found.seen[0].detections), found.heard) == (2, 1, None)

        nothing_left = client.submit(text=QUESTION, sound=b"RIFFno sound at all", pipeline="ask").wait(60)
        assert nothing_left.status is JobStatus.DEAD
        (failed,) = nothing_left.frames
        assert failed.error is not None
        assert failed.error.stage == "transcribe"

        (alone,) = client.submit(text=QUESTION, pipeline="ask").wait(60).frames
        assert isinstance(alone, AskResult)
        assert (alone.used, alone.failed) == ((), ())
        (unasked,) = client.submit(make_picture("AB12CD"), pipeline="ask").wait(60).frames
        assert unasked.error is None
        assert "text: 0 given; ask one question" in str(unasked.found["refused"])
    system.wait_until_quiet()
