"""What a file that is no JPEG, PNG or WebP is, by its first bytes, so that whoever gave it is told by name."""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["HEIC", "AVIF", "TIFF", "GIF", "BMP", "JPEG 2000", "JPEG XL", "Photoshop", "PDF", "MP4", "PNG", "WebP"]

#: So many bytes of a file are enough.
HEAD_BYTES: Final = 64

_STARTS: Final[dict[bytes, Kind]] = {
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"GIF8": "GIF",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
}
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF: Final = frozenset({b"avif", b"avis"})
#: Two letters begin many files; the sizes of its header are a bitmap's own.
_BMP_HEADERS: Final = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def name_kind(head: bytes) -> Kind | None:
    """`HEIC`, `TIFF`, …; None for a kind that is not known here. `head` is the start of the file."""
    for start, kind in _STARTS.items():
        if head.startswith(start):
            return kind
    if head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if head[4:8] != b"ftyp":
        return None
    box = head[8 : int.from_bytes(head[:4], "big")]
    brands = {box[at : at + 4] for at in range(0, len(box), 4)}
    if brands & _AVIF:
        return "AVIF"
    return "HEIC" if brands & _HEIC else "MP4"
