"""What of a folder counts, by its name: the same for one that is submitted and one that is watched."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

#: Subfolders that a watched folder makes: where photos go that were read, and those that cannot be.
READ, UNREADABLE = "_read", "_unreadable"
#: How uploads are called before they are whole. They get their true name then.
_TEMPORARY: Final = (".part", ".partial", ".filepart", ".tmp", ".temp", ".upload", ".uploading", ".crdownload", "~")
#: Written by systems beside the files of people.
_OF_SYSTEMS: Final = frozenset({"Thumbs.db", "desktop.ini"})


def is_hidden(name: str) -> bool:
    """Whether nobody wants to hear of a file or subfolder: trash, caches, what systems note."""
    return name.startswith(".") or name in _OF_SYSTEMS


def is_put_away(name: str) -> bool:
    """Whether a subfolder has what a watched folder has done with."""
    return name in (READ, UNREADABLE)


def is_unfinished(name: str) -> bool:
    return name.lower().endswith(_TEMPORARY)


def walk(folder: Path, onerror: Callable[[OSError], None] | None = None) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`, sorted, without what is hidden. Subfolders that were put away are told and not entered."""
    for root, folders, files in os.walk(folder, onerror=onerror):
        shown = sorted(name for name in folders if not is_hidden(name))
        folders[:] = [name for name in shown if not is_put_away(name)]
        yield Path(root), shown, sorted(name for name in files if not is_hidden(name))
