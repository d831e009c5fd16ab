"""Where a photo goes once it was read, as its camera's `after_reading` says."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from producers.camera.photos.folder import DroppedFile
from sightline.errors import SourceError
from sightline.submission.folders import READ, UNREADABLE
from storage.cameras import AfterReading

_REASON = ".reason.txt"


class Afterwards:
    """What becomes of the files of one folder. With `keep` nothing is touched."""

    def __init__(self, folder: Path, after_reading: AfterReading) -> None:
        self._folder = folder
        self._after_reading = after_reading

    def of_read(self, file: DroppedFile) -> bool:
        """Whether the file is out of the way now. Raises `SourceError`: it may not be moved or deleted."""
        if self._after_reading == "keep":
            return False
        try:
            if self._after_reading == "delete":
                file.path.unlink(missing_ok=True)
            else:
                self._move(file, READ)
        except OSError as error:
            raise _not_ours(file, self._after_reading, error) from error
        return True

    def of_unreadable(self, file: DroppedFile, why: str) -> bool:
        """Set it aside with the reason beside it; it is never deleted. As `of_read`."""
        if self._after_reading == "keep":
            return False
        try:
            moved = self._move(file, UNREADABLE)
            if moved is not None:
                moved.with_name(moved.name[:200] + _REASON).write_text(why + "\n", "utf-8")
        except OSError as error:
            raise _not_ours(file, "move", error) from error
        return True

    def _move(self, file: DroppedFile, where: str) -> Path | None:
        """Where it is now, in the same subfolder and under its name, or that with a number; None: it is gone."""
        target = self._folder / where / file.path.relative_to(self._folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            if not os.path.lexists(target):
                break
            target = target.with_name(f"{file.path.stem}-{number}{file.path.suffix}")
        try:
            return file.path.rename(target)
        except FileNotFoundError:
            return None


def _not_ours(file: DroppedFile, what: str, error: OSError) -> SourceError:
    return SourceError(
        f"{file.name}: was read, but the camera process cannot {what} it: {error.strerror}; give it the right to write "
        "in this folder, or take after_reading keep"
    )
