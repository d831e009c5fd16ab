"""What lies in a watched folder, and which of it nobody is writing to any more."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from sightline.errors import SourceError
from sightline.ids import content_id
from sightline.submission.folders import is_hidden, is_put_away, is_unfinished

#: A file is taken once it stayed the same for so long.
SETTLED_S: Final = 1.0


class DroppedFile(NamedTuple):
    """A file of the folder. Its `edition` is another one when somebody writes to it."""

    path: Path
    place: str  #: names where in the folder it is
    name: str  #: within the folder, for people: what is no Unicode is replaced
    edition: str  #: size and time of writing
    size: int
    written_at: datetime
    quiet_s: float  #: it stayed the same for at least so long


class Folder:
    """Looks at a folder with its subfolders. It knows no clock: it is told.

    Links, hidden files and names of unfinished uploads are passed over.
    """

    def __init__(self, path: Path, *, settled_s: float = SETTLED_S) -> None:
        self._path = path
        self._settled_s = settled_s
        self._seen: dict[str, tuple[str, float]] = {}  #: by place: the edition, and since when it is seen

    @property
    def places(self) -> Collection[str]:
        """Of all files that were there at the last look."""
        return self._seen.keys()

    def settled(self, now_s: float, is_known: Callable[[DroppedFile], bool]) -> list[DroppedFile]:
        """The files that stay the same and are not known yet, oldest first.

        Raises:
            SourceError: there is no such folder, or it cannot be read.
        """
        before, self._seen = self._seen, {}
        found: list[DroppedFile] = []
        for entry in self._entries(str(self._path), top=True):
            try:
                stat = entry.stat(follow_symlinks=False)
            except FileNotFoundError:  # gone meanwhile
                continue
            inside = os.path.relpath(os.fsencode(entry.path), os.fsencode(self._path))
            place, edition = content_id(inside)[:16], f"{stat.st_size}:{stat.st_mtime_ns}"
            was, since_s = before.get(place, ("", now_s))
            since_s = since_s if was == edition else now_s
            self._seen[place] = edition, since_s
            at = datetime.fromtimestamp(stat.st_mtime, UTC)
            name = inside.decode("utf-8", "replace")
            file = DroppedFile(Path(entry.path), place, name, edition, stat.st_size, at, now_s - since_s)
            if file.quiet_s >= self._settled_s and not is_known(file):
                found.append(file)
        return sorted(found, key=lambda file: (file.written_at, file.path))

    def _entries(self, folder: str, *, top: bool = False) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                inside = list(entries)
        except OSError as error:
            if not top:  # one subfolder that is gone, or not ours to read, costs itself
                return
            why = "is no folder" if isinstance(error, NotADirectoryError) else str(error.strerror)
            raise SourceError(f"{folder}: {why}; a folder of the machine that the camera process runs on") from error
        for entry in inside:
            if is_hidden(entry.name) or entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                if not is_put_away(entry.name):
                    yield from self._entries(entry.path)
            elif entry.is_file(follow_symlinks=False) and not is_unfinished(entry.name):
                yield entry
