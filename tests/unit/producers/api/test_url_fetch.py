"""Fetching by URL against servers of our own. They are on loopback, which is allowed for these tests only."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from producers.api.uploads import url_fetch
from producers.api.uploads.addresses import Address
from producers.api.uploads.url_fetch import fetch_images
from sightline.errors import SourceError, UnsafeUrlError
from sightline.settings import Settings

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def settings() -> Settings:
    return Settings(max_image_mb=0.1, max_upload_mb=0.15, url_fetch_timeout_s=0.5)


@pytest.fixture
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def is_allowed(address: Address, *, private: bool) -> bool:
        return str(address) == "127.0.0.1"

    monkeypatch.setattr(url_fetch, "is_allowed", is_allowed)


@asynccontextmanager
async def server(*answers: bytes | Answer) -> AsyncIterator[tuple[str, list[str]]]:
    """Gives one answer a connection. Yields its URL and the heads of the requests it got."""
    heads: list[str] = []
    serving: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        answer = answers[min(len(heads), len(answers)) - 1]
        try:
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(heads[-1], writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", heads
    for task in filter(None, serving):
        task.cancel()
    await asyncio.gather(*filter(None, serving), return_exceptions=True)
    await asyncio.sleep(0)  # the transports are closed in the next round of the loop


def ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


@pytest.mark.usefixtures("loopback_allowed")
class TestAllowedHost:
    async def test_gives_the_bytes_in_the_order_of_the_urls(self, settings: Settings) -> None:
        async def echo_path(head: str, writer: asyncio.StreamWriter) -> None:
            path = head.split()[1]
            await asyncio.sleep(0.05 if path == "/a" else 0)
            writer.write(ok(path.encode()))
            await writer.drain()

        async with server(echo_path) as (url, _):
            assert await fetch_images([f"{url}/a", f"{url}/b?c=d", f"{url}/a"], settings) == [b"/a", b"/b?c=d", b"/a"]

    async def test_asks_by_name_without_cookies_or_compression(self, settings: Settings) -> None:
        async with server(ok(b"x", "Set-Cookie: a=b")) as (url, heads):
            by_name = url.replace("127.0.0.1", "localhost")
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # a proxy would do the resolving
                _only_ipv4(patch)
                await fetch_images([f"{by_name}/x#part"], settings)
        assert f"host: {by_name.removeprefix('http://')}" in heads[0].lower()
        assert "accept-encoding: identity" in heads[0].lower()
        assert heads[0].startswith("GET /x HTTP/1.1")

    async def test_follows_redirects_to_allowed_hosts(self, settings: Settings) -> None:
        async with server(redirect("/b"), redirect("c"), redirect("/d"), ok(b"there")) as (url, heads):
            assert await fetch_images([f"{url}/a"], settings) == [b"there"]
        assert [head.split()[1] for head in heads] == ["/a", "/b", "/c", "/d"]

    async def test_but_not_for_ever(self, settings: Settings) -> None:
        async with server(redirect("/again")) as (url, _):
            with pytest.raises(SourceError, match="more than 3 redirects"):
                await fetch_images([url], settings)

    @pytest.mark.parametrize(
        "to", ["http://10.0.0.1/", "http://[::1]/", "//169.254.169.254/", "file:///etc/passwd", "http://u:p@127.0.0.1/"]
    )
    async def test_refuses_redirects_elsewhere(self, settings: Settings, to: str) -> None:
        async with server(redirect(to)) as (url, heads):
            with pytest.raises(UnsafeUrlError):
                await fetch_images([url], settings)
        assert len(heads) == 1

    @pytest.mark.parametrize("to", ["http://[", "http://127.0.0.1:99999/", "\x7f"])
    async def test_refuses_redirects_to_nonsense(self, settings: Settings, to: str) -> None:
        async with server(redirect(to)) as (url, _):
            with pytest.raises((UnsafeUrlError, SourceError)):
                await fetch_images([url], settings)

    async def test_stops_at_the_size_limit_announced_or_not(self, settings: Settings) -> None:
        sent = 0

        async def endless(_head: str, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while True:
                writer.write(bytes(10_000))
                await writer.drain()
                sent += 10_000

        announced = b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\nConnection: close\r\n\r\n"
        for answer in (endless, announced):
            async with server(answer) as (url, _):
                with pytest.raises(SourceError, match=r"more than 0\.1 MB"):
                    await fetch_images([url], settings)
        assert sent < 20_000_000

    async def test_limits_all_urls_together(self, settings: Settings) -> None:
        async with server(ok(bytes(90_000))) as (url, _):
            assert len(await fetch_images([url], settings)) == 1
            with pytest.raises(SourceError, match=r"more than 0\.15 MB together"):
                await fetch_images([url, url], settings)

    async def test_limits_the_whole_time_of_a_fetch(self, settings: Settings) -> None:
        async def trickle(_head: str, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(100):  # each part comes in time, the whole does not
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)

        async with server(trickle) as (url, _):
            with pytest.raises(SourceError, match=r"within 0\.5 s"):
                await asyncio.wait_for(fetch_images([url], settings), 3)

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nshort",
            b"220 I speak another protocol\r\n",
            b"",
        ],
    )
    async def test_names_the_url_when_the_answer_is_no_good(self, settings: Settings, answer: bytes) -> None:
        async with server(answer) as (url, _):
            with pytest.raises(SourceError) as refused:
                await fetch_images([f"{url}/car.jpg?token=hunter2"], settings)
        assert "/car.jpg" in str(refused.value)
        assert "hunter2" not in str(refused.value)

    async def test_tries_every_address_of_a_name(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(url_fetch, "is_allowed", lambda *_args, **_options: True)
        async with server(ok(b"found")) as (url, _):
            port = int(url.rpartition(":")[2])
            _resolve_to(monkeypatch, "127.0.0.2", "127.0.0.1", port=port)
            assert await fetch_images([f"http://camera.example:{port}/"], settings) == [b"found"]


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://example.org/x", "only http"),
        ("example.org/x", "only http"),
        ("http://", "only http"),
        ("http://user:hunter2@example.org/x", "credentials"),
        ("http://hunter2@example.org/x", "credentials"),
        ("http://127.0.0.1/x", "not public"),
        ("http://localhost/x", "not public"),
        ("http://0x7f.1/x", "not public"),
        ("http://2130706433/x", "not public"),
        ("http://[::ffff:127.0.0.1]/x", "not public"),
        ("http://10.0.0.1/x", "SIGHTLINE_ALLOW_PRIVATE_URLS"),
        ("http://1.1.1.1:99999/", "only http"),
        ("http://[::1", "Invalid port"),
        ("http://a\nb/", "non-printable"),
        ("http://xn--/", "resolved"),
        ("http://" + "a" * 300, "resolved"),
    ],
)
async def test_refuses_what_must_not_or_cannot_be_fetched(settings: Settings, url: str, says: str) -> None:
    with pytest.raises((UnsafeUrlError, SourceError)) as refused:
        await fetch_images([url], settings)
    assert says in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_one_private_address_of_a_name_spoils_all(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to(monkeypatch, "93.184.215.14", "127.0.0.1")
    with pytest.raises(UnsafeUrlError, match=r"127\.0\.0\.1 is not public"):
        await fetch_images(["http://two-faced.example/"], settings)


@pytest.mark.usefixtures("loopback_allowed")
async def test_connects_to_the_address_that_was_checked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that gets another address between check and connection (DNS rebinding) changes nothing."""
    async with server(ok(b"x")) as (url, _):
        asked = _resolve_to(monkeypatch, "127.0.0.1", port=int(url.rpartition(":")[2]))
        await fetch_images([url.replace("127.0.0.1", "rebound.example")], settings)
    assert asked == ["rebound.example"]


def _resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str, port: int = 80) -> list[str]:
    """Every name has these addresses. Returns the names asked for; an address asked for stands for itself."""
    asked: list[str] = []
    loop = asyncio.get_running_loop()

    async def getaddrinfo(host: Any, *_args: Any, **_options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name.replace(".", "").isdigit():
            found = (name,)
        else:
            asked.append(name)
            found = addresses
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    return asked


def _only_ipv4(patch: pytest.MonkeyPatch) -> None:
    """`localhost` may have `::1` too, where nothing listens and which is not allowed here."""
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
        return await real(host, port, **(options | {"family": socket.AF_INET}))

    patch.setattr(loop, "getaddrinfo", getaddrinfo)
