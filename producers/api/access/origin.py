"""Where a request comes from: from this machine, or from which address.

The only place that decides it. What a proxy says is believed of those that `SIGHTLINE_TRUSTED_PROXIES` names; of others
only that it is a proxy, so whoever asks through it may be anywhere.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from sightline.settings import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: What proxies and what stands in front of them add; each has words of its own for where a request came from.
_PROXIED: Final = re.compile(
    r".*forwarded.*|.*client-?ip|.*(real|connecting)-ip|via|cdn-loop|cf-ray|x-envoy-.*|x-amzn-trace-id|x-request-start"
)
#: `host` or `host:port` and nothing else: whatever is unusual is not trusted.
_HOST: Final = re.compile(r"(localhost|[0-9.]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)


def is_from_here(scope: Scope, trusted: tuple[Network, ...]) -> bool:
    """From this machine, through no proxy, by no name that somebody else controls."""
    headers = Headers(scope=scope)
    peer, host = _peer(scope), _HOST.fullmatch(headers.get("host", ""))
    return (
        is_loopback(peer)
        and not _is_trusted(peer, trusted)
        and not any(_PROXIED.fullmatch(name) for name in headers)
        and scope.get("http_version") != "1.0"  # nginx as it comes speaks it, and says nothing else
        and host is not None
        and is_loopback(host[1])
    )


def is_through_trusted(scope: Scope, trusted: tuple[Network, ...]) -> bool:
    """Whether a trusted proxy asks, so that what it says of the request counts."""
    return _is_trusted(_peer(scope), trusted)


def address_of(scope: Scope, trusted: tuple[Network, ...]) -> str:
    """Whose request it is: the peer's address, or the one its trusted proxies took it from.

    Of IPv6 the network: whoever has one address of a /64 has all of them.
    """
    found = _peer(scope)
    said = [part for line in Headers(scope=scope).getlist("x-forwarded-for") for part in line.split(",")]
    while said and _is_trusted(found, trusted):
        # The last one was added by the proxy that is trusted; those before, by whoever asked it.
        address = _parse(said.pop())
        if address is None:
            break
        found = str(address)
    address = _parse(found)
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address or found)


def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    address = _parse(host)
    return address is not None and address.is_loopback


def _is_trusted(host: str, trusted: tuple[Network, ...]) -> bool:
    address = _parse(host)
    return address is not None and any(address in network for network in trusted)


def _peer(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else "unknown"


def _parse(text: str) -> Address | None:
    """An address with or without brackets, zone and port; None: it is none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
