"""The soak's questions: each way they may end is counted for what it is, and what should not happen is told."""

from __future__ import annotations

import io
import json
import threading
import wave
from pathlib import Path

import httpx
import pytest

from benchmarks.soak import questions
from benchmarks.soak.report import rows_of
from benchmarks.soak.run import Result, Sample


def _story(seconds: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(16_000)
        target.writeframes(bytes(32_000 * seconds))
    return file.getvalue()


def _said(request: httpx.Request) -> httpx.Response:
    """As the API does: pieces, a refusal in the stream where a question is too long, a schema refused at once."""
    if request.url.path.endswith("transcriptions"):
        with wave.open(io.BytesIO(request.content[request.content.index(b"RIFF") :])) as sound:
            assert sound.getnframes() >= 16_000 * 20
        return httpx.Response(200, json={"text": "Hello."})
    asked = json.loads(request.content)
    if "response_format" in asked:
        return httpx.Response(400, json={"error": {"type": "invalid_request_error"}})
    content = asked["messages"][0]["content"]
    chunk = {"error": {"type": "invalid_request_error"}} if len(content) > 9_000 else {"content": "Hello."}
    return httpx.Response(200, text=f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n")


def _run(
    pipelines: list[str], answer: httpx.MockTransport, monkeypatch: pytest.MonkeyPatch, seen: int = 200
) -> questions.Askers:
    monkeypatch.setattr(questions, "speak", lambda *_: _story(180))
    enough, count = threading.Event(), iter(range(seen))

    def counted(request: httpx.Request) -> httpx.Response:
        if next(count, None) is None:
            enough.set()
        return answer.handle_request(request)

    askers = questions.Askers(
        lambda: httpx.Client(transport=httpx.MockTransport(counted), base_url="http://api"), Path(), pipelines, 0.9
    )
    askers.start()
    assert enough.wait(60)
    askers.stop()
    return askers


def test_each_way_to_end_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    askers = _run(["chat", "transcribe"], httpx.MockTransport(_said), monkeypatch)
    assert set(askers.ended) == {"answered", "given up", "refused", "read"}
    assert not askers.failed


def test_what_should_not_happen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = 'data: {"error": {"type": "server_error"}}\n\n'
    askers = _run(["chat"], httpx.MockTransport(lambda _: httpx.Response(200, text=broken)), monkeypatch, seen=20)
    assert "server_error" in str(askers.failed)
    assert not askers.ended


def test_who_grew_is_told_from_who_filled_its_caches_first() -> None:
    def samples(*megabytes: int) -> list[Sample]:
        return [Sample(number, 100_000_000, 1_000_000 * size, 5) for number, size in enumerate(megabytes)]

    result = Result(samples={"flat": samples(10, 30, *[50] * 8), "grows": samples(*range(50, 60))})
    assert {row["role"]: row["grew"] for row in rows_of(result)} == {"flat": False, "grows": True}
