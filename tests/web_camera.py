"""Cameras that speak HTTP, as the tests want them: every answer is said by the test."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

USER, PASSWORD = "admin", "p@ss/w#rd"
NONCE, REALM = "dcd98b7102dd2f0e", "camera"


@dataclass
class WebCamera:
    """`answer` gives each answer: status, headers, body. `asked` are the requests so far: path and headers."""

    answer: Callable[[str, Any], tuple[int, dict[str, str], bytes]]
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def web_camera(answer: Callable[[str, Any], tuple[int, dict[str, str], bytes]]) -> Iterator[WebCamera]:
    camera = WebCamera(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            camera.asked.append((self.path, dict(self.headers)))
            status, headers, body = camera.answer(self.path, self.headers)
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        camera.port = server.server_port
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield camera
        finally:
            server.shutdown()
            thread.join(5)


def asks_for_basic(headers: Any) -> bool:
    """Whether a request lacks the right password."""
    token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return headers.get("Authorization") != f"Basic {token}"


BASIC = {"WWW-Authenticate": 'Basic realm="camera"'}
DIGEST = {"WWW-Authenticate": f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5'}


def asks_for_digest(headers: Any) -> bool:
    """The same by RFC 7616."""
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', headers.get("Authorization", "")))
    if given.get("nonce") != NONCE:
        return True
    secret, request = _md5(f"{USER}:{REALM}:{PASSWORD}"), _md5(f"GET:{given['uri']}")
    return given["response"] != _md5(f"{secret}:{NONCE}:{given['nc']}:{given['cnonce']}:{given['qop']}:{request}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
