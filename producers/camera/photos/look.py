"""What lies in a folder, before it is added as a camera."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from producers.camera.photos.folder import DroppedFile, Folder
from sightline.errors import BadImageError
from sightline.images.header import ImageInfo, ImageLimits, check_image
from sightline.submission.jobs import NewFrame

#: Of the newest files so many are tried, until one is a photo.
_TRIED: Final = 20


class FolderLook(NamedTuple):
    files: int
    newest: ImageInfo | None  #: of the photos
    picture: bytes | None  #: that one
    hints: tuple[str, ...]


def look_at_folder(path: Path, limits: ImageLimits) -> FolderLook:
    """Raises `SourceError`: there is no such folder, or it cannot be read."""
    folder = Folder(path, settled_s=0.0)
    files = folder.settled(0.0, lambda _file: False)
    hints: list[str] = []
    if not os.access(path, os.W_OK):
        hints.append("photos cannot be moved or deleted here: the process has no right to write in this folder")
    for file in reversed(files[-_TRIED:]):
        try:
            data = _photo(file, limits)
            info = check_image(data, max_mb=limits.max_mb, max_mpx=limits.max_mpx)
        except (OSError, BadImageError) as error:
            hints.append(f"{file.name}: {str(error).removeprefix('image: ')}")
            continue
        return FolderLook(len(files), info, data, tuple(hints))
    return FolderLook(len(files), None, None, tuple(hints))


def _photo(file: DroppedFile, limits: ImageLimits) -> bytes:
    return NewFrame.photo(file.path.read_bytes(), limits=limits).data
