"""What OpenAI's clients send, and what becomes of it; what is wrong is told by its place."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from sightline.chat.held_schemas import check_held
from sightline.chat.question import question_of, urls_of
from sightline.chat.request import ChatRequest
from sightline.errors import BadImageError, BadMessageError
from sightline.settings import Settings
from sightline.submission.jobs import NewFrame
from sightline.submission.texts import NewText
from sightline.testing import make_picture
from sightline.types import Lane

PICTURE = make_picture("AB12CD")
DATA_URL = f"data:image/jpeg;base64,{base64.b64encode(PICTURE).decode()}"
HELLO = [{"role": "user", "content": "Hello"}]


def asked(**given: Any) -> ChatRequest:
    return ChatRequest.model_validate({"model": "smollm2", "messages": HELLO, **given})


def test_messages_stay_as_they_are_and_pictures_become_parts() -> None:
    content = [
        {"type": "text", "text": "Which car is it?"},
        {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://example.org/car.jpg"}},
    ]
    request = asked(messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": content}])
    assert urls_of(request) == ["https://example.org/car.jpg"]
    other = make_picture("XY98ZW")
    items, options = question_of(request, {"https://example.org/car.jpg": other}, Settings())
    text, *pictures = items
    assert isinstance(text, NewText)
    assert json.loads(text.text) == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Which car is it?"},
                {"type": "part", "part": 1},
                {"type": "part", "part": 2},
            ],
        },
    ]
    assert [picture.data for picture in pictures if isinstance(picture, NewFrame)] == [PICTURE, other]
    assert options == {"text_is": "messages"}


def test_what_is_said_beside_the_messages_becomes_options() -> None:
    tools = [{"type": "function", "function": {"name": "count", "parameters": {"type": "object"}}}]
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    given = {"temperature": 0.0, "top_p": 0.5, "seed": 7, "tools": tools, "tool_choice": "auto"}
    given |= {"too_long": "leave_out_oldest"}
    _, options = question_of(
        asked(**given, max_tokens=5, max_completion_tokens=9, stop="END", response_format=form), {}, Settings()
    )
    expected = {**given, "max_tokens": 9, "stop": ["END"], "response_format": form}
    assert options == {**expected, "text_is": "messages"}


def test_default_and_the_model_of_the_settings_are_whichever_the_worker_has() -> None:
    assert "model" not in question_of(asked(model="default"), {}, Settings()).options
    assert question_of(asked(model="other"), {}, Settings()).options["model"] == "other"
    by_path = Settings(chat_model="/models/large.gguf")
    assert "model" not in question_of(asked(model="large"), {}, by_path).options


def test_calls_of_tools_and_their_answers_are_passed_on() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "count", "arguments": "{}"}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
    ]
    text = question_of(asked(messages=messages), {}, Settings()).items[0]
    assert isinstance(text, NewText)
    said = json.loads(text.text)
    assert said[1] == {"role": "assistant", "tool_calls": [call]}
    assert said[2] == {"role": "tool", "tool_call_id": "c1", "content": "3"}


@pytest.mark.parametrize(("tier", "lane"), [(None, Lane.INTERACTIVE), ("auto", Lane.INTERACTIVE), ("flex", Lane.BULK)])
def test_flex_is_the_bulk_lane(tier: str | None, lane: Lane) -> None:
    assert asked(service_tier=tier).lane is lane


def test_what_asks_for_nothing_is_passed_over() -> None:
    given = {"n": 1, "logprobs": False, "user": "u", "presence_penalty": 0, "metadata": {"a": "b"}, "store": False}
    question_of(asked(**given, frequency_penalty=0.0, logit_bias={}, top_logprobs=None), {}, Settings())


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"n": 2}, "n", "2 is not supported; one answer is given"),
        ({"logprobs": True}, "logprobs", "likelihoods are not told"),
        ({"presence_penalty": 0.5}, "presence_penalty", "no such penalty"),
        ({"functions": [{"name": "f"}]}, "functions", "give them as `tools`"),
        ({"stop": ["x"] * 9}, "stop", "at most 8 items"),
        ({"stop": 3}, "stop", "(got 3)"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content", "a text or a list of parts (got 5)"),
        ({"messages": [{"role": "user"}]}, "messages.0.content", "a text or a list of parts (got None)"),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages.0.content.0", "must be {"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "messages.0.content.0", "(got 'a')"),
        ({"response_format": {"type": "xml"}}, "response_format.type", "json_schema (got 'xml')"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "must be {"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "objekt"}}}},
            "response_format.json_schema.schema.type",
            "no JSON schema: 'objekt' is not valid",
        ),
        ({"tools": [{"type": "function"}]}, "tools.0", "must be {"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"required": 1}}}]},
            "tools.0.function.parameters.required",
            "no JSON schema: 1 is not of type 'array'",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place(given: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(BadMessageError) as raised:
        question_of(asked(**given), {}, Settings())
    assert raised.value.field == field
    assert str(raised.value).startswith(f"{field}: ")
    assert said in str(raised.value)


def test_a_schema_nested_too_deep_is_told() -> None:
    schema: dict[str, Any] = {}
    for _ in range(150):
        schema = {"properties": {"a": schema}}
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    with pytest.raises(BadMessageError, match="nested too deep"):
        question_of(asked(response_format=form), {}, Settings())


def picture(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def test_a_picture_that_is_none_is_told_by_its_place() -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(b"no picture").decode()
    with pytest.raises(BadImageError, match=r"messages\.0\.content\.0: .*no JPEG"):
        question_of(asked(messages=picture(url)), {}, Settings())
    with pytest.raises(BadMessageError, match=r"messages\.0\.content\.0: no base64"):
        question_of(asked(messages=picture("data:image/jpeg;base64,§")), {}, Settings())


def test_more_pictures_than_an_item_may_have_are_refused() -> None:
    parts = [{"type": "image_url", "image_url": {"url": DATA_URL}}] * 16
    with pytest.raises(BadMessageError, match="16 pictures and sounds, at most 15"):
        question_of(asked(messages=[{"role": "user", "content": parts}]), {}, Settings())


def test_a_question_that_is_too_long_is_told_by_its_field_and_cure() -> None:
    long = asked(messages=[{"role": "user", "content": "x" * 1_100_000}])
    with pytest.raises(BadMessageError, match=r"messages: 1\.1 MB of text, at most 1 MB; shorten it") as refused:
        question_of(long, {}, Settings())
    assert refused.value.field == "messages"


def test_what_an_engine_cannot_hold_an_answer_to_is_told_by_its_place() -> None:
    tools = [{"type": "function", "function": {"name": "count"}}]
    schema = {"type": "object", "properties": {"plate": {"type": "string", "pattern": "[A-Z]+"}}}
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    for given, field in (
        ({"tools": tools}, "tools"),
        ({"response_format": form}, "response_format.json_schema.schema.properties.plate.pattern"),
    ):
        with pytest.raises(BadMessageError, match=field.replace(".", r"\.")) as refused:
            check_held(asked(**given))
        assert refused.value.field == field
    check_held(asked(tools=tools, tool_choice="none"))
