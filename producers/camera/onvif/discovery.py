"""The cameras of the network and their streams, as `sightline cameras discover` tells them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from producers.camera.onvif.search import Device, device_at, here, search
from producers.camera.onvif.soap import Soap
from producers.camera.onvif.xml import text
from sightline.errors import SourceError
from sightline.redaction import HIDDEN, redact_url
from sightline.types import Value

#: ONVIF refuses passwords that were hashed at another time; recordings are found by time.
_CLOCK_OFF_S: Final = 5.0
_CLOCK: Final = ("Year", "Month", "Day", "Hour", "Minute", "Second")
_AT_ONCE: Final = 16
_MOST_STREAMS: Final = 12
_DEVICE: Final = "http://www.onvif.org/ver10/device/wsdl"
_MEDIA: Final = "http://www.onvif.org/ver10/media/wsdl"
_SCHEMA: Final = "http://www.onvif.org/ver10/schema"


class FoundStream(Value):
    """One of a camera's streams, the largest first."""

    url: str  #: without credentials
    name: str | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    fps: float | None = None


class FoundCamera(Value):
    """A camera that answered."""

    address: str
    name: str | None = None
    streams: tuple[FoundStream, ...] = ()
    error: str | None = None  #: why its streams are not known, and the cure
    clock_off_s: float | None = None  #: how far its clock is ahead; None: it does not say


def discover(
    user: str = "",
    password: str = "",
    *,
    seconds: float = 3.0,
    address: str | None = None,
    look: Callable[[float], list[Device]] = search,
) -> list[FoundCamera]:
    """The cameras that answer within `seconds`, or the one at `address`, with their streams as far as they tell."""
    try:
        devices = look(seconds) if address is None else [device_at(address)]
    except SourceError as error:
        return [FoundCamera(address=address or "", error=str(error))]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(lambda device: _look_at(device, user, password), devices))


def _look_at(device: Device, user: str, password: str) -> FoundCamera:
    soap = Soap(user, password, timeout_s=5.0)
    name, streams, error = device.name, (), None
    try:
        soap.clock_off = _clock_off(soap, device)
        streams = _streams(soap, device)
        name = name or _model(soap, device)
    except SourceError as problem:
        error = str(problem)
    finally:
        soap.close()
    off_s = None if soap.clock_off is None else round(soap.clock_off.total_seconds(), 1)
    if error and off_s is not None and abs(off_s) > _CLOCK_OFF_S:
        error += f"; its clock is {abs(off_s):.0f} s {'fast' if off_s > 0 else 'slow'}: set it, best by NTP"
    return FoundCamera(address=device.address, name=name, streams=streams, error=error, clock_off_s=off_s)


def _clock_off(soap: Soap, device: Device) -> timedelta | None:
    """Asked without a password: that is hashed with the time. Raises `SourceError` where nobody answers."""
    answer = soap.ask(device.url, f'<GetSystemDateAndTime xmlns="{_DEVICE}"/>')
    utc = answer.find(".//{*}UTCDateTime")
    if utc is None:
        return None
    try:
        year, month, day, hour, minute, second = (int(text(utc, part) or "") for part in _CLOCK)
        said = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return said - datetime.now(UTC)


def _streams(soap: Soap, device: Device) -> tuple[FoundStream, ...]:
    capabilities = soap.ask(
        device.url, f'<GetCapabilities xmlns="{_DEVICE}"><Category>Media</Category></GetCapabilities>'
    )
    media = capabilities.find(".//{*}Media")
    said = None if media is None else text(media, "XAddr")
    if said is None:
        raise SourceError("it has no video that ONVIF knows of")
    try:
        url = here(said, urlsplit(device.url).hostname or "")
    except ValueError as error:
        raise SourceError(f"where it says that its streams are told is no address: {said[:80]!r}") from error
    profiles = soap.ask(url, f'<GetProfiles xmlns="{_MEDIA}"/>').findall(".//{*}Profiles")
    streams = [_stream(soap, url, profile) for profile in profiles[:_MOST_STREAMS]]
    return tuple(sorted(streams, key=lambda stream: -(stream.width or 0) * (stream.height or 0)))


def _stream(soap: Soap, url: str, profile: Element) -> FoundStream:
    token = escape(profile.get("token", ""), {'"': "&quot;"})
    answer = soap.ask(
        url,
        f'<GetStreamUri xmlns="{_MEDIA}"><StreamSetup><Stream xmlns="{_SCHEMA}">RTP-Unicast</Stream>'
        f'<Transport xmlns="{_SCHEMA}"><Protocol>RTSP</Protocol></Transport></StreamSetup>'
        f"<ProfileToken>{token}</ProfileToken></GetStreamUri>",
    )
    uri = text(answer, "Uri")
    if uri is None:
        raise SourceError("it names no address for its stream")
    shown = redact_url(uri).replace(f"://{HIDDEN}@", "://", 1)[:2048]
    stream = FoundStream(url=shown, name=text(profile, "Name"))
    encoder = profile.find("{*}VideoEncoderConfiguration")
    if encoder is None:
        return stream
    return stream.model_copy(
        update={
            "codec": text(encoder, "Encoding"),
            "width": _number(text(encoder, "Width")),
            "height": _number(text(encoder, "Height")),
            "fps": _number(text(encoder, "FrameRateLimit")),
        }
    )


def _model(soap: Soap, device: Device) -> str | None:
    answer = soap.ask(device.url, f'<GetDeviceInformation xmlns="{_DEVICE}"/>')
    return " ".join(filter(None, (text(answer, "Manufacturer"), text(answer, "Model"))))[:80] or None


def _number(said: str | None) -> int | None:
    return int(said[:9]) if said is not None and said.isdecimal() else None
