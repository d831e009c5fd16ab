"""Takes what waits on Redis: as many messages as the worker has threads for, in one round trip.

kombu pops one message, notes it as unacknowledged in a second step and acknowledges it in a third. A message of one
frame then costs more than its frame. One script does all three for several messages: it acknowledges what is done, pops
what waits and notes it. It is one step, so that a worker which is killed leaves each message in its list or noted.

It does not wait. When it finds little, kombu's blocking pop is next, and after what that gives the script again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from hashlib import sha1
from typing import Any, Final, NamedTuple
from uuid import uuid4

from kombu.transport.virtual.base import QoS

from sightline.redis.clients import is_refusal

log = logging.getLogger(__name__)

# KEYS: what is unacknowledged, its index, then queues. ARGV: now, most in all, first half of the tags, what is between
# a queue and a number in the name of a list, how long the prefix of all keys is, how many tags are acknowledged, these,
# then of each share: most, and the first and the last number of its lists.
# Of a list no more than half is taken at once, so that idle workers share what little there is. Only what kombu can
# read again is noted. What is no list is passed over: the blocking pop tells it (`other_kinds.py`). On a full Redis a
# script may go on that has written something, and to pop is to write.
_TAKE: Final = """
local unacked, index, now, most, name, sep = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local prefix, acked = tonumber(ARGV[5]), tonumber(ARGV[6])
if acked > 0 then
  redis.call('HDEL', unacked, unpack(ARGV, 7, 6 + acked))
  redis.call('ZREM', index, unpack(ARGV, 7, 6 + acked))
end
local function plain(key) return string.sub(key, prefix + 1) end
local function is_envelope(entry)
  local read, found = pcall(cjson.decode, entry)
  return read and type(found) == 'table' and type(found.headers) == 'table' and type(found.properties) == 'table'
    and type(found.properties.delivery_info) == 'table'
end
local function length(list)
  local found = redis.pcall('LLEN', list)
  if type(found) == 'table' and string.find(found.err, 'WRONGTYPE', 1, true) then return 0 end
  return redis.call('LLEN', list)  -- raises what else is wrong
