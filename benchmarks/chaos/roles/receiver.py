"""A receiver of webhooks as its owner should write it: `python -m benchmarks.chaos.roles.receiver PORT`.

It acts on each id once. To act is to write a line to its journal, on disk before it answers, so what it did survives
it. How it fails on command is said in a file; see `faults.outside`.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.chaos.switches import FOLDER, MOOD_MET_FILE, RECEIPTS, RECEIVER_MOOD_FILE
from sightline.webhooks import sign

#: It is our own; a sink is made with it.
SECRET = "whsec_" + "c2lnaHRsaW5l" * 3
SLOW_S = 1.5  #: longer than the sender waits


@dataclass(frozen=True)
class Receipt:
    """An event that came."""

    message_id: str
    at: float  #: epoch seconds
    digest: str  #: of the body: names the event whatever its id
    acted: bool  #: False: it was known and skipped


class Receipts:
    """The journal. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._known = {receipt.message_id for receipt in read_receipts(path)}
        self._lock = threading.Lock()
        self._path = path
        if path.exists():
            self._append(b"\n")  # ends a line that a kill cut off: that event was not acted on

    def take(self, message_id: str, body: bytes) -> None:
        """Act on it, if it is new."""
        with self._lock:
            line = [message_id, time.time(), hashlib.sha256(body).hexdigest()[:16], message_id not in self._known]
            self._append(json.dumps(line).encode() + b"\n")
            self._known.add(message_id)

    def _append(self, line: bytes) -> None:
        with self._path.open("ab", buffering=0) as file:
            file.write(line)
            os.fsync(file.fileno())


def read_receipts(path: Path) -> Iterator[Receipt]:
    if path.exists():
        for line in path.read_text().split("\n"):
            try:
                yield Receipt(*json.loads(line))
            except json.JSONDecodeError:
                continue  # empty, or cut off


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    receipts: Receipts
    mood_file: Path

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        message_id, timestamp = self.headers["webhook-id"], int(self.headers["webhook-timestamp"])
        mood = self._mood()
        if not hmac.compare_digest(sign(SECRET, message_id, timestamp, body), self.headers["webhook-signature"]):
            return self._answer(400)
        if mood:
            self.mood_file.with_name(MOOD_MET_FILE).touch()
        if mood == "receiver-500":
            return self._answer(500)
        self.receipts.take(message_id, body)
        if mood == "receiver-slow":
            time.sleep(SLOW_S)
        if mood == "receiver-cut":
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        return self._answer(204)

    def log_message(self, format: str, *args: Any) -> None:
        """Not a line for each."""

    def _mood(self) -> str:
        try:
            return self.mood_file.read_text()
        except FileNotFoundError:
            return ""

    def _answer(self, status: int) -> None:
        try:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()
        except OSError:
            self.close_connection = True  # the sender did not wait


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Of connections that were cut; a test sees what did not arrive."""


def main() -> None:
    folder = Path(os.environ[FOLDER])
    _Handler.receipts = Receipts(folder / RECEIPTS)
    _Handler.mood_file = folder / RECEIVER_MOOD_FILE
    with _Server(("127.0.0.1", int(sys.argv[1])), _Handler) as server:
        print("ready.", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
