"""This machine: its disks and its clock."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sightline.doctor.finding import Finding, bad, ok, warn
from sightline.settings import Settings

_GB: Final = 1e9
_LITTLE_GB: Final = 5.0
_TOO_LITTLE_GB: Final = 0.5
_SKEW_WARN_S: Final = 1.0
_SKEW_BAD_S: Final = 5.0


def look_at_disks(settings: Settings) -> Iterator[Finding]:
    """The disks of what lies in folders here: data, pixels, pictures."""
    places = {"data folder": settings.data_dir}
    for name, url in (("pictures", settings.picture_store_url), ("frame store", settings.frame_store_url)):
        if url.startswith("file://"):
            places[name] = Path(unquote(urlsplit(url).path))
    for name, folder in places.items():
        there = next((path for path in (folder, *folder.resolve().parents) if path.exists()), Path("/"))
        free_gb = shutil.disk_usage(there).free / _GB
        what, says = f"disk: {name}", f"{free_gb:.1f} GB free at {folder}"
        if free_gb < _TOO_LITTLE_GB:
            yield bad(what, says, "make room: sightline retention --dry-run says what is old")
        elif free_gb < _LITTLE_GB:
            yield warn(what, says, "make room, or shorten SIGHTLINE_KEEP_PICTURES_DAYS")
        else:
            yield ok(what, says)


def compare_clocks(other: str, other_s: float, before_s: float, after_s: float) -> Finding:
    """The clock of another, read between two moments of ours. All in seconds since 1970."""
    skew_s = max(before_s - other_s, other_s - after_s, 0.0)
    what, says = f"clock: {other}", f"differs from this machine's by {skew_s:.1f} s or less"
    if skew_s >= _SKEW_BAD_S:
        return bad(what, f"differs from this machine's by {skew_s:.1f} s", "let NTP set the clocks of all machines")
    if skew_s >= _SKEW_WARN_S:
        return warn(what, f"differs from this machine's by {skew_s:.1f} s", "let NTP set the clocks of all machines")
    return ok(what, says if skew_s else "agrees with this machine's")