end
local taken = {}
local function take(queue, list, room)
  for _, entry in ipairs(redis.call('RPOP', list, room)) do
    local tag = ''
    if is_envelope(entry) then
      tag = name .. #taken
      redis.call('HSET', unacked, tag, '[' .. entry .. ',"","' .. plain(queue) .. '"]')
      redis.call('ZADD', index, now, tag)
    end
    for _, value in ipairs({plain(list), entry, tag}) do taken[#taken + 1] = value end
  end
end
for at = 7 + acked, #ARGV, 3 do
  local share = tonumber(ARGV[at])
  for place = 3, #KEYS do
    for number = ARGV[at + 1], ARGV[at + 2] do
      local list = number > 0 and KEYS[place] .. sep .. number or KEYS[place]
      local room = math.min(most, share)
      if room > 0 then room = math.min(room, math.ceil(length(list) / 2)) end
      if room > 0 then take(KEYS[place], list, room) end
      most, share = most - math.max(room, 0), share - math.max(room, 0)
    end
  end
end
return taken
"""
_SHA: Final = sha1(_TAKE.encode(), usedforsecurity=False).hexdigest()


class Share(NamedTuple):
    """Of each queue the lists with these numbers, and how many messages may be taken of all of them together."""

    numbers: range
    most: int


class Popped(NamedTuple):
    """`tag`: by which it is noted as unacknowledged; empty: it is not."""

    key: bytes
    entry: bytes
    tag: str = ""


class Taker:
    """Takes and acknowledges for one channel of kombu's."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._client = channel._create_client()  # not the one that pops, which may be blocked
        self._noted = set[str]()
        self._acked: list[str] = []
        self._sent_acks: list[str] = []
        self._asked = 0
        self._is_refused = self._is_stopped = False
        self.is_due = False  #: whether messages are likely to wait
        self.is_asked = False  #: whether the script was sent and its reply was not read
        self._append, channel.qos.append = channel.qos.append, self.append
        self._restore, channel.qos.restore_by_tag = channel.qos.restore_by_tag, self.restore
        channel.qos.ack = self.ack

    def begin(self, queues: Sequence[str], shares: Sequence[Share], most: int) -> None:
        """Send the script on the connection that pops. The first share and the first queue come first."""
        channel = self._channel
        self._sent_acks, self._acked = self._acked, []
        self._asked, self.is_asked = most, True
        prefix = channel.global_keyprefix
        keys = [prefix + key for key in (channel.unacked_key, channel.unacked_index_key, *queues)]
        arguments: list[Any] = [time.time(), most, f"{uuid4()}:", channel.sep, len(prefix)]
        arguments += [len(self._sent_acks), *self._sent_acks]
        arguments += [value for numbers, of_all in shares for value in (of_all, numbers[0], numbers[-1])]
        channel.client.connection.send_command("EVALSHA", _SHA, len(keys), *keys, *arguments)

    def read(self, **options: Any) -> list[Popped]:
        """What the script gave."""
        from redis.exceptions import NoScriptError, ResponseError

        self.is_asked, client = False, self._channel.client
        try:
            found: list[bytes] = client.parse_response(client.connection, "EVALSHA", **options)
        except ResponseError as error:
            self._acked += self._sent_acks
            if isinstance(error, NoScriptError):
                self._client.script_load(_TAKE)
                return []
            if not is_refusal(error):
                raise
            self._is_refused, self.is_due = True, False
            log.warning("messages are taken one by one, which costs more: this user of Redis lacks a right: %s", error)
            return []
        popped = [Popped(*each) for each in _popped(found)]
        self._noted.update(each.tag for each in popped if each.tag)
        self.noticed(len(popped))
        return popped

    def noticed(self, messages: int) -> None:
        """So many were popped at once. Where that was all there was, the next pop should wait."""
        self.is_due = not self._is_refused and not self._is_stopped and messages > 0

    def append(self, message: Any, tag: str) -> None:
        """In place of kombu's: what the script noted is not noted again."""
        if tag in self._noted:
            self._noted.discard(tag)
            QoS.append(self._channel.qos, message, tag)
        else:
            self._append(message, tag)

    def restore(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """In place of kombu's, which what cannot be read would keep from giving back all others."""
        try:
            self._restore(tag, client=client, leftmost=leftmost)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            log.error("what is in %s as %s is no message, left there: %s", self._channel.unacked_key, tag, error)
            self._client.zrem(self._channel.unacked_index_key, tag)

    def ack(self, tag: str) -> None:
        """In place of kombu's: Redis is told of several together, before the worker waits for anything."""
        QoS.ack(self._channel.qos, tag)
        self.forget(tag)

    def forget(self, tag: str) -> None:
        """What was noted is done with."""
        self._acked.append(tag)
        if self._is_stopped:
            self._flush()

    def tick(self) -> None:
        """Acknowledge, unless the script is about to be sent, which does it too."""
        channel = self._channel
        if self._acked and not (
            self.is_due and not channel._in_poll and channel.active_queues and channel.qos.can_consume()
        ):
            self._flush()

    def stop(self) -> None:
        """Nothing is taken any more; what is acknowledged from now on is so at once: nobody ticks."""
        from redis.exceptions import RedisError

        self._is_stopped, self.is_due = True, False
        with suppress(RedisError, OSError):  # the connection is lost: the messages come back, and are finished jobs
            self._flush()

    def _flush(self) -> None:
        tags, self._acked = self._acked, []
        if tags:
            with self._client.pipeline(transaction=False) as pipe:
                # In this order: an index without a message is cleared up by kombu, a message without an index never.
                pipe.hdel(self._channel.unacked_key, *tags)
                pipe.zrem(self._channel.unacked_index_key, *tags)
                pipe.execute()


def _popped(found: Sequence[bytes]) -> Iterator[tuple[bytes, bytes, str]]:
    for first in range(0, len(found), 3):
        key, entry, tag = found[first : first + 3]
        yield key, entry, tag.decode()
