"""Which network addresses an image may be fetched from: public ones, and private ones where the settings say so."""

from __future__ import annotations

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Networks of one's own; with `allow_private_urls` they may be fetched from.
_PRIVATE: Final = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
#: Services of cloud providers that hand out credentials, at addresses that look public or private.
_METADATA: Final = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "168.63.129.16",
        "100.100.100.200",
        "169.254.169.254",
        "169.254.170.2",
        "192.0.0.192",
        "fd00:ec2::254",
    )
)
#: Whoever is nearest and says that it relays to IPv6: that can be anybody.
_RELAYS: Final = ipaddress.ip_network("192.88.99.0/24")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def parse_address(text: str) -> Address:
    """An address as the resolver gives it; the zone of a link-local one is left out."""
    return ipaddress.ip_address(text.partition("%")[0])


def is_allowed(address: Address, *, private: bool) -> bool:
    """Whether an address may be connected to. Loopback, link-local (cloud metadata) and multicast never."""
    return all(_is_allowed(one, private=private) for one in (address, *_carried(address)))


def may_be_camera(address: Address) -> bool:
    """Whether an operator may name it as a camera. This machine may be one (a relay), and cameras without DHCP are
    link-local; what hands out credentials never is."""
    return all(
        one not in _METADATA and (_is_allowed(one, private=True) or one.is_loopback or one.is_link_local)
        for one in (address, *_carried(address))
    )


def is_private(address: Address) -> bool:
    """Whether it is of a network of one's own."""
    return any(one in network for one in (address, *_carried(address)) for network in _PRIVATE)


def _is_allowed(address: Address, *, private: bool) -> bool:
    if address in _METADATA or address in _RELAYS or address.is_multicast or getattr(address, "is_site_local", False):
        return False
    if any(address in network for network in _PRIVATE):
        return private
    return _is_translated(address) or (address.is_global and not address.is_reserved)


def _carried(address: Address) -> list[Address]:
    """The IPv4 addresses an IPv6 one leads to: mapped, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return []
    inner: list[Address | None] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        inner.append(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return [one for one in inner if one is not None]


def _is_translated(address: Address) -> bool:
    """What is inside decides: `ipaddress` calls these addresses as such not global."""
    return isinstance(address, ipaddress.IPv6Address) and (address.ipv4_mapped is not None or address in _NAT64)
