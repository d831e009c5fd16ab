"""People who ask questions and have recordings read, all the time, as OpenAI's clients do."""

from __future__ import annotations

import io
import random
import threading
import time
import wave
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.chat.measured import prompts
from benchmarks.speech import speak

_ASKERS: Final = 8
_READERS: Final = 1
_STORY_MINUTES: Final = 3.0
_RECORDING_S: Final = (20, 70)  #: some are cut into pieces, some are not
_ANSWER_TOKENS: Final = (8, 64)
_MANY_WORDS: Final = 9_000  #: more than any model here takes
#: Each asks so many long questions first, which fill the cache of what was read: it grows to its limit once.
_LONG, _LONG_WORDS = 2, 1_500
_ABOUT: Final = prompts(400, "Say")
#: How questions go: answered, given up by who asked, refused as too long, answered in a form of their own.
_KINDS: Final = {"plain": 14, "given up": 3, "too long": 1, "in a form": 2}


class Askers:
    """Runs between `start` and `stop`. `ended` and `failed`: how often what was asked did."""

    def __init__(
        self, open_api: Callable[[], httpx.Client], folder: Path, pipelines: Sequence[str], share: float
    ) -> None:
        """`share` of the time each of them waits for an answer; the rest of it nothing is asked."""
        self.ended: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._open_api = open_api
        self._rest = 1 / share - 1
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        if "chat" in pipelines:
            self._threads += [self._thread(number, self._ask) for number in range(_ASKERS)]
        if "transcribe" in pipelines:
            story = speak(folder, _STORY_MINUTES)
            self._threads += [
                self._thread(_ASKERS + number, lambda api, rng, _: self._have_read(api, rng, story))
                for number in range(_READERS)
            ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)

    def _thread(self, seed: int, act: Callable[[httpx.Client, random.Random, int], str]) -> threading.Thread:
        def run() -> None:
            rng = random.Random(seed)
            with self._open_api() as api:
                count = 0
                while not self._stop.is_set():
                    began_at = time.monotonic()
                    try:
                        self.ended[act(api, rng, count)] += 1
                    except httpx.HTTPError as error:
                        self.failed[f"{error!r:.120}"] += 1
                    count += 1
                    self._stop.wait(self._rest * (time.monotonic() - began_at))

        return threading.Thread(target=run, name=f"asks {seed}", daemon=True)

    def _ask(self, api: httpx.Client, rng: random.Random, count: int) -> str:
        kind = "long" if count < _LONG else rng.choices([*_KINDS], [*_KINDS.values()])[0]
        with api.stream("POST", "/v1/chat/completions", json=_question(kind, rng), timeout=120) as response:
            if response.status_code == 400:
                response.read()
                return "refused"
            response.raise_for_status()
            for line in response.iter_lines():
                if kind == "given up" and '"content"' in line:
                    return "given up"
                if '"error"' in line:
                    if "invalid_request_error" not in line:
                        raise httpx.RemoteProtocolError(line)
                    return "refused"
        return "answered"

    def _have_read(self, api: httpx.Client, rng: random.Random, story: bytes) -> str:
        piece = _cut_out(story, rng.uniform(0, 60 * _STORY_MINUTES - _RECORDING_S[1]), rng.uniform(*_RECORDING_S))
        files = {"file": ("call.wav", piece, "audio/wav")}
        given = {"model": "default", "response_format": "verbose_json"}
        api.post("/v1/audio/transcriptions", files=files, data=given, timeout=300).raise_for_status()
        return "read"


def _question(kind: str, rng: random.Random) -> Mapping[str, Any]:
    text = rng.choice(_ABOUT)
    if kind == "too long":
        text += " and" * _MANY_WORDS
    if kind == "long":
        text += " " + " ".join(str(rng.randrange(1000)) for _ in range(_LONG_WORDS))
    asked: dict[str, Any] = {
        "model": "default",
        "messages": [{"role": "user", "content": text}],
        "stream": True,
        "max_tokens": rng.randint(*_ANSWER_TOKENS),
        "temperature": rng.choice((0.0, 1.0)),
        "stop": rng.choice(([], ["\n\n"])),
    }
    if kind == "in a form":
        name = f"field_{rng.randrange(1000)}"
        schema = {"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]}
        asked["response_format"] = {"type": "json_schema", "json_schema": {"name": "one", "schema": schema}}
    return asked


def _cut_out(story: bytes, start_s: float, length_s: float) -> bytes:
    """A piece of a WAV, as a WAV."""
    piece = io.BytesIO()
    with wave.open(io.BytesIO(story)) as whole, wave.open(piece, "wb") as file:
        file.setparams(whole.getparams())
        whole.setpos(int(start_s * whole.getframerate()))
        file.writeframes(whole.readframes(int(length_s * whole.getframerate())))
    return piece.getvalue()
