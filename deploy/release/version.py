"""Which version is built: the git tag says it, and nothing else."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

_TAG: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:-(\d+)-g([0-9a-f]+))?")
_STAMPED: Final = {
    "pyproject.toml": re.compile(r'^version = "[^"]+"$', re.MULTILINE),
    "sightline/__init__.py": re.compile(r'^__version__ = "[^"]+"$', re.MULTILINE),
}


def version_of(described: str) -> str:
    """What `git describe --tags --long` says as a version of Python: `v0.2.0-14-gabc1234` is on the way to 0.2.1.

    Raises:
        ValueError: it names no tag such as v1.2.3.
    """
    found = _TAG.fullmatch(described.strip().removesuffix("-dirty"))
    if found is None:
        raise ValueError(f"git describe: {described!r} names no tag such as v1.2.3")
    major, minor, patch, since, commit = found.groups()
    if not since or since == "0":
        return f"{major}.{minor}.{patch}"
    return f"{major}.{minor}.{int(patch) + 1}.dev{since}+g{commit}"


def is_release(version: str) -> bool:
    """Whether a tag is on this very commit."""
    return "dev" not in version


def described(root: Path, commit: str = "HEAD") -> str:
    """What git says of a commit. Without any tag that is the way to the first version."""
    command = ["git", "-C", root, "describe", "--tags", "--long", "--match", "v[0-9]*", commit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return done.stdout.strip()
    count = _git(root, "rev-list", "--count", commit)
    return f"v0.0.0-{count}-g{_git(root, 'rev-parse', '--short', commit)}"


def copy_of(root: Path, commit: str, folder: Path) -> None:
    """A commit as it is in git: what lies beside it uncommitted is in no release."""
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "-C", root, "archive", commit], capture_output=True, check=True)
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)


def stamp(folder: Path, version: str) -> None:
    """Write the version into a copy, where it is named.

    Raises:
        ValueError: a file does not name it once.
    """
    for name, pattern in _STAMPED.items():
        text, count = pattern.subn(lambda old: re.sub(r'"[^"]+"', f'"{version}"', old[0]), (folder / name).read_text())
        if count != 1:
            raise ValueError(f"{name}: names the version {count} times, not once")
        (folder / name).write_text(text)


def committed_at(root: Path, commit: str) -> int:
    """Seconds since 1970: the time of all files in a wheel, so that it is the same again."""
    return int(_git(root, "log", "-1", "--format=%ct", commit))


def _git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", root, *words], capture_output=True, text=True, check=True).stdout.strip()
