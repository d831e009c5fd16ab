"""What a release tells: its section of CHANGELOG.md, and first of it what whoever upgrades has to do."""

from __future__ import annotations

import re
from typing import Final

UPGRADE: Final = "### To upgrade"
_NOTHING: Final = "Nothing beyond the [usual order](docs/how-to/operations.md#update): tables, workers, producers."


def section(changelog: str, version: str) -> str:
    """The text below a version's heading.

    Raises:
        ValueError: there is none, or nothing in it.
    """
    found = re.search(rf"^## {re.escape(version)}(?: [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.DOTALL | re.MULTILINE)
    if found is None or not found[1].strip():
        headings = ", ".join(re.findall(r"^## (\S+)", changelog, re.MULTILINE)) or "none"
        raise ValueError(f"CHANGELOG.md: no section {version!r} (there are: {headings}); write what changed and why")
    return found[1].strip()


def notes(changelog: str, version: str) -> str:
    """With what is to be done for an upgrade at the top."""
    text = section(changelog, version)
    before, heading, upgrade = text.partition(UPGRADE)
    upgrade, more, rest = upgrade.partition("\n### ")
    changed = f"{before.strip()}\n\n{more.strip()} {rest}".strip() if more else before.strip()
    to_do = upgrade.strip() if heading else _NOTHING
    return f"# Sightline {version}\n\n{UPGRADE[1:]}\n\n{to_do}\n\n## Changed\n\n{changed}\n"
