"""Sound on its way in: a recording in whatever container, as it is. What reads it also decodes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from sightline.errors import BadMessageError
from sightline.ids import content_id
from sightline.types import Medium, TimeFrom


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
    name, size_mb = new.name or "sound", len(new.data) / 1_000_000
    if not new.data:
        raise BadMessageError(f"sounds: {name!r} is empty; give a recording", field="sounds")
    if size_mb > max_mb:
        raise BadMessageError(
            f"sounds: {name!r} has {size_mb:.1f} MB, at most {max_mb:g} MB; compress it, as to Opus or AAC, or cut it",
            field="sounds",
        )
