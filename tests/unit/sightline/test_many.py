"""Much submitted at once, of which some is wrong: it has an error in its place, and the rest is answered."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sightline import AsyncSightline, BadMessageError, Sightline
from sightline.client.many import Done
from sightline.settings import load_settings
from sightline.types import JobResult

INPUTS: list[Any] = [{"text": "One?"}, {"text": ""}, {"nope": 1}, {"sound": "/no/such.wav"}, 7, {"text": "Two?"}]
ENDS = [None, "is empty", "unexpected keyword argument 'nope'", "No such file", "int", None]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Sightline:
    """One whose jobs are accepted and answered at once."""

    class Jobs:
        def accept(self, job: Any, *_: Any) -> Any:
            return job, ()

        def wait(self, job_id: str, _timeout_s: float) -> JobResult:
            return JobResult.model_construct(job_id=job_id)

    client = Sightline(load_settings())
    monkeypatch.setattr(Sightline, "_jobs", Jobs())
    return client


def check(done: list[Done]) -> None:
    for one, said in zip(done, ENDS, strict=True):
        if said is None:
            assert one.error is None
        else:
            assert isinstance(one.error, BadMessageError)
            assert said in str(one.error)


def test_a_wrong_input_is_no_end_of_the_others(client: Sightline) -> None:
    done = list(client.submit_many(INPUTS, pipeline="chat", at_once=2))

    assert [one.given for one in done] == INPUTS
    check(done)
    assert [one.result is not None for one in done] == [end is None for end in ENDS]


def test_nor_is_it_on_an_event_loop(client: Sightline, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = AsyncSightline(load_settings())

    async def wait(job_id: str, _timeout_s: float) -> JobResult:
        return client.wait(job_id)

    monkeypatch.setattr(waiting, "wait", wait)

    async def submit() -> list[Done]:
        return [one async for one in waiting.submit_many(INPUTS, pipeline="chat", at_once=2)]

    check(asyncio.run(submit()))


def test_a_wrong_name_for_all_is_refused_before_anything_is_submitted(client: Sightline) -> None:
    with pytest.raises(TypeError, match="pipelin"):
        next(client.submit_many(INPUTS, pipelin="chat"))


def test_a_pipeline_that_there_is_not_is_a_bad_message_with_those_there_are(client: Sightline) -> None:
    with pytest.raises(BadMessageError, match=r"pipeline: 'chatt' is unknown; known are .*chat") as refused:
        client.submit(text="x", pipeline="chatt")
    assert type(refused.value) is BadMessageError
