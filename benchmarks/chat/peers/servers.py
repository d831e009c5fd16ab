"""The same engine in servers that others made, asked over HTTP."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.chat.measured import Answers
from benchmarks.chat.peers.peer_model import ARGUMENTS
from benchmarks.throughput.peers.serving import TIMEOUT_S, serving, wait_for
from sightline.local.embedded_redis import free_port

#: The packages each needs, and its module here.
PEERS: Final = {"litserve": (("litserve", "multipart"), "peer_litserve"), "ray": (("ray", "multipart"), "peer_ray")}


class Server:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, texts: Sequence[str], max_tokens: int) -> Answers:
        answers, began = Answers(), time.perf_counter()
        with ThreadPoolExecutor(len(texts)) as pool:
            for tokens in pool.map(lambda text: self.post(text, max_tokens), texts):
                answers.tokens += tokens
        answers.seconds = time.perf_counter() - began
        return answers

    def post(self, text: str, max_tokens: int) -> int:
        reply = self._client.post("/predict", json={"text": text, "max_tokens": max_tokens})
        return int(reply.raise_for_status().json()["tokens"])


@contextmanager
def peer(name: str, python: Path, parent: Path, arguments: dict[str, Any]) -> Iterator[Server]:
    """`arguments`: how the model is opened. It answers, while the block runs."""
    port, module = free_port(), f"benchmarks.chat.peers.{PEERS[name][1]}"
    limits = httpx.Limits(max_connections=None)
    with (
        serving(python, module, parent, port, **{ARGUMENTS: json.dumps(arguments)}) as (process, log),
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_S, limits=limits, trust_env=False) as client,
    ):
        server = Server(client)
        wait_for(process, lambda _: server.post("Hello.", 1), log)
        yield server
