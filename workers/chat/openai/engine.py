"""The engine `openai`: any server that speaks OpenAI's language, by its address (vLLM, SGLang, llama.cpp, Ollama, …).

Each answer is one streaming request; all run in one thread. What failed before its first token is asked again. A server
that says 429 is asked less at once, and after as long as it says.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncIterator, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Final, Self

import httpx

from sightline.errors import JobCancelledError, ModelError, RetryableError, SettingsError
from sightline.redaction import redact_url
from sightline.settings import Settings
from sightline.wire.models import LoadedModel
from workers.chat.engine import Answer, Message, Question
from workers.chat.openai.answer_stream import AnswerStream, NoChunkError
from workers.chat.openai.in_flight import InFlight
from workers.chat.openai.refusals import (
    KEY_REFUSED,
    ServerFailedError,
    TooLongError,
    TryAgainError,
    no_server,
    no_stream,
    refusal_of,
)

log = logging.getLogger(__name__)

_CONNECT_S: Final = 5.0
_SIGN_OF_LIFE_S: Final = 5.0
_PAUSES_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
_STREAM: Final = "text/event-stream"
_JSON: Final = "application/json"


class OpenAiEngine:
    lets_stand = False  # the server's places are its own

    def __init__(
        self, url: str, model: str, *, key: str = "", most_at_once: int = 32, timeout_s: float = 60, retries: int = 3
    ) -> None:
        self.model = LoadedModel(name=model, sha256="", runtime="openai")
        self._url = url.rstrip("/")
        self._shown = redact_url(self._url)
        self._retries = retries
        self._in_flight = InFlight(most_at_once)
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(timeout_s, connect=_CONNECT_S, pool=None),
            limits=httpx.Limits(max_connections=most_at_once, max_keepalive_connections=most_at_once),
        )
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chat-openai", daemon=True)
        self._thread.start()

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Raises SettingsError or ModelError where the server answers, and does not know the key or the model."""
        if not settings.chat_url:
            raise SettingsError(
                "SIGHTLINE_CHAT_URL: the engine 'openai' needs the address of a server that ends in /v1"
            )
        engine = cls(
            settings.chat_url,
            settings.chat_model,
            key=settings.chat_api_key.get_secret_value(),
            most_at_once=settings.chat_max_in_engine,
            timeout_s=settings.chat_timeout_s,
            retries=settings.chat_retries,
        )
        try:
            engine.check()
        except BaseException:
            engine.close()
            raise
        return engine

    @property
    def most_at_once(self) -> int:
        return self._in_flight.most

    def check(self) -> None:
        """Look whether the server knows the key and the model. One that is away may come yet: that is logged."""
        try:
            models = self._wait(self._models())
        except httpx.HTTPError as error:
            log.warning("SIGHTLINE_CHAT_URL: no answer from %s yet: %r", self._shown, error)
            return
        if models and self.model.name not in models:
            raise ModelError(
                f"SIGHTLINE_CHAT_MODEL: {self._shown} has no model {self.model.name!r}; it has {', '.join(models)}",
                model=self.model.name,
            )

    def begin(self, question: Question) -> Future[Answer]:
        question.check()
        future = Future[Answer]()

        def start() -> None:
            task = self._loop.create_task(self._settle(question, future))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            question.when_called_off(lambda: self._call(task.cancel))

        self._call(start)
        return future

    def close(self) -> None:
        self._wait(self._end())
        self._call(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, act: Any) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _end(self) -> None:
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _models(self) -> list[str]:
        response = await self._client.get(f"{self._url}/models", timeout=_CONNECT_S)
        if response.status_code in KEY_REFUSED:
            raise SettingsError(f"SIGHTLINE_CHAT_API_KEY: {self._shown} refuses it ({response.status_code})")
        if response.is_redirect:
            raise SettingsError(str(refusal_of(response, self._shown)))
        if response.is_success and response.headers.get("Content-Type", "").startswith("text/html"):
            raise SettingsError(str(no_stream(response, self._shown)))
        try:
            return [str(one["id"]) for one in response.json()["data"]] if response.is_success else []
        except (ValueError, TypeError, KeyError):
            return []  # it has no list of models; whether it answers, the first question shows

    async def _settle(self, question: Question, future: Future[Answer]) -> None:
        beat = self._loop.create_task(_beat(question))
        try:
            future.set_result(await self._answer(question, question.messages))
        except asyncio.CancelledError:
            future.set_exception(JobCancelledError("the question was called off"))
        except Exception as error:  # noqa: BLE001 - handed on to whoever waits
            future.set_exception(error)
        finally:
            beat.cancel()

    async def _answer(self, question: Question, messages: Sequence[Message]) -> Answer:
        try:
            return await self._insist(question, messages)
        except TooLongError:
            others = [n for n, one in enumerate(messages[:-1]) if one["role"] not in ("system", "developer")]
            if question.options.too_long == "refuse" or not others:
                raise
        # How many tokens each has, only the server knows: the older half, so that it is not asked many times.
        oldest = set(others[: (len(others) + 1) // 2])
        return await self._answer(question, [one for n, one in enumerate(messages) if n not in oldest])

    async def _insist(self, question: Question, messages: Sequence[Message]) -> Answer:
        """Ask until it answers, as often as it may fail before the first token."""
        failed = 0
        while True:
            try:
                async with self._in_flight.place():
                    answer = await self._ask(question, messages)
                self._in_flight.went_well()
                return answer
            except TryAgainError as error:
                failed += 1
                if failed > self._retries:
                    if error.is_outage:
                        raise RetryableError(str(error), retry_after_s=error.after_s or _PAUSES_S[-1]) from error
                    raise ServerFailedError(str(error)) from error
                pause_s = error.after_s or _PAUSES_S[min(failed, len(_PAUSES_S)) - 1]
                log.info("%s; again in %.2g s", error, pause_s)
                await asyncio.sleep(pause_s)

    async def _ask(self, question: Question, messages: Sequence[Message]) -> Answer:
        stream = AnswerStream(question, self.model.name)
        try:
            async with self._client.stream(
                "POST", f"{self._url}/chat/completions", json=self._body(question, messages)
            ) as it:
                if not it.is_success:
                    await it.aread()
                    if it.status_code == 429:
                        self._in_flight.is_too_much()
                    raise refusal_of(it, self._shown)
                await self._take(it, stream)
        except NoChunkError as error:
            if stream.has_begun:
                raise RetryableError(f"{self._shown} broke off in the middle of an answer: {error}") from error
            raise TryAgainError(no_server(self._shown, str(error)), is_outage=False) from error
        except httpx.HTTPError as error:
            if stream.has_begun:
                raise RetryableError(f"{self._shown} broke off in the middle of an answer: {error!r}") from error
            raise TryAgainError(f"{self._shown} does not answer: {error!r}") from error
        if not stream.is_whole:
            if stream.has_begun:
                raise RetryableError(f"{self._shown} broke off in the middle of an answer")
            raise TryAgainError(no_server(self._shown, "an empty stream"), is_outage=False)
        return stream.answer

    async def _take(self, response: httpx.Response, stream: AnswerStream) -> None:
        """What a success holds: mostly a stream. Servers that know none give the answer whole."""
        kind = response.headers.get("Content-Type", _STREAM).partition(";")[0].strip().lower()
        if kind == _STREAM:
            async for data in _events(response):
                stream.take(data)
            return
        await response.aread()
        if kind != _JSON:
            raise no_stream(response, self._shown)
        try:
            stream.take_whole(response.json())
        except (ValueError, NoChunkError) as error:
            raise no_stream(response, self._shown) from error

    def _body(self, question: Question, messages: Sequence[Message]) -> dict[str, Any]:
        options = question.options
        wanted = options.model_dump(
            mode="json",
            exclude_none=True,
            include={"max_tokens", "temperature", "top_p", "seed", "tool_choice", "response_format"},
        )
        lists = {"stop": list(options.stop), "tools": list(options.tools)}
        return {
            "model": options.model or self.model.name,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **wanted,
            **{name: value for name, value in lists.items() if value},
        }


async def _beat(question: Question) -> None:
    """Whether the server is silent for too long is said by its own time-out."""
    while True:
        await asyncio.sleep(_SIGN_OF_LIFE_S)
        question.tell({})


async def _events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """What server-sent events hold, until `[DONE]`."""
    async for line in response.aiter_lines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            return
        try:
            yield json.loads(data)
        except ValueError as error:
            raise NoChunkError(f"a stream with {data!r:.80}, which is no JSON") from error
