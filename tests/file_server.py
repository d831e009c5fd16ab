"""A local HTTP server that gives one file in parts, as badly as it is told, and a way to reach it by an https URL."""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

URL = "https://models.example/releases/own.onnx"


@dataclass
class FileServer:
    """`cuts`: how many bytes each of the next answers holds, before its connection ends too early."""

    data: bytes
    cuts: list[int] = field(default_factory=list)
    has_ranges: bool = True
    has_etag: bool = True
    status: int = 200
    go_on: threading.Event = field(default_factory=threading.Event)  #: what `holds` waits for after half of the file
    holds: bool = False
    begins: list[int] = field(default_factory=list)  #: where each answer began
    port: int = 0

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @property
    def transport(self) -> httpx.BaseTransport:
        return _ToPort(self.port)

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        etag, begin, status = f'"{self.sha256[:8]}"', 0, self.status
        asked, only_if = to.headers.get("range"), to.headers.get("if-range")
        if asked and self.has_ranges and only_if in (None, etag):
            begin, status = int(asked.removeprefix("bytes=").removesuffix("-")), 206
        self.begins.append(begin)
        if begin >= len(self.data):
            to.send_error(416)
            return
        to.send_response(status)
        to.send_header("Content-Length", str(len(self.data) - begin))
        if self.has_etag:
            to.send_header("ETag", etag)
        if status == 206:
            to.send_header("Content-Range", f"bytes {begin}-{len(self.data) - 1}/{len(self.data)}")
        to.end_headers()
        given = self.data[begin:][: self.cuts.pop(0) if self.cuts else None]
        to.wfile.write(given[: len(given) // 2])
        if self.holds:
            to.wfile.flush()
            self.go_on.wait(60)
        to.wfile.write(given[len(given) // 2 :])


@contextmanager
def serving(data: bytes, *, certificate: Path | None = None, **how: object) -> Iterator[FileServer]:
    """`certificate`: a PEM file with its key, for HTTPS."""
    served = FileServer(data, **how)  # pyright: ignore[reportArgumentType]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.answer(self)

        def log_message(self, format: str, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served.port = server.server_port
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield served
        server.shutdown()


class _ToPort(httpx.HTTPTransport):
    """Plain HTTP to the local server, whatever the URL says."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return super().handle_request(request)
