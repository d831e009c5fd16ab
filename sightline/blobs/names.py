"""What keys and bundles in the frame store are called."""

from __future__ import annotations

import re
from typing import Final

from sightline.errors import BadMessageError

KEY: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
CROPS: Final = ".crops"


def crop_key(frame_id: str, detection_index: int) -> str:
    """Where the crop of a frame's detection lies in the frame store."""
    return f"{frame_id}.c{detection_index}"


def frames_name(job_id: str) -> str:
    """The bundle of a job's frames. No key is like it: ids have no dot."""
    return f"{job_id}.frames"


def crops_name(job_id: str) -> str:
    """The bundle of the crops of a job's frames."""
    return f"{job_id}{CROPS}"


def checked(key: str) -> str:
    """Raises BadMessageError where it is no key."""
    if not KEY.match(key) or ".." in key:
        raise BadMessageError(f"frame key: {key[:80]!r} is not 1..128 of A-Z a-z 0-9 _ . -", field="frame_id")
    return key
