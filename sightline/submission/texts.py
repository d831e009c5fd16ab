"""Texts on their way in. Short ones travel in the message; a longer one lies in the frame store, as UTF-8."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Final

from sightline.errors import BadMessageError, SourceError
from sightline.ids import content_id
from sightline.submission.names import readable_name
from sightline.types import MAX_INLINE_CHARS, Medium, TimeFrom

TEXT_SUFFIXES: Final = frozenset({".md", ".text", ".txt"})

_CURE: Final = "make several of it"


@dataclass(frozen=True)
class NewText:
    """A text that is no item yet. `name`: what whoever submits it calls it."""

    medium: ClassVar[Medium] = "text"

    text: str
    captured_at: datetime
    name: str = ""
    time_from: TimeFrom | None = None
    sequence: str | None = None
    note: str = ""

    def frame_id(self, source_id: str, pipeline: str) -> str:
        """The same for the same text of the same source in the same pipeline."""
        return content_id(pipeline, source_id, "text", self.text.encode())

    def fits(self, chars_left: int) -> bool:
        """Whether it travels in the message, where there is room for so many characters."""
        return len(self.text) <= min(MAX_INLINE_CHARS, chars_left)


def read_text(path: Path) -> NewText:
    """The text in a file, of the time when that was written.

    Raises:
        SourceError: the file cannot be read.
        BadMessageError: it is no UTF-8.
    """
    try:
        data, modified_at = path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    name = readable_name(path.name)
    return NewText(decode_text(data, name), modified_at, name, time_from="file")


def check_text(new: NewText, max_mb: float) -> None:
    """Raises BadMessageError where it is empty, too long or no text."""
    name = new.name or "text"
    if not new.text:
        raise BadMessageError(f"text: {name!r} is empty; give at least one character", field="text")
    try:
        size_mb = len(new.text.encode()) / 1_000_000
    except UnicodeEncodeError as error:
        raise BadMessageError(f"text: {name!r} has half of a character at {error.start}", field="text") from error
    if size_mb > max_mb:
        raise BadMessageError(f"text: {name!r} has {size_mb:.1f} MB, at most {max_mb:g} MB; {_CURE}", field="text")


def decode_text(data: bytes, name: str) -> str:
    """The text in a file. Raises BadMessageError: it is none in UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadMessageError(
            f"text: {name!r} is no UTF-8 at byte {error.start}; save it as UTF-8, as with `iconv -t utf-8`",
            field="text",
        ) from error
