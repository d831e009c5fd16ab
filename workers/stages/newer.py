"""Messages of a version or pipeline that this worker does not know: while an update rolls they are for another.

They are given back for ten minutes, as long as an update may take. What nobody took by then becomes a dead letter: its
sender may have misspelt a name.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any, Final

from sightline.ids import content_id

log = logging.getLogger(__name__)

UPDATE_TAKES_S: Final = 600.0
#: More are not remembered: the oldest are forgotten, and left to others for longer.
_REMEMBERED: Final = 10_000


class NewerMessages:
    """Remembers since when each message was seen. Safe to use from several threads."""

    def __init__(self) -> None:
        self._seen_since: dict[str, float] = {}

    def is_left_to_others(self, raw: Any) -> bool:
        """Whether to give it back once more."""
        key, now = content_id(json.dumps(raw, sort_keys=True, default=str)), time.monotonic()
        if key not in self._seen_since:
            log.warning("a message of a version or pipeline that is unknown here is given back: update this worker too")
            if len(self._seen_since) >= _REMEMBERED:
                self._seen_since.pop(next(iter(self._seen_since)), None)
        is_left = now - self._seen_since.setdefault(key, now) < UPDATE_TAKES_S
        if not is_left:
            self._seen_since.pop(key, None)
        return is_left
