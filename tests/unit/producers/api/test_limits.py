"""The outer layers of the app, driven as a server drives them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.middleware import limits
from producers.api.middleware.headers import ResponseHeaders
from producers.api.middleware.limits import BodyLimit

MB = 1_000_000


async def count_bytes(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await JSONResponse(len(body))(scope, receive, send)


async def ignore_body(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse("unread", status_code=401)(scope, receive, send)


class Client:
    """Sends a body part by part; after the last one it is silent."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = list(parts)
        self.read = 0
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self.read == len(self._parts):
            await asyncio.Event().wait()
        part = self._parts[self.read]
        self.read += 1
        return {"type": "http.request", "body": part, "more_body": self.read < len(self._parts)}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return self.sent[0]["status"]

    @property
    def body(self) -> Any:
        return json.loads(b"".join(message.get("body", b"") for message in self.sent))

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}


async def call(
    app: ASGIApp, *parts: bytes, path: str = "/v1/jobs", length: int | None = None, **headers: str
) -> Client:
    client = Client(parts)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    named |= {"transfer-encoding": "chunked"} if length is None and parts else {}
    named |= {"content-length": str(length)} if length is not None else {}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }
    await asyncio.wait_for(app(scope, client.receive, client.send), 5)
    return client


async def test_a_body_within_the_limit_passes_whether_announced_or_not() -> None:
    app = BodyLimit(count_bytes, max_mb=2)
    assert (await call(app, bytes(2 * MB), length=2 * MB)).body == 2 * MB
    assert (await call(app, bytes(MB), bytes(MB))).body == 2 * MB


async def test_a_body_announced_too_large_is_refused_unread_by_the_app() -> None:
    client = await call(BodyLimit(count_bytes, max_mb=2), *[bytes(MB)] * 100, length=100 * MB)
    assert client.status == 413
    assert client.body["detail"].startswith("request body: 100.0 MB, at most 2 MB are accepted")
    assert client.headers["connection"] == "close"


async def test_a_body_that_grows_too_large_is_refused_whatever_the_app_makes_of_it() -> None:
    async def swallow(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Request(scope, receive).body()
        except Exception:  # noqa: BLE001 - as FastAPI does when it reads JSON
            await JSONResponse("bad JSON", status_code=400)(scope, receive, send)

    for app in (count_bytes, swallow):
        client = await call(BodyLimit(app, max_mb=2), *[bytes(MB)] * 5)
        assert client.status == 413
        assert "more than 2 MB" in client.body["detail"]


async def test_only_uploads_may_be_large() -> None:
    client = await call(BodyLimit(count_bytes, max_mb=64), bytes(2 * MB), path="/v1/cameras", length=2 * MB)
    assert client.status == 413


async def test_the_answer_comes_at_once_and_the_rest_of_the_body_is_thrown_away() -> None:
    client = Client([bytes(10)] * 4)
    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": [(b"content-length", b"40")]}
    at_answer: list[int] = []

    async def send(message: Message) -> None:
        at_answer.append(client.read)
        await client.send(message)

    await asyncio.wait_for(BodyLimit(ignore_body, max_mb=1)(scope, client.receive, send), 5)
    assert at_answer == [0, 0, 4]  # head and body of the answer while nothing was read, its end when all was
    assert client.body == "unread"


async def test_a_silent_client_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SILENCE_S", 0.05)
    monkeypatch.setattr(limits, "_LINGER_S", 0.05)
    client = Client([bytes(10)])
    scope = {"type": "http", "method": "POST", "path": "/v1/jobs", "headers": [(b"content-length", b"20")]}
    client._parts.append(b"")  # pyright: ignore[reportPrivateUsage]

    async def receive() -> Message:
        if client.read:
            await asyncio.Event().wait()
        return await client.receive()

    await asyncio.wait_for(BodyLimit(count_bytes, max_mb=1)(scope, receive, client.send), 5)
    assert client.status == 408


async def test_a_wait_without_a_body_is_not_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SILENCE_S", 0.01)

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.1)  # waits for the client to leave
        await JSONResponse("done")(scope, receive, send)

    assert (await call(BodyLimit(wait, max_mb=1))).body == "done"


async def test_an_unexpected_error_is_a_problem_without_internals(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("password=hunter2")

    client = await call(ResponseHeaders(fail), x_request_id="find-me")
    assert client.status == 500
    assert client.headers["x-request-id"] == "find-me"
    assert client.headers["x-frame-options"] == "DENY"
    assert client.body["detail"].endswith("under request find-me")
    assert "hunter2" not in str(client.body)
    assert "hunter2" in caplog.text
    assert "find-me" in caplog.text


async def test_a_client_that_leaves_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def leave(scope: Scope, receive: Receive, send: Send) -> None:
        raise ClientDisconnect

    with caplog.at_level(logging.INFO):
        assert (await call(ResponseHeaders(leave))).sent == []
    assert caplog.records == []


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\nb"])
async def test_a_request_id_that_could_do_harm_is_replaced(given: str) -> None:
    client = await call(ResponseHeaders(ignore_body), x_request_id=given)
    assert client.headers["x-request-id"] not in (given, "")
