"""The chat stage with the stub engine and a real Redis: what is asked, told, called off and stored."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sightline.blobs.names import frames_name
from sightline.celery.app import create_app as create_celery_app
from sightline.delivery.cancellations import CANCELLED
from sightline.ids import new_id
from sightline.pipelines.chat import ChatResult
from sightline.retry import Patience
from sightline.testing import make_picture
from sightline.types import Item, Lane, Part, Pipeline
from sightline.wire.messages import Job, Message
from tests.integration.stages.running import FakeStage
from workers.chat.stub import StubEngine
from workers.stages.chat import ChatStage
from workers.stages.runner import run_message
from workers.stages.services import Services, open_services


@pytest.fixture
def stage(services: Services) -> Iterator[ChatStage]:
    opened = ChatStage(StubEngine(most_at_once=2, step_ms=2), services)
    yield opened
    opened.close()


def item(*texts: str, **options: Any) -> Item:
    return Item(
        frame_id=new_id(),
        source_id="chat",
        captured_at=datetime.now(UTC),
        parts=tuple(Part(medium="text", text=text) for text in texts),
        options=options or None,
    )


def job(*items: Item, **more: Any) -> Job:
    return Job(job_id=new_id(), pipeline=Pipeline.CHAT, lane=Lane.INTERACTIVE, frames=items).model_copy(update=more)


def run(stage: ChatStage, services: Services, asked: Job) -> tuple[ChatResult, ...]:
    """What comes to the writer."""
    seen: list[Message] = []
    writing = FakeStage(seen.append)
    writing.task = "sightline.write"
    stages: Any = {stage.task: stage, writing.task: writing}
    run_message(stages, stage.task, services, Message(job=asked).dump(), redelivered=False)
    (message,) = seen
    results = message.results
    assert all(isinstance(one, ChatResult) for one in results)
    return results  # pyright: ignore[reportReturnType]


def told(services: Services, asked: Job) -> list[dict[str, Any]]:
    entries = services.deltas._redis.xrange(f"sightline:deltas:{asked.job_id}")  # pyright: ignore
    return [json.loads(fields["data"]) for _, fields in entries if "data" in fields]


def test_a_prompt_is_answered_and_told_in_pieces(stage: ChatStage, services: Services) -> None:
    asked = job(item(" ".join(f"word{number}" for number in range(60)), system="Be short."))
    (result,) = run(stage, services, asked)
    assert result.answer == asked.frames[0].parts[0].text
    assert (result.finish_reason, result.model, result.answer_tokens) == ("stop", "stub", 60)
    assert result.prompt_tokens == 62
    (ran,) = result.stages
    assert (ran.stage, ran.model, ran.runtime) == ("chat", "stub", "stub")
    pieces = told(services, asked)
    assert "".join(piece["text"] for piece in pieces) == result.answer
    assert 1 < len(pieces) < 60  # the first at once, others together


def test_messages_are_those_of_openai_with_the_items_own_parts(stage: ChatStage, services: Services) -> None:
    messages = [{"role": "system", "content": "x"}, {"role": "user", "content": [{"type": "text", "text": "one two"}]}]
    (result,) = run(stage, services, job(item(json.dumps(messages), text_is="messages", max_tokens=1)))
    assert (result.answer, result.finish_reason) == ("one", "length")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "text: there is none"),
        ("[]", "messages: an empty list"),
        ("{", "messages: no JSON"),
        ('[{"role": "me"}]', "messages.0.role: one of system"),
        ('[{"role": "user", "content": 7}]', "messages.0.content: a text or a list"),
        ('[{"role": "user", "content": [{"type": "part", "part": 3}]}]', "part 3 is no picture of this item"),
    ],
)
def test_bad_messages_are_the_end_of_their_item_alone(
    stage: ChatStage, services: Services, text: str, told: str
) -> None:
    bad, good = run(stage, services, job(item(text, text_is="messages"), item("good")))
    assert bad.error is None  # nothing is broken that a replay could mend
    assert bad.refused is not None
    assert told in bad.refused
    assert good.answer == "good"


def test_pieces_of_several_items_say_whose_they_are(stage: ChatStage, services: Services) -> None:
    asked = job(*(item(f"answer {number}") for number in range(4)))  # more than the engine has places
    results = run(stage, services, asked)
    assert [result.answer for result in results] == [f"answer {number}" for number in range(4)]
    pieces = told(services, asked)
    for number in range(4):
        assert "".join(piece["text"] for piece in pieces if piece["item"] == number) == f"answer {number}"


def test_a_model_that_sees_no_pictures_says_so(stage: ChatStage, services: Services) -> None:
    key = new_id()
    parts = (Part(medium="text", text="What is this?"), Part(medium="image", key=f"{key}.p1"))
    asked = job(Item(frame_id=key, source_id="chat", captured_at=datetime.now(UTC), parts=parts))
    services.frames.put_bundle(frames_name(asked.job_id), {f"{key}.p1": make_picture("AB12CD")})
    (result,) = run(stage, services, asked)
    assert result.refused is not None
    assert "sees no pictures" in result.refused


@pytest.mark.parametrize("is_running", [True, False])
def test_a_cancelled_job_stops_running_and_waiting(stage: ChatStage, services: Services, is_running: bool) -> None:
    long = "word " * 900
    others = [] if is_running else [job(item(long)) for _ in range(2)]
    before = [threading.Thread(target=run, args=(stage, services, other)) for other in others]
    for thread in before:
        thread.start()
    asked, found = job(item(long)), []
    thread = threading.Thread(target=lambda: found.extend(run(stage, services, asked)))
    while stage.runners["chat"].stats.in_engine < len(others):
        time.sleep(0.01)
    thread.start()
    while not stage.runners["chat"].stats.waiting and not told(services, asked):
        time.sleep(0.01)
    services.cancellations._cancelled_at = {asked.job_id: time.time() + 60}  # pyright: ignore
    thread.join(5)
    (result,) = found
    assert result.dropped == CANCELLED
    assert stage.runners["chat"].stats.in_engine == len(others)
    services.cancellations._cancelled_at = {other.job_id: time.time() + 60 for other in others}  # pyright: ignore
    for thread in before:
        thread.join(5)


def test_an_answer_that_comes_too_late_is_stopped_and_dropped(stage: ChatStage, services: Services) -> None:
    asked = job(item("word " * 900), deadline_at=time.time() + 0.3)
    (result,) = run(stage, services, asked)
    assert result.dropped == "stale"
    assert not stage.runners["chat"].stats.in_engine


def test_tokens_and_the_wait_for_the_first_are_counted(stage: ChatStage, services: Services) -> None:
    (first, second) = run(stage, services, job(item("one two three"), item("four")))
    samples = {
        (sample.name, *sample.labels.values()): sample.value for metric in stage.collect() for sample in metric.samples
    }
    assert samples["sightline_chat_first_token_seconds_count",] == 2
    assert (
        samples["sightline_chat_tokens_total", "answer"] == sum(one.answer_tokens or 0 for one in (first, second)) > 2
    )
    assert (
        samples["sightline_chat_tokens_total", "prompt"] == sum(one.prompt_tokens or 0 for one in (first, second)) > 2
    )


def test_a_long_answer_and_who_waits_behind_it_are_held_while_the_engine_advances(services: Services) -> None:
    """Pieces are progress: neither job is overdue, though both take longer than one may without any."""
    impatient = services.settings.model_copy(update={"job_timeout_s": 0.4})
    services = open_services(create_celery_app(impatient), impatient, "test@here", Patience())
    ledger = services.delivery.ledger
    stage = ChatStage(StubEngine(most_at_once=1, step_ms=20), services)
    long, waiting = job(item(" ".join(map(str, range(100))))), job(item("short"))
    for each in (long, waiting):
        ledger.admit(each)
    overdue: set[str] = set()
    running = [threading.Thread(target=run, args=(stage, services, each)) for each in (long, waiting)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        late = ledger.claim_overdue(Lane.INTERACTIVE, Pipeline.CHAT, before=time.time())
        overdue |= {each.job.job_id for each in late}
        time.sleep(0.05)
    stage.close()
    assert overdue == set()


def test_an_answer_has_an_end_where_nobody_says_one(services: Services) -> None:
    bounded = replace(services, settings=services.settings.model_copy(update={"chat_answer_tokens": 3}))
    stage = ChatStage(StubEngine(step_ms=1), bounded)
    (short,) = run(stage, bounded, job(item("one two three four five")))
    (asked,) = run(stage, bounded, job(item("one two three four five", max_tokens=5)))
    stage.close()
    assert (short.answer_tokens, short.finish_reason) == (3, "length")
    assert asked.answer_tokens == 5
