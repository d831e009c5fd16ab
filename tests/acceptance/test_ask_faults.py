"""Questions, recordings and pictures while workers are killed and the model's server fails: each ends once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline import JobStatus, Sightline
from sightline.delivery.publisher import Publisher
from sightline.testing import make_picture
from storage.results import queries
from tests.acceptance.parts.system import System
from tests.fake_openai import FakeOpenAi, break_off, hang, refuse
from tests.voices import as_wav, talk

_JOBS = 4


@pytest.fixture
def server() -> Iterator[FakeOpenAi]:
    opened = FakeOpenAi(step_ms=30)
    yield opened
    opened.close()


@pytest.fixture
def system(redis_url: str, tmp_path: Path, server: FakeOpenAi) -> Iterator[System]:
    stubs = dict.fromkeys(("plates_model", "text_model", "objects_model", "recognizer", "speech_engine"), "stub")
    chat = {"chat_engine": "openai", "chat_url": server.url, "chat_model": "fake", "chat_timeout_s": 1}
    running = System(tmp_path, redis_url, **stubs, **chat)
    yield running
    running.stop()


@pytest.mark.timeout(480)
def test_each_question_ends_once_whatever_dies(system: System, server: FakeOpenAi) -> None:
    system.start("detect", "ocr", "transcribe", "chat", "write")
    # 500, nothing at all, half an answer, and a server that is away: before the first token they are asked again.
    server.faults.extend([refuse(500), hang(3), break_off, refuse(503)])
    with Sightline(system.settings) as client:
        jobs = [
            job
            for number in range(_JOBS)
            for job in (
                client.submit(
                    make_picture(f"AB{number}2CD"), text="What is it?", sound=as_wav(talk(1)), pipeline="ask",
                    source_id="ask",
                ),
                client.submit(text=f"word {number} " * 20, pipeline="chat", source_id="chat"),
                client.submit(sound=as_wav(talk(2 + number)), pipeline="transcribe", source_id="transcribe"),
            )
        ]  # fmt: skip
        until = time.monotonic() + 60
        while not server.inside:
            assert time.monotonic() < until
            time.sleep(0.01)
        for name in ("chat", "transcribe", "ocr"):  # in the middle of answers
            system.kill(name)
        system.start("chat2", "transcribe2", "ocr2")
        results = [job.wait(300) for job in jobs]
    assert [result.status for result in results] == [JobStatus.STORED] * len(jobs)
    for asked in results[::3]:
        (found,) = asked.frames
        assert found.error is None
        assert "Question: What is it?" in (found.answer or "")  # type: ignore[attr-defined]
    system.wait_until_quiet()
    counts = Publisher.from_settings(system.settings).ledger.counts()
    with system.database() as database:
        frames = queries.list_frames(database, limit=1000).items
    assert len({frame.frame_id for frame in frames}) == len(frames) == len(jobs)
    for source in ("ask", "chat", "transcribe"):
        assert counts[source] == {"published": _JOBS, "stored": _JOBS}
