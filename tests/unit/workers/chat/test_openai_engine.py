"""What the engine `openai` does beside what all do: asks again, asks less at once, and passes on what servers can."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sightline.errors import JobCancelledError, ModelError, RetryableError, SettingsError
from sightline.pipelines.chat import ChatOptions
from sightline.settings import Settings
from tests.fake_openai import FakeOpenAi, break_off, hang, refuse, say
from workers.chat.engine import BadQuestionError, Question
from workers.chat.openai.engine import OpenAiEngine
from workers.chat.openai.refusals import ServerFailedError
from workers.chat.opening import open_engine

Open = Callable[..., tuple[OpenAiEngine, FakeOpenAi]]


@pytest.fixture
def start() -> Iterator[Open]:
    opened: list[Any] = []

    def begin(**given: Any) -> tuple[OpenAiEngine, FakeOpenAi]:
        fake = FakeOpenAi(most=given.pop("most", 1000), step_ms=given.pop("step_ms", 1))
        engine = OpenAiEngine(fake.url, "fake", **given)
        opened.extend((engine, fake))
        return engine, fake

    yield begin
    for one in opened:
        one.close()


def ask(text: str = "one two three", **options: Any) -> Question:
    return Question([{"role": "user", "content": text}], ChatOptions(**options))


@pytest.mark.parametrize("fault", [refuse(429, Retry_After="0.05"), refuse(503), refuse(500), hang(0.5)])
def test_what_fails_before_the_first_token_is_asked_again(start: Open, fault: Any) -> None:
    engine, fake = start(timeout_s=0.2)
    fake.faults.append(fault)
    assert engine.begin(ask()).result(20).text == "one two three"
    assert len(fake.seen) == 2


def test_a_server_that_stays_away_is_waited_for_by_the_job(start: Open) -> None:
    engine, fake = start(retries=1)
    fake.faults.extend([refuse(503, Retry_After="0.05")] * 2)
    with pytest.raises(RetryableError, match="503 no, 503"):
        engine.begin(ask()).result(20)


def test_a_question_on_which_the_server_fails_each_time_is_given_up(start: Open) -> None:
    engine, fake = start(retries=1)
    fake.faults.extend([refuse(500, Retry_After="0.05")] * 2)
    with pytest.raises(ServerFailedError, match="failed: 500"):
        engine.begin(ask()).result(20)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            say("text/html; charset=utf-8", "<!doctype html>\n<h1>Log in</h1>"),
            "text/html, '<!doctype html> <h1>Log in<",
        ),
        (say("text/plain", "ok"), "text/plain, 'ok'"),
        (say("application/json", '{"status": "ok"}'), 'application/json, \'{"status": "ok"}\''),
        (say("application/json", ""), "application/json, and an empty body"),
        (say("text/event-stream", ""), "an empty stream"),
        (say("text/event-stream", "data: [DONE]\n\n"), "an empty stream"),
        (say("text/event-stream", "data: <html>\n\n"), "a stream with '<html>', which is no JSON"),
        (say("text/event-stream", 'data: {"error": {"message": "no memory"}}\n\n'), "no memory"),
        (say("text/html", "<h1>Not Found</h1>", 404), "404 <h1>Not Found</h1>"),
        (say("application/json", '{"detail": "Method Not Allowed"}', 405), "405 {'detail'"),
    ],
)
def test_what_is_no_such_server_is_asked_a_few_times_and_named(start: Open, fault: Any, said: str) -> None:
    engine, fake = start(retries=1)
    fake.faults.extend([fault] * 3)
    with pytest.raises(ServerFailedError) as caught:
        engine.begin(ask()).result(20)
    text = str(caught.value)
    assert text.startswith(f"SIGHTLINE_CHAT_URL: {fake.url} does not answer as a server of language models, but ")
    assert said in text
    assert len(fake.seen) <= 2


def test_an_address_that_leads_elsewhere_is_named(start: Open) -> None:
    engine, fake = start()
    fake.faults.append(refuse(308, Location="https://models.example/v1/chat/completions"))
    with pytest.raises(ServerFailedError, match=r"^SIGHTLINE_CHAT_URL: .* redirects to https://models.example/v1/chat"):
        engine.begin(ask()).result(20)


def test_a_server_that_knows_no_streams_is_understood(start: Open) -> None:
    engine, fake = start()
    body = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 2},
        "model": "small",
    }
    fake.faults.append(say("application/json; charset=utf-8", json.dumps(body)))
    told: list[Any] = []
    question = ask()
    question.tell = told.append
    answer = engine.begin(question).result(20)
    assert (answer.text, answer.finish_reason, answer.model) == ("Paris.", "stop", "small")
    assert (answer.prompt_tokens, answer.answer_tokens) == (7, 2)
    assert told == [{"text": "Paris."}]


def test_a_page_in_place_of_a_server_is_refused_at_the_start() -> None:
    fake = FakeOpenAi()
    fake.page = "<html>Welcome</html>"
    try:
        with pytest.raises(SettingsError, match=r"SIGHTLINE_CHAT_URL: .* text/html, '<html>Welcome</html>'"):
            open_engine(Settings(chat_engine="openai", chat_url=fake.url, chat_model="fake"))
    finally:
        fake.close()


def test_an_answer_that_breaks_off_is_begun_again_by_its_job(start: Open) -> None:
    engine, fake = start()
    fake.faults.append(break_off)
    with pytest.raises(RetryableError, match="broke off in the middle"):
        engine.begin(ask()).result(20)
    assert len(fake.seen) == 1


def test_a_server_that_refuses_is_asked_less_at_once_and_all_are_answered(start: Open) -> None:
    engine, fake = start(most=4, most_at_once=24, step_ms=5, retries=10)
    futures = [engine.begin(ask(f"number {n}")) for n in range(60)]
    assert [future.result(60).text for future in futures] == [f"number {n}" for n in range(60)]
    assert fake.most_inside <= 4
    assert engine.most_at_once < 24


def test_called_off_the_server_is_told_by_the_end_of_the_connection(start: Open) -> None:
    engine, fake = start(step_ms=5)
    question = ask("word " * 1500)
    question.tell = lambda _: question.call_off()
    with pytest.raises(JobCancelledError):
        engine.begin(question).result(20)
    other = engine.begin(ask())
    assert other.result(20).text
    while not fake.given_up:
        time.sleep(0.01)


def test_what_the_server_can_is_passed_on(start: Open) -> None:
    engine, fake = start()
    tools = ({"type": "function", "function": {"name": "gates", "parameters": {"type": "object"}}},)
    wanted = {"temperature": 0.5, "top_p": 0.9, "seed": 3, "max_tokens": 9, "stop": ("x",), "tool_choice": "auto"}
    engine.begin(ask(**wanted, tools=tools, response_format={"type": "text"}, model="other")).result(20)
    (body,) = fake.seen
    assert body["tools"] == list(tools)
    assert {name: body[name] for name in wanted} == wanted | {"stop": ["x"]}
    assert (body["model"], body["response_format"]) == ("other", {"type": "text"})


def test_calls_of_tools_come_in_pieces_and_are_put_together(start: Open) -> None:
    engine, fake = start()
    told: list[Any] = []

    def call(handler: Any) -> None:
        handler.begin()
        for part in ({"index": 0, "id": "c1", "function": {"name": "gates", "arguments": '{"a"'}},):
            handler.tell({"choices": [{"delta": {"tool_calls": [part]}}]})
        handler.tell({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}}]})
        handler.tell({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})

    fake.faults.append(call)
    question = ask()
    question.tell = told.append
    answer = engine.begin(question).result(20)
    made = {"id": "c1", "type": "function", "function": {"name": "gates", "arguments": '{"a": 1}'}}
    assert (answer.finish_reason, answer.tool_calls, len(told)) == ("tool_calls", (made,), 2)


def test_a_refused_question_says_why(start: Open) -> None:
    engine, fake = start()
    fake.faults.append(refuse(422))
    with pytest.raises(BadQuestionError, match="refuses it: 422 no, 422"):
        engine.begin(ask()).result(20)


def test_bad_settings_are_refused_at_the_start() -> None:
    fake = FakeOpenAi(key="secret")
    given = {"chat_engine": "openai", "chat_url": fake.url, "chat_model": "fake"}
    try:
        with pytest.raises(SettingsError, match="SIGHTLINE_CHAT_URL: the engine 'openai' needs"):
            open_engine(Settings(chat_engine="openai"))
        with pytest.raises(SettingsError, match=r"SIGHTLINE_CHAT_API_KEY: .* refuses it \(401\)"):
            open_engine(Settings(**given))  # pyright: ignore
        with pytest.raises(ModelError, match="has no model 'gpt'; it has fake"):
            open_engine(Settings(**given | {"chat_api_key": "secret", "chat_model": "gpt"}))  # pyright: ignore
        open_engine(Settings(**given | {"chat_api_key": "secret"})).close()  # pyright: ignore
        away = Settings(**given | {"chat_url": "http://127.0.0.1:9/v1"})  # pyright: ignore
        open_engine(away).close()  # it may come yet
    finally:
        fake.close()
