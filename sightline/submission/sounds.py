"""Sound on its way in: a recording in whatever container, as it is. What reads it also decodes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final

from sightline.errors import BadMessageError, SourceError
from sightline.ids import content_id
from sightline.submission.names import readable_name
from sightline.types import Medium, TimeFrom

SOUND_SUFFIXES: Final = frozenset(
    {".aac", ".ac3", ".aif", ".aiff", ".amr", ".au", ".caf", ".flac", ".m4a", ".m4b", ".mka", ".mp2", ".mp3", ".oga"}
    | {".ogg", ".opus", ".wav", ".weba", ".wma", ".wv"}
)
#: How files begin in which there may be sound, videos among them.
_BEGINNINGS: Final = (b"ID3", b"fLaC", b"OggS", b"#!AMR", b"caff", b".snd", b"wvpk", b"\x1aE\xdf\xa3", b"MAC ", b"TTA1")
_LATER: Final = ((8, b"WAVE"), (8, b"AIFF"), (8, b"AIFC"), (4, b"ftyp"), (8, b"AVI "))
_HEAD_BYTES: Final = 16


@dataclass(frozen=True)
class NewSound:
    """A recording that is no item yet: the bytes of its file. `name`: what whoever submits it calls it."""

    medium: ClassVar[Medium] = "audio"

    data: bytes
    captured_at: datetime
    name: str = ""
    time_from: TimeFrom | None = None
    sequence: str | None = None
    note: str = ""

    def frame_id(self, source_id: str, pipeline: str) -> str:
        """The same for the same recording of the same source in the same pipeline."""
        return content_id(pipeline, source_id, "audio", self.data)


def check_sound(new: NewSound, max_mb: float) -> None:
    """Raises BadMessageError where it is empty or too large."""
    name = new.name or "sound"
    if not new.data:
        raise BadMessageError(f"sounds: {name!r} is empty; give a recording", field="sounds")
    if len(new.data) > max_mb * 1_000_000:
        raise _too_large(name, len(new.data), max_mb)


def read_sound(path: Path, max_mb: float) -> NewSound:
    """The recording in a file, of the time when that was written.

    Raises:
        SourceError: the file cannot be read.
        BadMessageError: it is too large; it is not read then.
    """
    try:
        about = path.stat()
        data = path.read_bytes() if about.st_size <= max_mb * 1_000_000 else None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    name = readable_name(path.name)
    if data is None:
        raise _too_large(name, about.st_size, max_mb)
    return NewSound(data, datetime.fromtimestamp(about.st_mtime, UTC), name, time_from="file")


def begins_as_sound(path: Path) -> bool:
    """Whether a file begins as those do in which there may be sound. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(_BEGINNINGS) or any(head[at:].startswith(word) for at, word in _LATER):
        return True
    return len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0  # MP3 without a title


def _too_large(name: str, size: int, max_mb: float) -> BadMessageError:
    return BadMessageError(
        f"sounds: {name!r} has {size / 1_000_000:.1f} MB, at most {max_mb:g} MB; compress it, as to Opus or AAC, or "
        "cut it",
        field="sounds",
    )
