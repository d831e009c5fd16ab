"""What follows each other in time, and by which name within its source: said by whoever knows, never guessed later.

Readings of a sequence may be those of one vehicle that moves on, so they become passages by time and place as well; a
picture on its own has neither before nor after.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Final

from sightline.ids import content_id

#: Whatever a camera gives, also after it was away.
LIVE: Final = "live"
#: Pictures of which whoever submitted them says that they follow each other.
SUBMITTED: Final = "submitted"

#: Nobody aims at another vehicle within it; only a camera held on one takes pictures so fast, and only a camera that
#: writes fractions of a second can say so.
_BURST: Final = timedelta(seconds=0.5)
_ENDS_BYTES: Final = 65_536


def name_video(path: Path) -> str:
    """The sequence of a video file: the same whenever it is submitted, another one for another file.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_ENDS_BYTES)
        file.seek(max(0, size - _ENDS_BYTES))
        return content_id("video", os.fsencode(path.name), str(size), head, file.read(_ENDS_BYTES))


def name_burst(taken_at: Iterable[datetime | None]) -> str | None:
    """The sequence of photos that were submitted together, where their cameras' own times show a burst.

    That is: each was taken after the one before it, by half a second at most. One without a time of its own is in no
    burst.
    `taken_at` is read no further than to the first that belongs to none.
    """
    first: datetime | None = None
    for one, next_one in pairwise(taken_at):
        if one is None or next_one is None or not timedelta(0) < next_one - one <= _BURST:
            return None
        first = first or one
    return first and f"burst-{first:%Y%m%dT%H%M%S.%f}"
