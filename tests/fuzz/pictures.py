"""Damaged, odd and malicious pictures, made from a few drawn ones: the same seed gives the same files."""

from __future__ import annotations

import random
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image
from pillow_heif import register_heif_opener

from tests.png import SIGNATURE, png, png_chunk

register_heif_opener()
WIDTH, HEIGHT = 160, 120
#: What a 32-bit or 16-bit length is changed to: ends of ranges, signs, sizes of bombs.
_LENGTHS = (0, 1, 2, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_POLYGLOTS = (
    b"PK\x03\x04",
    b"%PDF-1.7\n",
    b"<script>alert(1)</script>",
    b"<?php phpinfo();",
    b"GIF89a",
    b"MZ",
    b"\x7fELF",
)


class Picture(NamedTuple):
    """`kind` names what was done to it."""

    kind: str
    data: bytes


def pictures(count: int, seed: int) -> Iterator[Picture]:
    """All odd pictures first, then `count` minus as many mutations of them, each by its own kind in turn."""
    odd = odd_pictures()
    yield from odd[:count]
    chance = random.Random(seed)
    for number in range(count - len(odd)):
        mutate = _MUTATIONS[number % len(_MUTATIONS)]
        victim = chance.choice(odd)
        yield Picture(f"{victim.kind} {mutate.__name__.strip('_')}", mutate(victim.data, chance))


@cache
def good() -> bytes:
    """A picture nothing is wrong with."""
    return cv2.imencode(".jpg", _drawn())[1].tobytes()


@cache
def odd_pictures() -> tuple[Picture, ...]:
    """Valid or nearly valid files that few programs expect."""
    made = [*_plain(), *_exif(), *_bombs(), *_strange_sizes(), *_renamed()]
    made += [Picture(f"polyglot {text[:5]!r}", good() + text * 50) for text in _POLYGLOTS]
    made += [Picture(f"polyglot first {text[:5]!r}", text + good()) for text in _POLYGLOTS]
    made.append(
        Picture("png with a zip inside", _with_chunk(_saved("PNG"), b"zTXt", b"a\0\0" + zlib.compress(bytes(10**7))))
    )
    return tuple(made)


def _plain() -> Iterator[Picture]:
    rgb = Image.fromarray(_drawn())
    yield Picture("jpeg", good())
    for options in ({"progressive": True}, {"optimize": True, "quality": 1}, {"quality": 100, "subsampling": 0}):
        yield Picture(f"jpeg {options}", _saved("JPEG", rgb, **options))
    yield Picture("jpeg CMYK", _saved("JPEG", rgb.convert("CMYK")))
    yield Picture("jpeg gray", _saved("JPEG", rgb.convert("L")))
    yield Picture("jpeg ICC garbage", _saved("JPEG", rgb, icc_profile=b"\xff\xda garbage" * 9000))
    yield Picture("png ICC garbage", _saved("PNG", rgb, icc_profile=b"\xff\xda garbage"))
    yield Picture("jpeg arithmetic", good().replace(b"\xff\xc0\x00\x11", b"\xff\xc9\x00\x11", 1))
    yield Picture("jpeg lossless", good().replace(b"\xff\xc0\x00\x11", b"\xff\xc3\x00\x11", 1))
    yield Picture("jpeg twelve bits", good().replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc1\x00\x11\x0c", 1))
    for mode in ("L", "LA", "P", "RGB", "RGBA", "1", "I;16"):
        yield Picture(
            f"png {mode}", _saved("PNG", Image.new("I;16", (WIDTH, HEIGHT)) if mode == "I;16" else rgb.convert(mode))
        )
    yield Picture("png transparency", _saved("PNG", rgb.convert("P"), transparency=bytes(range(256))))
    yield Picture("png 16 bits", cv2.imencode(".png", _drawn().astype(np.uint16) * 257)[1].tobytes())
    rows = zlib.compress(bytes(100_000))
    yield Picture("png interlaced", png(WIDTH, HEIGHT, pixels=rows, interlaced=1))
    yield Picture("png too few rows", png(WIDTH, HEIGHT, pixels=zlib.compress(bytes(900))))
    yield Picture("webp", _saved("WEBP", rgb))
    yield Picture("webp lossless alpha", _saved("WEBP", rgb.convert("RGBA"), lossless=True))
    yield Picture("webp exif", _saved("WEBP", rgb, exif=_orientation(6)))


def _exif() -> Iterator[Picture]:
    """All orientations, those that do not exist, and EXIF that is no EXIF."""
    for orientation in (*range(10), 255, 65_535):
        yield Picture(f"jpeg orientation {orientation}", _saved("JPEG", exif=_orientation(orientation)))
    whole = _orientation(6)
    for name, exif in {
        "cut off": whole[: len(whole) // 2],
        "empty": b"Exif\0\0",
        "of zeros": b"Exif\0\0" + bytes(200),
        "both byte orders": whole.replace(b"MM", b"II").replace(b"II", b"MM", 1),
        "loop": b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x87\x69\0\x04\0\0\0\x01\0\0\0\x08\0\0\0\x08",
        "many entries": b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\xff\xff\xff\xff\0\x06\0\0" * 100,
        "offset outside": b"Exif\0\0MM\0*\xff\xff\xff\xf0",
    }.items():
        yield Picture(f"jpeg exif {name}", _with_segment(good(), exif))


def _bombs() -> Iterator[Picture]:
    """Small files that claim, or hold, very many pixels."""
    for width, height in ((60_000, 60_000), (2**31 - 1, 1), (1, 2**31 - 1), (2**32 - 1, 2**32 - 1), (8_000, 8_000)):
        yield Picture(f"png bomb {width}x{height}", png(width, height, pixels=zlib.compress(bytes(1_000_000), 9)))
    yield Picture("png bomb in the data", png(1, 1, pixels=zlib.compress(bytes(50_000_000), 9)))
    size = good().index(b"\xff\xc0") + 5
    yield Picture("jpeg bomb", good()[:size] + b"\xff\xff\xff\xff" + good()[size + 4 :])
    yield Picture("jpeg two sizes", good()[:2] + b"\xff\xc0\x00\x11\x08\x00\x10\x00\x10\x03" + bytes(9) + good()[2:])
    yield Picture("webp bomb", b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff" * 6 + bytes(8))
    exif = Image.Exif()
    exif[0x0112] = 6
    yield Picture("jpeg wide, turned", _saved("JPEG", Image.new("RGB", (4000, 10)), exif=exif.tobytes()))


def _strange_sizes() -> Iterator[Picture]:
    for width, height in ((1, 1), (1, 500), (500, 1), (20_000, 1), (20_000, 20), (1, 16_383)):
        for kind in ("JPEG", "PNG", "WEBP"):
            if kind != "WEBP" or max(width, height) <= 16_383:
                yield Picture(f"{kind.lower()} {width}x{height}", _saved(kind, Image.new("RGB", (width, height))))


def _renamed() -> Iterator[Picture]:
    """Films and formats that are not accepted or look like others."""
    frames = [Image.fromarray(np.roll(_drawn(), step * 9, 1)) for step in range(4)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        yield Picture(f"animated {kind}", _saved(kind, frames[0], save_all=True, append_images=frames[1:]))
    for kind in ("BMP", "TIFF", "PPM", "ICO", "JPEG2000", "HEIF", "AVIF"):
        yield Picture(f"{kind} renamed", _saved(kind))
    then = time.gmtime(0)  # not now: the same seed gives the same files
    yield Picture("PDF renamed", _saved("PDF", creationDate=then, modDate=then))
    yield Picture("svg", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>")
    yield Picture("empty", b"")


def _truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _bits_flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 30) if changed else 0):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _header_changed(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4) if changed else 0):
        changed[chance.randrange(min(len(changed), 600))] = chance.choice(
            (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))
        )
    return bytes(changed)


def _length_changed(data: bytes, chance: random.Random) -> bytes:
    """A word of two or four bytes, as lengths and sizes are."""
    at, size = chance.randrange(min(len(data), 400) + 1), chance.choice((2, 4))
    order = chance.choice(("big", "little"))
    word = (chance.choice(_LENGTHS) & (256**size - 1)).to_bytes(size, order)  # pyright: ignore
    return data[:at] + word + data[at + size :]


def _part_doubled(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    end = min(len(data), start + chance.choice((1, 16, 300, 5_000)))
    return data[:end] + data[start:end] * chance.choice((1, 2, 50)) + data[end:]


def _part_lost(data: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(data) + 1)
    return data[:start] + data[start + chance.choice((1, 2, 16, 300)) :]


def _spliced(data: bytes, chance: random.Random) -> bytes:
    """The beginning of one file, the end of another."""
    other = chance.choice(odd_pictures()).data
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _checksums_right(data: bytes, chance: random.Random) -> bytes:
    """Changed as `_header_changed` does; a PNG's checksums are made good again, so that decoders look further."""
    changed = _header_changed(data, chance)
    if not data.startswith(SIGNATURE):
        return changed
    made, at = SIGNATURE, 8
    while at + 12 <= len(changed):
        length = int.from_bytes(changed[at : at + 4], "big")
        body = changed[at + 8 : at + 8 + length]
        made, at = made + png_chunk(changed[at + 4 : at + 8], body), at + 12 + length
    return made


_MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _truncated,
    _bits_flipped,
    _header_changed,
    _length_changed,
    _part_doubled,
    _part_lost,
    _spliced,
    _checksums_right,
)


@cache
def _drawn() -> np.ndarray[Any, np.dtype[np.uint8]]:
    image = np.random.default_rng(1).integers(0, 60, (HEIGHT, WIDTH, 3), np.uint8)
    cv2.putText(image, "KAB 4721", (8, 70), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2)
    return np.asarray(image, np.uint8)


def _saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = BytesIO()
    (image or Image.fromarray(_drawn())).save(file, kind, **options)
    return file.getvalue()


def _orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif.tobytes()


def _with_segment(jpeg: bytes, content: bytes) -> bytes:
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def _with_chunk(data: bytes, name: bytes, content: bytes) -> bytes:
    return data[:33] + png_chunk(name, content) + data[33:]
