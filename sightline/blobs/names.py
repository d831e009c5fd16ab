"""What keys and bundles in the frame store are called."""

from __future__ import annotations

import re
from typing import Final

from sightline.errors import BadMessageError

KEY: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
FRAMES: Final = ".frames"
PARTS: Final = ".parts"


def frames_name(job_id: str) -> str:
    """The bundle of what a job's items are made of. No key is like it, see `Item.parts`."""
    return f"{job_id}{FRAMES}"


def parts_name(job_id: str) -> str:
    """All that the branches and shards of a job put down, each by itself: they end at different times."""
    return f"{job_id}{PARTS}"


def payload_name(job_id: str, name: str) -> str:
    """A bundle of what one stage leaves for another."""
    return f"{job_id}.{name}"


def checked(key: str) -> str:
    """Raises BadMessageError where it is no key."""
    if not KEY.match(key) or ".." in key:
        raise BadMessageError(f"frame key: {key[:80]!r} is not 1..128 of A-Z a-z 0-9 _ . -", field="frame_id")
    return key
