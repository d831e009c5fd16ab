"""Opens a gate for plates on the list `allow`: `GATE_SECRET=whsec_… python open_gate.py [PORT]`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = base64.b64decode(os.environ["GATE_SECRET"].removeprefix("whsec_"))
TOO_LATE_S = 20  # a car that was here longer ago has left, or somebody else stands there now
opened: set[str] = set()


def open_gate(plate: str) -> None:
    print(f"open the gate for {plate}", flush=True)  # your relay, your PLC


def is_ours(headers: Any, body: bytes) -> bool:
    """Whether Sightline signed this, in the last five minutes."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(SECRET, signed, hashlib.sha256)).decode()
    is_signed = any(hmac.compare_digest(f"v1,{expected}", each) for each in headers["webhook-signature"].split())
    return is_signed and abs(time.time() - int(headers["webhook-timestamp"])) < 300


def handle(event: dict[str, Any]) -> None:
    passage = event["data"]
    match = passage.get("match")
    if match is None or match["list"] != "allow" or passage["passage_id"] in opened:
        return
    age = datetime.now(UTC) - datetime.fromisoformat(passage["last_seen"])
    if age.total_seconds() < TOO_LATE_S:
        opened.add(passage["passage_id"])
        open_gate(passage["text"])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not is_ours(self.headers, body):
            self.send_response(401)
        else:
            handle(json.loads(body))
            self.send_response(204)
        self.end_headers()


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    ThreadingHTTPServer(("127.0.0.1", port), Receiver).serve_forever()
