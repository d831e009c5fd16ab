"""A system whose chat workers have the stub engine, with an API in front of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import openai

from sightline.delivery.publisher import Publisher
from sightline.redis.connection import connect
from sightline.settings import Settings
from storage.access.keys import Role, create_key
from tests.acceptance.parts.system import ROOT, System
from tests.conftest import free_port

#: The stub says back what it is asked, a word at a step of so many ms.
STEP_MS = 30
WORDS = " ".join(f"word{number}" for number in range(40))


class Doors:
    """Who asks it has an operator's key."""

    def __init__(self, system: System, url: str, key: str) -> None:
        self.system, self.url, self.key = system, url, key

    @property
    def settings(self) -> Settings:
        return self.system.settings

    def client(self, **given: Any) -> openai.OpenAI:
        http = httpx.Client(trust_env=False)
        ours = {"base_url": f"{self.url}/v1", "api_key": self.key, "http_client": http, "max_retries": 0}
        return openai.OpenAI(**{**ours, **given})

    def ask(self, text: str = "one two three", **given: Any) -> Any:
        with self.client() as client:
            messages: Any = [{"role": "user", "content": text}]
            answer: Any = client.chat.completions.create(**{"model": "stub", "messages": messages, **given})
            return list(answer) if given.get("stream") else answer

    def command(self, *arguments: str | Path, **given: Any) -> subprocess.Popen[str]:
        """`sightline` as somebody types it."""
        return subprocess.Popen(
            [sys.executable, "-m", "sightline", *map(str, arguments)],
            cwd=ROOT,
            env=self.system.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **given,
        )

    def run(self, *arguments: str | Path) -> tuple[int, str, str]:
        """Its exit code, and what it printed."""
        process = self.command(*arguments)
        said, complained = process.communicate(timeout=120)
        return process.returncode, said, complained

    def outcomes(self, source: str = "chat.doors") -> dict[str, int]:
        """Of the questions of a source, as the ledger counted them; else of this key."""
        ledger = Publisher.from_settings(self.settings).ledger
        found = ledger.counts().get(source, {})
        return {name: count for name, count in found.items() if name != "published"}

    def has_said_something(self) -> bool:
        """Whether pieces of an answer are there."""
        redis = connect(self.settings.redis_url)
        found = next(redis.scan_iter("sightline:deltas:*"), None)
        redis.close()
        return found is not None

    def wait_until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < until
            time.sleep(0.05)


@contextmanager
def opened_doors(folder: Path, redis_url: str, **changes: object) -> Iterator[Doors]:
    models, port = folder / "models.toml", free_port()
    models.write_text(f'[models.stub]\nkind = "stub"\ncall_ms = {STEP_MS}\n')
    url = f"http://127.0.0.1:{port}"
    stub = {"chat_engine": "stub", "chat_model": "stub", "models_file": models}
    ours = {"api_port": port, "api_url": url, "max_open_frames_per_source": 50, **stub}
    system = System(folder, redis_url, **{**ours, **changes})
    with system.database() as database:
        key = create_key(database, "doors", Role.OPERATOR)
    with (folder / "api.log").open("wb") as log:
        api = subprocess.Popen(
            [sys.executable, "-m", "producers.api"], cwd=ROOT, env=system.environment, stdout=log, stderr=log
        )
    made = Doors(system, url, key)
    try:
        made.wait_until(lambda: _answers(url))
        yield made
    finally:
        api.send_signal(signal.SIGTERM)
        api.wait(15)
        system.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).is_success
    except httpx.HTTPError:
        return False
