"""A small server that speaks OpenAI's language: the stub engine behind HTTP, with faults on order."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from sightline.pipelines.chat import ChatOptions
from workers.chat.engine import BadQuestionError, Question
from workers.chat.stub import StubEngine

#: What a fault does with a request instead of an answer.
Fault = Callable[["_Handler"], None]
_OPTIONS = ("max_tokens", "temperature", "top_p", "seed", "stop", "response_format")


class FakeOpenAi:
    """Serves while it is open. `faults` are used up, one a request; `seen` are the requests' bodies."""

    def __init__(self, *, step_ms: float = 1, most: int = 1000, key: str = "", sees: bool = False) -> None:
        self.engine = StubEngine(most_at_once=64, step_ms=step_ms)
        self.faults: deque[Fault] = deque()
        self.seen: list[dict[str, Any]] = []
        self.most = most  #: at once; more get 429
        self.key = key
        self.sees = sees  #: its model: pictures are no error
        self.page = ""  #: HTML that it says in place of its models
        self.inside = self.most_inside = self.refused = self.given_up = 0
        self.change = threading.Lock()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self.engine.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def refuse(status: int, **headers: str) -> Fault:
    return lambda handler: handler.say(status, {"error": {"message": f"no, {status}"}}, headers)


def say(kind: str, body: str, status: int = 200) -> Fault:
    """Something of a content type."""

    def answer(handler: _Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body.encode())))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


def hang(seconds: float) -> Fault:
    return lambda _: time.sleep(seconds)


def break_off(handler: _Handler) -> None:
    handler.begin()
    handler.tell({"choices": [{"delta": {"content": "half an ans"}}]})


class _Handler(BaseHTTPRequestHandler):
    fake: ClassVar[FakeOpenAi]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        if self.fake.key and self.headers.get("Authorization") != f"Bearer {self.fake.key}":
            self.say(401, {"error": {"message": "who are you?"}})
        elif self.fake.page:
            say("text/html", self.fake.page)(self)
        else:
            self.say(200, {"data": [{"id": "fake"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fake = self.fake
        with fake.change:
            fake.seen.append(body)
            fault = fake.faults.popleft() if fake.faults else None
            is_too_much = fake.inside >= fake.most
            fake.inside += 1
            fake.refused += is_too_much
            if not is_too_much:
                fake.most_inside = max(fake.most_inside, fake.inside)
        try:
            if fault:
                self.close_connection = True
                fault(self)
            elif is_too_much:
                self.say(429, {"error": {"message": "too many"}}, {"Retry-After": "0.05"})
            else:
                self._answer(body)
        except OSError:
            fake.given_up += 1
            self.close_connection = True
        finally:
            with fake.change:
                fake.inside -= 1

    def _answer(self, body: dict[str, Any]) -> None:
        pieces: queue.Queue[str | None] = queue.Queue()
        options = ChatOptions.model_validate({name: body[name] for name in _OPTIONS if name in body})
        messages = [_without_pictures(one) for one in body["messages"]] if self.fake.sees else body["messages"]
        question = Question(messages, options, lambda piece: pieces.put(piece["text"]))
        try:
            future = self.fake.engine.begin(question)
        except BadQuestionError as error:
            code = "context_length_exceeded" if "tokens" in str(error) else "bad"
            self.say(400, {"error": {"message": str(error), "code": code}})
            return
        future.add_done_callback(lambda _: pieces.put(None))
        self.begin()
        try:
            while (text := pieces.get()) is not None:
                self.tell({"model": "fake", "choices": [{"delta": {"content": text}}]})
        except OSError:
            question.call_off()
            raise
        answer = future.result()
        self.tell({"choices": [{"delta": {}, "finish_reason": answer.finish_reason}]})
        usage = {"prompt_tokens": answer.prompt_tokens, "completion_tokens": answer.answer_tokens}
        self.tell({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")
        self.close_connection = True

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def tell(self, chunk: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def say(self, status: int, content: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)


def _without_pictures(message: dict[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, str):
        return message
    return message | {"content": [part for part in content if part["type"] != "image_url"]}
