"""Reads of Redis streams that wait: one command and one connection for all in a process who wait at the same time.

A command a listener costs Redis and the listener's process more than what it brings: with 32 answers that are told ten
times a second, it was a third of all that the queue costs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sightline.redis.connection import broker_errors

if TYPE_CHECKING:
    import redis.asyncio

#: Of one stream at once.
MAX_READ: Final = 500
_BLOCK_S: Final = 5.0
#: Whoever has just heard something waits so long with the next read, so that others who hear something come too.
_GATHER_S: Final = 0.005
#: Listeners in one read: all of them wake for each.
_MAX_TOGETHER: Final = 64

Places = Mapping[str, str]  #: what to read, and after which id
Entries = Mapping[str, Any]  #: by stream; of some there may be none


@dataclass(eq=False)
class _Asked:
    places: Places
    until: float
    answer: asyncio.Future[Entries]


class SharedReads:
    """Of one event loop."""

    def __init__(self, redis: redis.asyncio.Redis) -> None:
        self._redis = redis
        self._gathered: list[_Asked] = []
        self._tasks = set[asyncio.Task[None]]()
        self._heard_at = 0.0

    async def read(self, places: Places, until: float) -> Entries:
        """What is there, as soon as there is something of anybody; nothing after some seconds, or at `until`.

        Raises:
            BrokerUnavailableError: Redis does not answer.
        """
        loop = asyncio.get_running_loop()
        asked = _Asked(places, until, loop.create_future())
        if all(one.answer.done() for one in self._gathered):  # nobody waits whose read is going to begin
            is_going_on = time.monotonic() - self._heard_at < _GATHER_S
            loop.call_later(_GATHER_S if is_going_on else 0, self._begin)
        self._gathered.append(asked)
        return await asked.answer

    def _begin(self) -> None:
        asked, self._gathered = self._gathered, []
        for group in _groups(asked):
            task = asyncio.create_task(self._read(group))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            for one in group:
                one.answer.add_done_callback(lambda _, group=group, task=task: _leave(group, task))

    async def _read(self, group: Sequence[_Asked]) -> None:
        places: dict[Any, Any] = {key: after for one in group for key, after in one.places.items()}
        try:
            with broker_errors():
                until = min(one.until for one in group)
                reply = await self._redis.xread(places, count=MAX_READ, block=block_ms(until))
        except Exception as error:  # noqa: BLE001 - it is theirs who asked
            for one in group:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        self._heard_at = time.monotonic()
        entries = entries_by_key(reply)
        for one in group:
            if not one.answer.done():
                one.answer.set_result(entries)


def _groups(asked: Sequence[_Asked]) -> list[list[_Asked]]:
    """Those who read one stream from different places cannot read it together."""
    groups: list[list[_Asked]] = []
    taken: list[set[str]] = []
    for one in asked:
        for group, keys in zip(groups, taken, strict=True):
            if len(group) < _MAX_TOGETHER and keys.isdisjoint(one.places):
                group.append(one)
                keys.update(one.places)
                break
        else:
            groups.append([one])
            taken.append(set(one.places))
    return groups


def _leave(group: Sequence[_Asked], task: asyncio.Task[None]) -> None:
    """Nobody of them waits any more: their read ends, and its connection is free."""
    if all(one.answer.done() for one in group):
        task.cancel()


def entries_by_key(reply: Any) -> dict[str, Any]:
    """The entries of an XREAD by their stream."""
    # Without RESP3: [[key, [(entry_id, fields)]]]; with it: {key: [[(entry_id, fields)]]}
    if isinstance(reply, dict):
        return {key: entries[0] for key, entries in reply.items()}
    return dict(reply or ())


def block_ms(until: float) -> int:
    """How long an XREAD may wait."""
    return max(1, int(min(_BLOCK_S, until - time.monotonic()) * 1000))
