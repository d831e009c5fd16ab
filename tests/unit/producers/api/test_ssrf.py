"""Every trick known to make a fetcher ask its own network: the verdict on each, without asking anybody."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from producers.api.uploads import url_fetch
from producers.api.uploads.url_fetch import fetch_images
from sightline.errors import SourceError, UnsafeUrlError
from sightline.settings import Settings

NOT_PUBLIC = "is not public"
UNKNOWN = "cannot be resolved"

#: What is asked, and what the refusal says. None: the connection would be made.
VERDICTS = {
    # this machine, written in every way an address can be
    "http://127.0.0.1/": NOT_PUBLIC,
    "http://127.1/": NOT_PUBLIC,
    "http://127.255.255.254/": NOT_PUBLIC,
    "http://0x7f.1/": NOT_PUBLIC,
    "http://0x7f000001/": NOT_PUBLIC,
    "http://0177.0.0.1/": NOT_PUBLIC,
    "http://2130706433/": NOT_PUBLIC,
    "http://0/": NOT_PUBLIC,
    "http://0.0.0.0/": NOT_PUBLIC,
    "http://[::]/": NOT_PUBLIC,
    "http://[::1]/": NOT_PUBLIC,
    "http://[0:0:0:0:0:0:0:1]/": NOT_PUBLIC,
    "http://[::ffff:127.0.0.1]/": NOT_PUBLIC,
    "http://[::ffff:7f00:1]/": NOT_PUBLIC,
    "http://[::127.0.0.1]/": NOT_PUBLIC,
    "http://localhost/": NOT_PUBLIC,
    "http://LOCALHOST/": NOT_PUBLIC,
    # other dots and digits, which IDNA makes plain ones
    "http://127。0。0。1/": NOT_PUBLIC,
    "http://127．0．0．1/": NOT_PUBLIC,
    "http://①②⑦.⓪.⓪.①/": NOT_PUBLIC,
    # networks of one's own, and what carries their addresses inside
    "http://10.0.0.1/": NOT_PUBLIC,
    "http://172.16.0.1/": NOT_PUBLIC,
    "http://192.168.1.1/": NOT_PUBLIC,
    "http://100.64.0.1/": NOT_PUBLIC,
    "http://[fc00::1]/": NOT_PUBLIC,
    "http://[fd12:3456::1]/": NOT_PUBLIC,
    "http://[fe80::1]/": NOT_PUBLIC,
    "http://[fec0::1]/": NOT_PUBLIC,
    "http://[64:ff9b::7f00:1]/": NOT_PUBLIC,
    "http://[64:ff9b::a9fe:a9fe]/": NOT_PUBLIC,
    "http://[64:ff9b:1::a00:1]/": NOT_PUBLIC,
    "http://[2002:7f00:1::]/": NOT_PUBLIC,
    "http://[2002:a00:1::]/": NOT_PUBLIC,
    "http://[2001:0:5ef5:79fd::80ff:fffe]/": NOT_PUBLIC,
    # metadata services
    "http://169.254.169.254/latest/meta-data/": NOT_PUBLIC,
    "http://[::ffff:169.254.169.254]/": NOT_PUBLIC,
    "http://2852039166/": NOT_PUBLIC,
    "http://0xa9fea9fe/": NOT_PUBLIC,
    "http://168.63.129.16/": NOT_PUBLIC,
    "http://100.100.100.200/": NOT_PUBLIC,
    "http://[fd00:ec2::254]/": NOT_PUBLIC,
    # nobody's, everybody's
    "http://224.0.0.1/": NOT_PUBLIC,
    "http://255.255.255.255/": NOT_PUBLIC,
    "http://240.0.0.1/": NOT_PUBLIC,
    "http://192.0.2.1/": NOT_PUBLIC,
    "http://198.18.0.1/": NOT_PUBLIC,
    "http://[ff02::1]/": NOT_PUBLIC,
    "http://[2001:db8::1]/": NOT_PUBLIC,
    # who is the host, who the user
    "http://example.org@127.0.0.1/": "credentials",
    "http://127.0.0.1@example.org/": "credentials",
    "http://example.org:80@127.0.0.1:81/": "credentials",
    "http://127.0.0.1#@example.org/": NOT_PUBLIC,
    "http://127.0.0.1?@example.org/": NOT_PUBLIC,
    "http://127.0.0.1;@example.org/": "credentials",
    # other schemes
    "file:///etc/passwd": "only http",
    "gopher://127.0.0.1:6379/_FLUSHALL": "only http",
    "ftp://127.0.0.1/": "only http",
    "dict://127.0.0.1:6379/info": "only http",
    "data:image/png;base64,AAAA": "only http",
    "//127.0.0.1/": "only http",
    "http:127.0.0.1": "only http",
    "http:///127.0.0.1": "only http",
    # a request within the request
    "http://127.0.0.1:6379/\r\nFLUSHALL": "non-printable",
    "http://127.0.0.1\t/": "non-printable",
    # what is public
    "http://93.184.215.14/": None,
    "http://[2606:2800:220:1::1]/": None,
    "http://[64:ff9b::5db8:d70e]/": None,
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses a connection would have been made to."""
    hosts: list[str] = []

    async def fetch(address: Any, *_: Any) -> bytes:
        hosts.append(str(address))
        return b"fetched"

    monkeypatch.setattr(url_fetch, "_fetch_from", fetch)
    return hosts


