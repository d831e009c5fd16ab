"""When a photo was taken, as its camera wrote it into the file (EXIF). Reads headers only, decodes nothing.

The libraries for it either decode pictures too (Pillow) or raise a dozen kinds of errors and take a quarter of a second
over a hostile file (ExifRead); three tags need neither. Whatever the bytes are, nothing here raises, and every walk has
an end: offsets are never followed more than once, slices beyond the end are short, counts are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Literal

_TURN: Final = 0x0112
_EXIF_IFD, _TAKEN, _OFFSET, _FRACTION = 0x8769, 0x9003, 0x9011, 0x9291
#: What says when a picture was taken.
TAGS: Final = (_TAKEN, _OFFSET, _FRACTION)
_PREFIX: Final = b"Exif\0\0"
_START_OF_SCAN: Final = 0xDA
#: Many times what real files have: segments or chunks of a file, entries of a directory, bytes of a value.
_MAX_PARTS: Final = 20_000
_MAX_ENTRIES: Final = 500
_MAX_VALUE: Final = 64

_MOMENT: Final = re.compile(rb"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)")
_ZONE: Final = re.compile(rb"([+-])(0\d|1[0-4]):([0-5]\d)")
_DIGITS: Final = re.compile(rb"\d{1,9}")
_FIRST_YEAR: Final = 1990  #: clocks that were never set say 1970 or 1980
#: Clocks differ, and zones are mistaken for one another; what is further ahead is no time.
_AHEAD: Final = timedelta(days=1)


def taken_at(data: bytes) -> datetime | None:
    """`DateTimeOriginal` of a JPEG, PNG or WebP with its fraction and its zone; None where it is missing or nonsense.

    Without a zone it is the local time of this machine.
    """
    return taken_in(_read_tags(_find_exif(data)))


def turn_of(data: bytes) -> int:
    """How the picture of a JPEG, PNG or WebP lies in its file, 1 to 8 as EXIF counts: 1 is upright, 6 is to be turned
    right."""
    tiff = _find_exif(data)
    value = _read_directory(tiff).get(_TURN, b"")
    turn = int.from_bytes(value, _order(tiff))
    return turn if 1 <= turn <= 8 else 1


def taken_in(tags: Mapping[int, bytes]) -> datetime | None:
    """The same of EXIF that was read already: its texts, by tag."""
    found = _MOMENT.match(tags.get(_TAKEN, b""))
    now = datetime.now(UTC)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= now.year + 1:
        return None
    year, month, day, hour, minute, second = map(int, found.groups())
    fraction = _DIGITS.match(tags.get(_FRACTION, b""))
    microsecond = int(fraction[0].ljust(6, b"0")[:6]) if fraction else 0
    try:
        local = datetime(year, month, day, hour, minute, second, microsecond, _zone(tags.get(_OFFSET, b"")))
        moment = local.astimezone(UTC)
    except (ValueError, OverflowError, OSError):  # no such day; a time no clock of this machine knows
        return None
    return moment if moment <= now + _AHEAD else None


def _zone(text: bytes) -> timezone | None:
    if text.startswith(b"Z"):
        return UTC
    found = _ZONE.match(text)
    if found is None:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == b"-" else offset)


def _find_exif(data: bytes) -> bytes:
    """The EXIF block of a file, which is a small TIFF; empty if there is none."""
    if data.startswith(b"\xff\xd8"):
        return _in_jpeg(data)
    if data.startswith(b"\x89PNG"):
        return _in_png(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _in_webp(data)
    return b""


def _in_jpeg(data: bytes) -> bytes:
    at = 2
    for _ in range(_MAX_PARTS):
        if data[at + 1 : at + 2] == b"\xff":  # a fill byte
            at += 1
            continue
        marker, length = data[at : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        if len(marker) < 2 or marker[0] != 0xFF or marker[1] == _START_OF_SCAN or length < 2:
            return b""
        if marker[1] == 0xE1 and data[at + 4 : at + 10] == _PREFIX:
            return data[at + 10 : at + 2 + length]
        at += 2 + length
    return b""


def _in_png(data: bytes) -> bytes:
    at = 8
    for _ in range(_MAX_PARTS):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name == b"eXIf":
            return data[at + 8 : at + 8 + length]
        if len(name) < 4 or name == b"IEND":
            return b""
        at += 12 + length
    return b""


def _in_webp(data: bytes) -> bytes:
    at = 12
    for _ in range(_MAX_PARTS):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"EXIF":
            return data[at + 8 : at + 8 + length].removeprefix(_PREFIX)
        if len(name) < 4:
            return b""
        at += 8 + length + length % 2
    return b""


def _read_tags(tiff: bytes) -> dict[int, bytes]:
    """Values of the EXIF directory by tag."""
    order = _order(tiff)
    inner = _read_directory(tiff).get(_EXIF_IFD)
    return {} if inner is None else _directory(tiff, int.from_bytes(inner, order), order)


def _read_directory(tiff: bytes) -> dict[int, bytes]:
    """The first one."""
    order = _order(tiff)
    return _directory(tiff, int.from_bytes(tiff[4:8], order), order)


def _order(tiff: bytes) -> Literal["little", "big"]:
    return "little" if tiff.startswith(b"II") else "big"


def _directory(tiff: bytes, at: int, order: Literal["little", "big"]) -> dict[int, bytes]:
    """Texts and offsets of the directory there."""
    found: dict[int, bytes] = {}
    count = int.from_bytes(tiff[at : at + 2], order)
    for entry in range(at + 2, at + 2 + 12 * min(count, _MAX_ENTRIES), 12):
        tag, kind = (int.from_bytes(tiff[entry + skip : entry + skip + 2], order) for skip in (0, 2))
        if kind == 3:  # one of 16 bits
            found[tag] = tiff[entry + 8 : entry + 10]
        elif kind == 4:  # one unsigned number of 32 bits
            found[tag] = tiff[entry + 8 : entry + 12]
        elif kind == 2:  # a text; a short one stands in place of its offset
            length = int.from_bytes(tiff[entry + 4 : entry + 8], order)
            start = entry + 8 if length <= 4 else int.from_bytes(tiff[entry + 8 : entry + 12], order)
            found[tag] = tiff[start : start + min(length, _MAX_VALUE)]
    return found
