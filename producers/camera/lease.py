"""Which camera process reads which camera: each is held by one at a time, by a lease in Redis.

Processes share the cameras evenly without knowing of each other. One that dies stops renewing, and the others take
its cameras when its leases have run out. One that was frozen for so long notices by its own clock that it holds nothing
any more, and publishes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sightline.ids import new_id
from sightline.redis.connection import broker_errors

if TYPE_CHECKING:
    import redis

#: How long a lease outlives its process. With a look each second a camera is read again within 8 s.
TTL_S: Final = 6.0
#: A publish that began while the lease was held may end so much later.
_MARGIN_S: Final = 1.0
_KEYS: Final = ["sightline:camera_processes", "sightline:camera_leases"]

#: The clock is Redis's own: those of the processes' machines need not agree.
_RENEW: Final = """
local me, ttl, now = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local until_ms = string.format('%.0f', now + ttl)
redis.call('HSET', KEYS[1], me, until_ms)
local processes, known = 0, redis.call('HGETALL', KEYS[1])
for i = 1, #known, 2 do
  if tonumber(known[i + 1]) > now then processes = processes + 1 else redis.call('HDEL', KEYS[1], known[i]) end
end
local share = math.ceil((#ARGV - 3) / processes)
local mine, free = {}, {}
for i = 4, #ARGV do
  local who, till = string.match(redis.call('HGET', KEYS[2], ARGV[i]) or '', '^(%S+) (%d+)$')
  if who == me then
    table.insert(mine, ARGV[i])
  elseif not who or tonumber(till) <= now then
    table.insert(free, ARGV[i])
  end
end
for _, camera in ipairs(free) do
  if #mine >= share then break end
  table.insert(mine, camera)
end
for _, camera in ipairs(mine) do redis.call('HSET', KEYS[2], camera, me .. ' ' .. until_ms) end
return {share, mine}
"""
_RELEASE: Final = """
for i = 3, #ARGV do
  local who = string.match(redis.call('HGET', KEYS[2], ARGV[i]) or '', '^(%S+)')
  if who == ARGV[1] then redis.call('HDEL', KEYS[2], ARGV[i]) end
end
if ARGV[2] == 'leaves' then redis.call('HDEL', KEYS[1], ARGV[1]) end
"""


class Held(NamedTuple):
    """`keep` are read here. `give_back`, which are more than a fair share, are released once they are read no more."""

    keep: list[str]
    give_back: list[str]


class CameraLeases:
    """The leases of one process. `renew` and `release` raise `BrokerUnavailableError`."""

    def __init__(
        self,
        redis: redis.Redis,
        *,
        ttl_s: float = TTL_S,
        now: Callable[[], float] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now`: seconds, in place of the clock of Redis; `monotonic`: the clock of this process."""
        self.process_id = new_id()
        self._ttl_s = ttl_s
        self._now = now
        self._monotonic = monotonic
        self._renew: Any = redis.register_script(_RENEW)
        self._release: Any = redis.register_script(_RELEASE)
        self._held_until_s: dict[str, float] = {}

    def renew(self, camera_ids: Sequence[str]) -> Held:
        """Keep what is held here of these cameras, and take a fair share of those that nobody holds."""
        asked_s = self._monotonic()
        now_ms = "" if self._now is None else round(self._now() * 1000)
        with broker_errors():
            share, mine = self._renew(
                keys=_KEYS, args=[self.process_id, round(self._ttl_s * 1000), now_ms, *camera_ids]
            )
        self._held_until_s = dict.fromkeys(mine, asked_s + self._ttl_s - _MARGIN_S)
        return Held(mine[:share], mine[share:])

    def holds(self, camera_id: str) -> bool:
        """Whether what this camera gives may be published from here now. Asks nobody."""
        return self._held_until_s.get(camera_id, 0.0) > self._monotonic()

    def release(self, camera_ids: Collection[str]) -> None:
        """Others may read these from now on."""
        self._let_go("stays", camera_ids)

    def leave(self) -> None:
        """This process ends: others may read all that it held."""
        self._let_go("leaves", list(self._held_until_s))

    def _let_go(self, what: str, camera_ids: Collection[str]) -> None:
        for camera_id in camera_ids:
            self._held_until_s.pop(camera_id, None)
        with broker_errors():
            self._release(keys=_KEYS, args=[self.process_id, what, *camera_ids])
