"""Which devices of the network answer when cameras are asked for: WS-Discovery, by UDP multicast."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

import httpx

from producers.api.uploads.addresses import may_be_camera, parse_address
from producers.camera.onvif.xml import NotXmlError, read_xml, texts
from producers.camera.sources.reach import Reach
from sightline.errors import BadMessageError

GROUP: Final = "239.255.255.250"
PORT: Final = 3702
#: UDP loses packets, and cameras that were asked twice answer once for each.
_ASKED: Final = 2
_MOST_DEVICES: Final = 500
_NAME: Final = "onvif://www.onvif.org/name/"
_PROBE: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:w="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><e:Header>'
    "<w:MessageID>uuid:{id}</w:MessageID>"
    "<w:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</w:To>"
    "<w:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</w:Action>"
    "</e:Header><e:Body><d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe></e:Body></e:Envelope>"
)


class Device(NamedTuple):
    """What answered."""

    address: str  #: that it answered from
    url: str  #: of its device service
    name: str | None


def search(seconds: float, *, port: int = PORT, source: str = "") -> list[Device]:
    """All devices that answer within `seconds`, by address. `source`: the own address to ask from; empty: all."""
    found: dict[str, Device] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((source, 0))
        udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 2)
        probe = _PROBE.format(id=uuid.uuid4()).encode()
        for _ in range(_ASKED):
            _ask(udp, probe, port)
        for data, address in _answers(udp, seconds):
            if address not in found and len(found) < _MOST_DEVICES and (device := _device(data, address)):
                found[address] = device
    return sorted(found.values(), key=lambda device: parse_address(device.address).packed)


def device_at(address: str) -> Device:
    """The device at an address, with a port if it is not 80, at the path that ONVIF gives it.

    Raises:
        SourceError: there is no such address, or it is none of a camera.
        BadMessageError: it is not written as an address.
    """
    try:
        url = httpx.URL(f"http://{address}/onvif/device_service")
        if url.port is not None and not 0 < url.port < 65536:
            raise ValueError
    except (httpx.InvalidURL, ValueError) as error:
        raise BadMessageError(
            f"address: {address!r} is no address; give a name or an IP address, with the port if that is not 80, such "
            "as 10.0.0.7:8000",
            field="address",
        ) from error
    found = Reach(url, allow_private=True).addresses_of(url)
    return Device(address, here(str(url), str(found[0])), None)


def here(url: str, address: str) -> str:
    """The same, at the address that answered: cameras say names and addresses of other networks, and what somebody
    made up must not send us, with a password, to a third one. Raises ValueError: it is no address."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    host = address if ":" not in address else f"[{address}]"
    return parts._replace(netloc=host + port).geturl()


def _ask(udp: socket.socket, probe: bytes, port: int) -> None:
    """In every network of this machine."""
    for index, _ in socket.if_nameindex():
        with contextlib.suppress(OSError):  # it is down, or has no multicast
            udp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"", b"", index))
            udp.sendto(probe, (GROUP, port))


def _answers(udp: socket.socket, seconds: float) -> Iterator[tuple[bytes, str]]:
    ends_s = time.monotonic() + seconds
    while (left_s := ends_s - time.monotonic()) > 0:
        udp.settimeout(left_s)
        try:
            data, (address, _) = udp.recvfrom(1 << 16)
        except TimeoutError:
            return
        yield data, address


def _device(data: bytes, address: str) -> Device | None:
    """None: it is no camera, or nothing that may be one."""
    try:
        answer = read_xml(data)
        addresses = " ".join(texts(answer, "XAddrs")).split()
        usable = [url for url in addresses if urlsplit(url).scheme in ("http", "https")]
        usable.sort(key=lambda url: (urlsplit(url).hostname != address, ":" in (urlsplit(url).hostname or "")))
        url = here(usable[0], address) if usable else None
    except (NotXmlError, ValueError):
        return None
    if url is None or not may_be_camera(parse_address(address)):
        return None
    scopes = " ".join(texts(answer, "Scopes")).split()
    names = [unquote(scope.removeprefix(_NAME)) for scope in scopes if scope.startswith(_NAME)]
    return Device(address, url, names[0][:80] if names else None)
