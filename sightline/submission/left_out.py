"""What of a folder is not submitted, each file with the reason: nothing is left out silently."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sightline.images.kinds import HEAD_BYTES, name_kind
from sightline.submission.folders import is_put_away, is_unfinished, walk

_NAMED: Final = 5


class LeftOut(NamedTuple):
    path: Path
    why: str


def find_left_out(paths: Iterable[Path], taken: Collection[Path]) -> list[LeftOut]:
    """The files of these folders, and of their subfolders, that are not among those taken, without hidden ones."""
    folders = list(paths)
    known = frozenset((*taken, *folders))
    return list(dict.fromkeys(each for folder in folders if folder.is_dir() for each in _look(folder, known)))


def say_left_out(left_out: Collection[LeftOut], taken: int) -> str:
    """How many of how many, and the first of them with their reasons."""
    first = ", ".join(f"{each.path.name} ({each.why})" for each in list(left_out)[:_NAMED])
    others = f", and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    return f"left out {len(left_out)} of {len(left_out) + taken}: {first}{others}"


def _look(folder: Path, taken: frozenset[Path]) -> Iterator[LeftOut]:
    unreadable: list[OSError] = []
    for root, folders, files in walk(folder, unreadable.append):
        told = [name for name in folders if is_put_away(name) or (root / name).is_symlink()]
        for path in (root / name for name in sorted([*files, *told])):
            if path not in taken:
                yield LeftOut(path, _reason(path))
    for error in unreadable:
        yield LeftOut(Path(str(error.filename)), error.strerror or "unreadable")


def _reason(path: Path) -> str:
    if path.is_dir():
        return "link to a folder" if path.is_symlink() else "put away by a watched folder; name it to submit it"
    if path.is_symlink() and not path.exists():
        return "link to nothing"
    if not path.is_file():
        return "no file"
    if is_unfinished(path.name):
        return "named as an unfinished upload"
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        return error.strerror or "unreadable"
    if not head:
        return "empty"
    kind = name_kind(head)
    return "no photo or video" if kind is None else f"{kind}, which is not read; convert it"
