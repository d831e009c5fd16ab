"""A camera on the network: `python -m benchmarks.chaos.roles.stream PORT SEED` serves MJPEG over HTTP.

Ten pictures a second. When it is killed the stream breaks, and nobody answers until it is back.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np

from benchmarks.chaos.load import text_of
from sightline.testing import make_picture

_FPS = 10
_PICTURES = 40
_WIDTH, _HEIGHT = 320, 240


def texts_of(seed: int) -> set[str]:
    """What its pictures show."""
    return {text_of(seed, number) for number in range(_PICTURES)}


def _draw(text: str) -> bytes:
    image = cv2.imdecode(np.frombuffer(make_picture(text, width=_WIDTH, height=_HEIGHT), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return cv2.imencode(".jpg", image)[1].tobytes()


class _Handler(BaseHTTPRequestHandler):
    pictures: list[bytes]

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "multipart/x-mixed-replace; boundary=next")
        self.end_headers()
        number = 0
        while True:
            jpeg = self.pictures[number % len(self.pictures)]
            head = f"--next\r\ncontent-type: image/jpeg\r\ncontent-length: {len(jpeg)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + jpeg + b"\r\n")
            except OSError:
                return  # nobody looks any more
            number += 1
            time.sleep(1 / _FPS)

    def log_message(self, format: str, *args: Any) -> None:
        """Not a line for each."""


def main() -> None:
    port, seed = int(sys.argv[1]), int(sys.argv[2])
    _Handler.pictures = [_draw(text_of(seed, number)) for number in range(_PICTURES)]
    with ThreadingHTTPServer(("127.0.0.1", port), _Handler) as server:
        server.daemon_threads = True
        print("ready.", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