@pytest.mark.parametrize("url", VERDICTS)
async def test_verdict(url: str, asked: list[str]) -> None:
    says = VERDICTS[url]
    if says is None:
        assert await fetch_images([url], Settings()) == [b"fetched"]
        return
    with pytest.raises((UnsafeUrlError, SourceError)) as refused:
        await fetch_images([url], Settings())
    assert asked == []
    # Not every resolver knows every spelling; one that does not has no address to ask, and some are no host at all.
    said = str(refused.value)
    assert says in said or (says is NOT_PUBLIC and (UNKNOWN in said or "Invalid" in said))


@pytest.mark.parametrize("url", [url for url, says in VERDICTS.items() if says is not None])
async def test_the_same_verdict_on_where_a_redirect_leads(
    url: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def redirect(address: Any, *_: Any) -> str:
        asked.append(str(address))
        return url

    monkeypatch.setattr(url_fetch, "_fetch_from", redirect)
    with pytest.raises((UnsafeUrlError, SourceError)):
        await fetch_images(["http://93.184.215.14/"], Settings())
    assert set(asked) == {"93.184.215.14"}


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["169.254.169.254"], ["::1"], ["fe80::1%eth0"], ["::ffff:10.0.0.1"]],
)
@pytest.mark.parametrize("name", ["inside.example", "inside.example.", "ｉｎｓｉｄｅ.example"])
async def test_a_name_is_what_it_leads_to(
    name: str, addresses: list[str], asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve_to(monkeypatch, [addresses])
    with pytest.raises(UnsafeUrlError, match=f"{NOT_PUBLIC}|Invalid IDNA"):
        await fetch_images([f"http://{name}/"], Settings())
    assert asked == []


async def test_a_name_is_resolved_once(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its second answer, which would be this machine, is never asked for (DNS rebinding)."""
    lookups = _resolve_to(monkeypatch, [["93.184.215.14"], ["127.0.0.1"]])
    await fetch_images(["http://rebound.example/"], Settings())
    assert (asked, len(lookups)) == (["93.184.215.14"], 1)


async def test_private_networks_can_be_allowed_but_never_this_machine(asked: list[str]) -> None:
    allowed = Settings(allow_private_urls=True)
    await fetch_images(["http://10.0.0.1/", "http://[fd12::1]/"], allowed)
    assert sorted(asked) == ["10.0.0.1", "fd12::1"]
    for url in ("http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/", "http://[fe80::1]/", "http://0/"):
        with pytest.raises(UnsafeUrlError):
            await fetch_images([url], allowed)


def _resolve_to(monkeypatch: pytest.MonkeyPatch, answers: list[list[str]]) -> list[str]:
    """Each look-up gets the next answer, the last one for ever."""
    asked: list[str] = []

    async def getaddrinfo(host: Any, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked
