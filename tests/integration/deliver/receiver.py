"""A webhook receiver as its owner would write it: checks the signature, and acts on each id once."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs/how-to/sinks.md"


def verify_from_the_docs() -> Callable[[str, Any, bytes], dict[str, Any]]:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), names)
    return names["verify"]


class Receiver:
    """`moods` say how the next requests are treated; then all is well.

    A number is answered, `slow` is answered too late, `cut` is acted on but the answer is lost, `wait` is 503 with
    Retry-After.
    """

    def __init__(self, secret: str, moods: Iterable[int | str] = (), slow_s: float = 1.0) -> None:
        self.secret = secret
        self.moods = list(moods)
        self.slow_s = slow_s
        self.events: list[dict[str, Any]] = []  #: acted on, in order
        self.seen: Counter[str] = Counter()  #: how often each id came with a right signature
        self.refuse: Callable[[dict[str, Any]], int | None] = lambda _event: None
        self.lock = threading.Lock()
        self._verify = verify_from_the_docs()

    def treat(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        event = self._verify(self.secret, handler.headers, body)
        with self.lock:
            mood = self.moods.pop(0) if self.moods else self.refuse(event) or 204
            if mood == "cut" or mood == 204:
                self._act(handler.headers["webhook-id"], event)
        if mood == "cut":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if mood == "slow":
            time.sleep(self.slow_s)
            mood = 204
            with self.lock:
                self._act(handler.headers["webhook-id"], event)
        handler.send_response(503 if mood == "wait" else int(mood))
        if mood == "wait":
            handler.send_header("retry-after", "1")
        if mood == 302:
            handler.send_header("location", "/elsewhere")
        handler.send_header("content-length", "0")
        handler.end_headers()

    def texts(self) -> list[str]:
        with self.lock:
            return [event["data"].get("text", "") for event in self.events]

    def _act(self, message_id: str, event: dict[str, Any]) -> None:
        self.seen[message_id] += 1
        if self.seen[message_id] == 1:
            self.events.append(event)

    @contextmanager
    def listen(self, port: int) -> Iterator[None]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                try:
                    receiver.treat(self)
                except OSError:
                    self.close_connection = True  # the sender did not wait

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a connection that was cut

        with Server(("127.0.0.1", port), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            try:
                yield
            finally:
                server.shutdown()
                thread.join()
