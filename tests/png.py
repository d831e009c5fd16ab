"""PNG files byte by byte: such as no library would write."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(width: int, height: int, *, depth: int = 8, color: int = 2, pixels: bytes = b"", interlaced: int = 0) -> bytes:
    """A PNG that claims a size, with whatever bytes as pixel data."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    data = png_chunk(b"IDAT", pixels) if pixels else b""
    return SIGNATURE + png_chunk(b"IHDR", header) + data + png_chunk(b"IEND", b"")


def png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
