"""Keys of queues in Redis under which no list lies, because some other program wrote there."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

from sightline.redis.clients import is_of_other_kind

log = logging.getLogger(__name__)

_LOOK_AGAIN_S: Final = 5.0


class OtherKinds:
    """What a worker leaves out of its pop, each of which would end as an error: told once, and looked at until mended.

    Redis takes the keys of a pop one after the other, so what waits in the lists behind such a key would stay there.
    """

    def __init__(self, client: Any) -> None:
        self._client = client  # not the one that pops
        self._looked_at = 0.0
        self.keys = frozenset[str]()

    @property
    def is_due(self) -> bool:
        """Whether one may be mended by now."""
        return bool(self.keys) and monotonic() - self._looked_at > _LOOK_AGAIN_S

    def look(self, keys: Sequence[str]) -> bool:
        """Find them among all keys a worker pops from. Whether there are any."""
        with self._client.pipeline(transaction=False) as pipe:
            for key in keys:
                pipe.llen(key)  # TYPE would be one right more
            replies = pipe.execute(raise_on_error=False)
        found = frozenset(key for key, reply in zip(keys, replies, strict=True) if is_of_other_kind(reply))
        for key in sorted(found - self.keys):
            log.error(
                "the key %r in Redis is no list, so no message can be put there or taken: another program wrote it. "
                "Rename or delete it; all other queues are worked on meanwhile",
                key,
            )
        for key in sorted(self.keys - found):
            log.info("the key %r in Redis is as it should be again", key)
        self.keys, self._looked_at = found, monotonic()
        return bool(found)
