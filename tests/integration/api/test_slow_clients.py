"""Clients that send slowly, many at a time: they are cut off, and the others are answered meanwhile."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx
import pytest

from producers.api.middleware import limits, protocol
from sightline.settings import Settings

MANY = 200


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 2.0)
    monkeypatch.setattr(limits, "_SILENCE_S", 2.0)


@pytest.fixture
def port(settings: Settings, api_url: str) -> int:
    return settings.api_port


@pytest.mark.parametrize(
    ("first", "drop", "answer"),
    [
        (b"", b"", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X-A: b\r\n", b""),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ", b"a", b""),
        (
            b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\n\r\n",
            b"k",
            b"HTTP/1.1 408",
        ),
    ],
    ids=["silent", "header by header", "byte by byte", "body"],
)
async def test_slow_ones_are_cut_off_and_others_are_answered(
    port: int, first: bytes, drop: bytes, answer: bytes
) -> None:
    slow = [asyncio.create_task(_dribble(port, first, drop)) for _ in range(MANY)]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
        while not all(task.done() for task in slow):
            assert (await client.get("/healthz")).status_code == 200
            await asyncio.sleep(0.1)
    assert all(task.result().startswith(answer) for task in slow)


async def _dribble(port: int, first: bytes, drop: bytes) -> bytes:
    """What came until the server closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = bytearray()

    async def listen() -> None:
        # Part by part: a drop that crosses the close resets the connection, and what came before still counts.
        with suppress(ConnectionError):
            while part := await reader.read(10_000):
                came.extend(part)

    listening = asyncio.create_task(listen())
    with suppress(ConnectionError):
        writer.write(first)
        while not listening.done():
            writer.write(drop)
            await writer.drain()
            await asyncio.wait([listening], timeout=0.3)
    await listening
    writer.close()
    return bytes(came)


async def test_a_whole_request_after_a_pause_is_answered(port: int) -> None:
    """A connection that is kept alive may rest, and a head may come in pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(2):
        for part in (b"GET /healthz HTTP/1.1\r\n", b"Host: 127.0.0.1\r\n", b"\r\n"):
            writer.write(part)
            await asyncio.sleep(0.3)
        assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(1.5)
        await reader.read(100_000)
    writer.close()
