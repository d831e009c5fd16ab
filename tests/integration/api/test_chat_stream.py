"""Streamed answers whose worker is played by the test: begun again, with another text, without a word, and lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from producers.api.routes import job_events
from sightline.delivery.delta_stream import Delta, DeltaStream
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import ResultBoard
from sightline.ids import new_id
from sightline.pipelines.chat import ChatResult
from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.types import FrameError, JobResult, JobStatus
from sightline.wire.messages import Job


class Worker:
    """Works on the one job there is."""

    def __init__(self, settings: Settings) -> None:
        redis = connect(settings.redis_url)
        self._stream, self._board = DeltaStream(redis, ttl_s=60), ResultBoard(redis, result_ttl_s=60)
        self.ledger = Publisher.from_settings(settings).ledger

    def job(self) -> Job:
        until = time.monotonic() + 30
        while not (jobs := self.ledger.open_jobs(limit=1)):
            assert time.monotonic() < until
            time.sleep(0.01)
        return jobs[0]

    def say(self, *pieces: str) -> None:
        """An attempt that says this."""
        job = self.job()
        attempt = new_id()
        self._stream.add(Delta(job.job_id, "chat", attempt, 0))
        for number, piece in enumerate(pieces, 1):
            self._stream.add(Delta(job.job_id, "chat", attempt, number, {"text": piece}))

    def end(self, **found: Any) -> None:
        job = self.job()
        result = ChatResult(frame=job.frames[0], finish_reason=None if "error" in found else "stop", **found)
        status = JobStatus.DEAD if "error" in found else JobStatus.STORED
        self._board.post(
            JobResult(
                job_id=job.job_id,
                pipeline=job.pipeline,
                status=status,
                frames=(result,),
                finished_at=datetime.now(UTC),
            )
        )
        self.ledger.settle(job.job_id, {job.frames[0].source_id: {"dead" if "error" in found else "stored": 1}})


@pytest.fixture
def worker(settings: Settings) -> Worker:
    return Worker(settings)


def ask(url: str, key: str, **given: Any) -> httpx.Response:
    body = {"model": "smollm2", "messages": [{"role": "user", "content": "Where?"}], "stream": True, **given}
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False)


def playing(play: Any) -> threading.Thread:
    thread = threading.Thread(target=play)
    thread.start()
    return thread


def events(answer: httpx.Response) -> Iterator[Any]:
    for event in answer.text.split("\n\n"):
        if event.startswith("data: {"):
            yield json.loads(event.removeprefix("data: "))


def text(answer: httpx.Response) -> list[str]:
    return [event["choices"][0]["delta"]["content"] for event in events(answer) if event["choices"][0]["delta"]]


def test_an_answer_begun_again_goes_on_where_it_was(api_url: str, operator_key: str, worker: Worker) -> None:
    def play() -> None:
        worker.say("In ", "Pa")
        worker.say("In", " Paris", ".")
        worker.end(answer="In Paris.")

    played = playing(play)
    answer = ask(api_url, operator_key)
    played.join()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert text(answer) == ["In ", "Pa", "ris", "."]
    assert answer.text.endswith("data: [DONE]\n\n")


def test_one_that_reads_otherwise_ends_with_an_error_and_nobody_works_on_it(
    api_url: str, operator_key: str, worker: Worker
) -> None:
    job: list[Job] = []

    def play() -> None:
        job.append(worker.job())
        worker.say("In ", "Pa")
        worker.say("In", " Lyon")

    played = playing(play)
    answer = ask(api_url, operator_key)
    played.join()
    *_, last = events(answer)
    assert last["error"]["code"] == "started_over"
    assert "reads otherwise than before; ask again, with a seed" in last["error"]["message"]
    assert answer.text.endswith("data: [DONE]\n\n")
    until = time.monotonic() + 20
    while job[0].job_id not in worker.ledger.cancelled_since(0):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_dead_question_is_an_error_that_clients_do_not_repeat(
    api_url: str, operator_key: str, worker: Worker
) -> None:
    error = FrameError(reason="crashed", message="five workers ended at it", stage="chat")
    for stream in (True, False):
        played = playing(lambda: worker.end(error=error))
        answer = ask(api_url, operator_key, stream=stream)
        played.join()
        assert answer.status_code == 500
        assert answer.headers["x-should-retry"] == "false"
        assert answer.json()["error"] == {
            "message": "five workers ended at it",
            "type": "server_error",
            "param": None,
            "code": "crashed",
        }


def test_while_nothing_is_said_the_connection_is_kept(
    api_url: str, operator_key: str, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_events, "_KEEP_ALIVE_S", 0.2)

    def play() -> None:
        worker.job()
        time.sleep(0.7)
        worker.end(answer="late")

    played = playing(play)
    answer = ask(api_url, operator_key)
    played.join()
    assert answer.text.startswith(": still there\n\n")
    assert text(answer) == ["late"]
