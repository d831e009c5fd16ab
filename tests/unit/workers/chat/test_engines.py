"""What every chat engine promises, by whatever it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from sightline.errors import JobCancelledError
from sightline.pipelines.chat import ChatOptions
from workers.chat.engine import Answer, BadQuestionError, ChatEngine, Question
from workers.chat.stub import StubEngine

WAIT_S = 60
LONG = "Count from one to two hundred, one number a line, and leave out none of them."


def open_stub() -> ChatEngine:
    return StubEngine(most_at_once=8, step_ms=1)


@pytest.fixture(scope="module", params=[open_stub], ids=lambda opener: opener.__name__.removeprefix("open_"))
def engine(request: pytest.FixtureRequest) -> Iterator[ChatEngine]:
    opened = request.param()
    yield opened
    opened.close()


class Asked:
    """A question, and what was told of its answer."""

    def __init__(self, engine: ChatEngine, text: str, tell: Callable[[], None] = lambda: None, **options: Any) -> None:
        self.pieces: list[str] = []

        def told(piece: Any) -> None:
            self.pieces.append(piece["text"])
            tell()

        self.question = Question([{"role": "user", "content": text}], ChatOptions(**options), told)
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


def test_the_same_seed_gives_the_same_answer(engine: ChatEngine) -> None:
    given = {"max_tokens": 10, "temperature": 1.0, "seed": 7}
    first, second = (Asked(engine, LONG, **given).answer.text for _ in range(2))
    assert first == second


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
