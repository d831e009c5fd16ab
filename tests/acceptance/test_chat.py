"""Questions and real workers: answered in pieces, and begun again where a worker dies in mid-answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline import Sightline
from tests.acceptance.parts.system import System

LONG = " ".join(f"word{number}" for number in range(150))
STUB = """
[models.stub]
kind = "stub"
call_ms = 20
"""


@pytest.fixture
def system(redis_url: str, tmp_path: Path) -> Iterator[System]:
    models = tmp_path / "models.toml"
    models.write_text(STUB)
    running = System(tmp_path, redis_url, chat_engine="stub", models_file=models)
    yield running
    running.stop()


def test_questions_are_answered_and_begun_again(system: System) -> None:
    system.start("chat", "write")
    with Sightline(system.settings) as client:
        same = [client.submit(text="one two three", pipeline="chat", options={"max_tokens": 2}) for _ in range(2)]
        assert same[0].job_id != same[1].job_id  # a question asked again is asked again
        for job in same:
            (answer,) = job.wait(timeout_s=60).frames
            assert (answer.found["answer"], answer.found["finish_reason"]) == ("one two", "length")

        job, heard, restarts = client.submit(text=LONG, pipeline="chat"), "", 0
        for event in client.stream(job.job_id):
            if event.event == "delta":
                heard += event.data["text"]
                if "word10" in heard and "chat2" not in system.workers:
                    system.kill("chat")
                    system.start("chat2")
            elif event.event == "restart":
                restarts, heard = restarts + 1, ""
            elif event.result:
                assert event.result.frames[0].found["answer"] == LONG
        assert (heard, restarts) == (LONG, 1)
    system.wait_until_quiet()
