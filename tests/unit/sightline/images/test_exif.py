"""When photos were taken, as their files say."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from sightline.images.exif import taken_at
from tests.exif import photo, photo_at
from tests.fuzz.pictures import pictures

TAKEN = "2024:05:06 07:08:09"
MOMENT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is nine hours ahead."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "JST-9")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_time_with_a_zone(kind: str) -> None:
    assert taken_at(photo(TAKEN, offset="+02:00", kind=kind)) == MOMENT - timedelta(hours=2)
    assert taken_at(photo(TAKEN, offset="-09:30", kind=kind)) == MOMENT + timedelta(hours=9, minutes=30)
    assert taken_at(photo(TAKEN, offset="Z", kind=kind)) == MOMENT


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("offset", [None, "", "   :  ", "+2", "+99:00", "CEST"])
def test_a_time_without_one_is_that_of_this_machine(offset: str | None) -> None:
    assert taken_at(photo(TAKEN, offset=offset)) == MOMENT - timedelta(hours=9)


@pytest.mark.parametrize(
    ("fraction", "microsecond"),
    [("5", 500_000), ("25", 250_000), ("009", 9_000), ("123456", 123_456), ("1234567", 123_456), ("  ", 0), ("x", 0)],
)
def test_fractions_of_a_second(fraction: str, microsecond: int) -> None:
    assert taken_at(photo(TAKEN, offset="Z", fraction=fraction)) == MOMENT.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    "taken",
    [
        None,
        "",
        "0000:00:00 00:00:00",
        "    :  :     :  :  ",
        "2024:13:06 07:08:09",
        "2024:02:30 07:08:09",
        "2024:05:06 24:08:09",
        "1970:01:01 00:00:00",
        "1989:12:31 23:59:59",
        "9999:12:31 23:59:59",
        "2024:05:06",
        "yesterday at noon",
    ],
)
def test_nonsense_is_no_time(taken: str | None) -> None:
    assert taken_at(photo(taken, offset="Z")) is None


def test_the_future_is_no_time_but_for_a_day_that_clocks_may_differ() -> None:
    now = datetime.now(UTC)
    soon, later = now + timedelta(hours=23), now + timedelta(hours=25)
    assert taken_at(photo_at(soon)) == soon
    assert taken_at(photo_at(later)) is None


def test_what_lies_before_the_exif_is_passed_over() -> None:
    """JFIF, a profile, fill bytes, another APP1: a real JPEG has all of them."""
    whole = photo(TAKEN, offset="Z")
    xmp = b"\xff\xe1" + struct.pack(">H", 40) + b"http://ns.adobe.com/xap/1.0/\0".ljust(38)
    assert taken_at(whole[:2] + xmp + b"\xff\xff" + whole[2:]) == MOMENT
    assert taken_at(whole.replace(b"Exif\0\0", b"Exit\0\0")) is None


def test_cut_off_anywhere_it_is_the_time_or_none() -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        whole = photo(TAKEN, offset="Z", fraction="25", kind=kind)
        found = {taken_at(whole[:length]) for length in range(len(whole))}
        assert None in found
        # Where the zone is lost, it is the time of this machine; the day is never another.
        assert all(abs(moment - MOMENT) < timedelta(hours=15) for moment in found if moment is not None)


def test_hostile_files_neither_raise_nor_hang() -> None:
    chance = random.Random(1)
    whole = [photo(TAKEN, offset="Z", fraction="25", kind=kind) for kind in ("JPEG", "PNG", "WEBP")]
    for _ in range(3000):
        changed = bytearray(chance.choice(whole))
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(min(len(changed), 250))] = chance.choice((0, 1, 4, 255, chance.randrange(256)))
        taken_at(bytes(changed))
    for picture in pictures(600, 1):
        taken_at(picture.data)
    for data in (
        b"",
        b"\xff\xd8",
        b"\xff\xd8" + b"\xff" * 5_000_000,
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 1_000_000,
        b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0tEXt\0\0\0\0" * 400_000,
        b"RIFF\xff\xff\xff\xffWEBP" + b"VP8 \0\0\0\0" * 600_000,
    ):
        assert taken_at(data) is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_that_lead_nowhere(order: str) -> None:
    for first, count, inner, length in (
        (8, 1, 8, 4),  # the inner directory is the outer one
        (0xFFFFFFF0, 1, 8, 4),
        (8, 0xFFFF, 0xFFFFFFFF, 20),
        (8, 1, 26, 0xFFFFFFFF),
    ):
        header = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, first)
        entry = struct.pack(order + "HHHII", count, 0x8769, 4, 1, inner)
        again = struct.pack(order + "HHHII", 0xFFFF, 0x9003, 2, length, 44)
        tiff = header + entry + bytes(4) + again + b"2024:05:06 07:08:09\0"
        app1 = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
        found = taken_at(b"\xff\xd8" + app1)
        assert found is None or abs(found - MOMENT) < timedelta(hours=15)
