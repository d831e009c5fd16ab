"""Questions as users ask them: OpenAI's client and LangChain's, a real API, and real workers that are killed."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from langchain_openai import ChatOpenAI

from sightline.delivery.publisher import Publisher
from storage.access.keys import Role, create_key
from storage.results import queries
from tests.acceptance.parts.doors import WORDS, Doors
from tests.integration.api.uploading import jpeg


def test_what_is_wrong_is_told_in_a_sentence_before_anybody_waits(doors: Doors) -> None:
    """No worker runs: nothing of this may wait for one."""
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "objekt"}}}
    user = [{"role": "user", "content": "Hi"}]
    for given, said in (
        ({"messages": []}, "messages: List should have at least 1 item"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages.0.role: Input should be 'system', "),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "messages.0.content: must be a text or a list of parts (got 5)",
        ),
        ({"response_format": schema}, "response_format.json_schema.schema.type: no JSON schema: 'objekt' is not valid"),
        (
            {"messages": [{"role": "user", "content": "x" * 1_100_000}]},
            "messages: 1.1 MB of text, at most 1 MB",
        ),
        ({"temperature": 3}, "temperature: Input should be less than or equal to 2 (got 3)"),
        ({"n": 2}, "n: 2 is not supported; one answer is given"),
    ):
        for stream in (False, True):
            with doors.client() as client, pytest.raises(openai.BadRequestError) as raised:
                client.chat.completions.create(**{"model": "stub", "messages": user, "stream": stream, **given})  # type: ignore[call-overload]
            assert said in str(raised.value)
            assert raised.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError, match="there is no model 'gpt-9'; there is 'stub'") as missing:
        doors.ask(model="gpt-9")
    assert missing.value.code == "model_not_found"
    with (
        doors.client(api_key="sl_wrong") as client,
        pytest.raises(openai.AuthenticationError, match="unknown or revoked"),
    ):
        client.models.list()
    with doors.client() as client, pytest.raises(openai.NotFoundError, match="/v1/embeddings is not offered here"):
        client.embeddings.create(model="stub", input="Hi")
    with doors.system.database() as database:
        viewer = create_key(database, "viewer", Role.VIEWER)
    with doors.client(api_key=viewer) as client:
        assert [model.id for model in client.models.list()] == ["stub"]
        assert client.models.retrieve("stub").id == "stub"
        with pytest.raises(openai.PermissionDeniedError, match="its role is viewer, this needs operator"):
            client.chat.completions.create(model="stub", messages=[{"role": "user", "content": "Hi"}])
    raw = httpx.post(
        f"{doors.url}/v1/chat/completions", content=b"\xff", headers={"X-API-Key": doors.key}, trust_env=False
    )
    assert raw.status_code == 400
    assert "Invalid JSON" in raw.json()["error"]["message"]
    assert doors.outcomes() == {}


def test_a_full_backlog_says_when_to_come_again(doors: Doors) -> None:
    with ThreadPoolExecutor(50) as pool, doors.client(timeout=8) as client:

        def ask(number: int) -> None:
            with contextlib.suppress(openai.APITimeoutError):
                client.chat.completions.create(
                    model="stub", messages=[{"role": "user", "content": f"question {number}"}]
                )

        asked = [pool.submit(ask, number) for number in range(50)]
        doors.wait_until(lambda: Publisher.from_settings(doors.settings).ledger.open_frames() == {"chat.doors": 50})
        with pytest.raises(openai.RateLimitError, match="backlog full") as raised:
            doors.ask("one too many")
        assert int(raised.value.response.headers["retry-after"]) >= 1
        for each in asked:
            each.result()
    doors.system.start("chat", "write")
    doors.system.wait_until_quiet()
    assert doors.outcomes() == {"dropped:cancelled": 50}, "nobody waits for them any more"


def test_clients_of_others_are_answered_whole_and_streamed(doors: Doors) -> None:
    doors.system.start("chat", "write")
    whole = doors.ask("one two three", user="somebody", extra_body={"unknown": 1})
    assert whole.choices[0].message.content == "one two three"
    assert whole.choices[0].finish_reason == "stop"
    assert (whole.model, whole.usage.completion_tokens) == ("stub", 3)
    assert doors.ask("one two three", max_tokens=2).choices[0].finish_reason == "length"

    chunks = doors.ask("one two three", stream=True, stream_options={"include_usage": True})
    assert [chunk.choices[0].delta.content for chunk in chunks[:3]] == ["one", " two", " three"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, None, "stop"]
    assert chunks[-1].usage.completion_tokens == 3

    async def ask_many() -> list[str]:
        async with openai.AsyncOpenAI(
            base_url=f"{doors.url}/v1", api_key=doors.key, http_client=httpx.AsyncClient(trust_env=False)
        ) as client:

            async def ask(number: int) -> str:
                messages: Any = [{"role": "user", "content": f"tell {number}"}]
                stream = await client.chat.completions.create(model="default", messages=messages, stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            return await asyncio.gather(*map(ask, range(12)))

    assert asyncio.run(ask_many()) == [f"tell {number}" for number in range(12)]

    chat = ChatOpenAI(
        base_url=f"{doors.url}/v1",
        api_key=doors.key,  # type: ignore[arg-type]
        model="stub",
        http_client=httpx.Client(trust_env=False),
        max_retries=0,
    )
    assert chat.invoke("say this").content == "say this"
    assert "".join(str(chunk.content) for chunk in chat.stream("say this too")) == "say this too"
    job_id = whole.id.removeprefix("chatcmpl-")
    with doors.system.database() as database:
        stored = queries.get_job(database, job_id)
    assert stored is not None
    assert stored.frames[0].found["answer"] == "one two three"


def test_a_question_its_engine_cannot_answer_is_a_bad_request(doors: Doors) -> None:
    doors.system.start("chat", "write")
    url = f"data:image/jpeg;base64,{base64.b64encode(jpeg()).decode()}"
    content: Any = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match="sees no pictures"):
            doors.ask(content, stream=stream)
    with pytest.raises(openai.BadRequestError, match="has room for 2048"):
        doors.ask("word " * 3000)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_cancels_its_question(doors: Doors, stream: bool) -> None:
    doors.system.start("chat", "write")
    if stream:
        with doors.client() as client:
            answer = client.chat.completions.create(
                model="stub", messages=[{"role": "user", "content": WORDS * 5}], stream=True
            )
            next(iter(answer))
            answer.close()
    else:
        with pytest.raises(openai.APITimeoutError), doors.client(timeout=1) as client:
            client.chat.completions.create(model="stub", messages=[{"role": "user", "content": WORDS * 5}])
    doors.wait_until(lambda: doors.outcomes() == {"dropped:cancelled": 1})


@pytest.mark.parametrize("stream", [False, True])
def test_one_that_goes_away_while_its_question_waits_cancels_it_too(doors: Doors, stream: bool) -> None:
    with pytest.raises(openai.APITimeoutError), doors.client(timeout=1) as client:
        client.chat.completions.create(model="stub", messages=[{"role": "user", "content": "Hi"}], stream=stream)
    doors.system.start("chat", "write")
    doors.wait_until(lambda: doors.outcomes() == {"dropped:cancelled": 1})


def test_in_the_background_it_goes_on(doors: Doors) -> None:
    with pytest.raises(openai.APITimeoutError), doors.client(timeout=1) as client:
        client.chat.completions.create(
            model="stub", messages=[{"role": "user", "content": "Hi"}], extra_body={"background": True}
        )
    doors.system.start("chat", "write")
    doors.wait_until(lambda: doors.outcomes() == {"stored": 1})


@pytest.mark.parametrize("stream", [False, True])
def test_a_worker_killed_in_the_middle_of_an_answer_is_not_noticed(doors: Doors, stream: bool) -> None:
    doors.system.start("chat", "write")

    def kill() -> None:
        doors.wait_until(lambda: doors.has_said_something())
        time.sleep(0.3)
        doors.system.kill("chat")
        doors.system.start("chat2")

    killer = threading.Thread(target=kill)
    killer.start()
    answer = doors.ask(WORDS, stream=stream)
    if stream:
        said = [chunk.choices[0].delta.content or "" for chunk in answer]
        assert "".join(said) == WORDS
    else:
        assert answer.choices[0].message.content == WORDS
    killer.join()
    doors.system.wait_until_quiet()
    assert doors.outcomes() == {"stored": 1}


def test_what_an_answer_cost_is_taken_of_its_keys_tokens(doors: Doors) -> None:
    """Counted by the stub in words: three asked and three said, of 600."""
    doors.system.start("chat", "write")
    with doors.system.database() as database:
        key = create_key(database, "limited", Role.OPERATOR, tokens_per_minute=600)
    messages: Any = [{"role": "user", "content": "one two three"}]
    with doors.client(api_key=key) as client:
        for stream in (False, True):
            raw = client.chat.completions.with_raw_response.create(
                model="stub", messages=messages, max_tokens=500, stream=stream
            )
            assert int(raw.headers["x-ratelimit-remaining-tokens"]) < 100
            answer: Any = raw.parse()
            assert len(list(answer)) > 1 if stream else answer.usage.total_tokens == 6
        with pytest.raises(openai.BadRequestError, match="API key 'limited' has 600 a minute") as refused:
            client.chat.completions.create(model="stub", messages=messages, max_tokens=600)
        assert refused.value.param == "max_tokens"
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=1).chat.completions.create(
                model="stub", messages=[{"role": "user", "content": WORDS * 5}], max_tokens=200
            )
        with pytest.raises(openai.RateLimitError, match="ask again in") as limited:
            client.chat.completions.create(model="stub", messages=messages, max_tokens=500)
        assert int(limited.value.response.headers["retry-after"]) > 20
    assert doors.ask().usage.total_tokens == 6
