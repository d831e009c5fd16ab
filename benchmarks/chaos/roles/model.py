"""A server of language models as OpenAI's language has it: `python -m benchmarks.chaos.roles.model PORT`.

It says back what it is told, a word at a time. How it fails on command is said in a file; see `faults.questions`.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from benchmarks.chaos.switches import FOLDER, MODEL_MOOD_FILE, MOOD_MET_FILE

MODEL: Final = "says-back"
_WORD_S: Final = 0.005
SILENT_S: Final = 3.0  #: longer than who asks waits
_PAGE: Final = b"<!doctype html><title>Sign in</title><p>Your session is over. Please sign in to go on."


class _Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_GET(self) -> None:
        self._say(200, "application/json", json.dumps({"data": [{"id": MODEL}]}).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        mood = self._mood()
        try:
            if mood == "server-500":
                return self._say(500, "application/json", b'{"error": {"message": "CUDA error: an illegal access"}}')
            if mood == "server-html":
                return self._say(200, "text/html", _PAGE)
            if mood == "server-silent":
                return time.sleep(SILENT_S)
            self._answer(re.findall(r"\s*\S+", asked["messages"][-1]["content"]), is_cut=mood == "server-cut")
        except OSError:
            return None  # who asked did not wait

    def log_message(self, format: str, *args: Any) -> None:
        """Not a line for each."""

    def _mood(self) -> str:
        try:
            mood = (self.folder / MODEL_MOOD_FILE).read_text()
        except FileNotFoundError:
            return ""
        (self.folder / MOOD_MET_FILE).touch()
        return mood

    def _answer(self, words: list[str], *, is_cut: bool) -> None:
        self._begin(200, "text/event-stream")
        for word in words[: len(words) // 2] if is_cut else words:
            self._tell({"model": MODEL, "choices": [{"delta": {"content": word}}]})
            time.sleep(_WORD_S)
        if is_cut:
            return
        self._tell({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self._tell({"choices": [], "usage": {"prompt_tokens": len(words), "completion_tokens": len(words)}})
        self.wfile.write(b"data: [DONE]\n\n")

    def _tell(self, chunk: dict[str, Any]) -> None:
        self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self._begin(status, kind)
        self.wfile.write(body)

    def _begin(self, status: int, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Of workers that were killed while they asked."""


def main() -> None:
    _Handler.folder = Path(os.environ[FOLDER])
    with _Server(("127.0.0.1", int(sys.argv[1])), _Handler) as server:
        print("ready.", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
