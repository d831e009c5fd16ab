"""The ledger's Lua scripts. Each is one atomic step; KEYS are the same everywhere, named in `_HEAD`.

An open job stands in `jobs` (its payload) and in one sorted set of its *line* (`<lane>:<pipeline>`) by the time it is
due. `open` counts frames per `<lane>|<source>`; `*` stands for all sources. A finished job leaves a `done` mark, which
expires. An open one has a mark only while a writer is at it: then nobody else may drop it.

A mark says how a job ended and when, in seconds and microseconds: `stored@1764513211,250000 gate`. Where the database
came back as it was earlier, marks of a time are void (`VOID`): what they call done is not in it, and may be done again.

`sightings` counts how often an open job was seen again after a worker died with it. A job that was cancelled is far
below zero there: every stage that begins reads this count anyway.

What `counts` counts for ever is also counted per hour of publishing, in `counts:<hour>`: a frame's end counts in the
hour in which its job was published, so every hour balances by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: The counts of an hour are kept for so long; `counts:since` says when counting by hours began.
HOURS_KEPT_S: Final = 31 * 24 * 3600
HOUR_S: Final = 3600
#: Added to the sightings of a job that was cancelled.
CANCELLED: Final = -1_000_000
#: Workers look more often than this for what was cancelled.
_TOLD_WITHIN_S: Final = 600

#: The times between which marks do not count, as `<first> <last>` in epoch seconds; nearly always there is none.
VOID: Final = "sightline:void"

_HEAD: Final = """
local due, jobs, open, counts, attempts, sightings, done, result =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7] .. ARGV[1], KEYS[8] .. ARGV[1]
local base = string.sub(jobs, 1, -5)  -- without `jobs`: with the prefix of all keys, if there is one
local cancelled = base .. 'cancelled'
local forking = {@FORKING@}
local function lane_of(line) return string.match(line, '^[^:]*') end
local function count(payload, field, frames)
  redis.call('HINCRBY', counts, field, frames)
  local at = tonumber(string.match(payload, '"published_at":([^,}]+)') or '') or 0
  if not (at >= 0 and at < 1e11) then at = 0 end
  local hour = string.format('%s:%d', counts, math.floor(at / @HOUR@))
  redis.call('HINCRBY', hour, field, frames)
  redis.call('EXPIRE', hour, @KEPT@)
end
local function enter(line, payload, first)
  local lane = lane_of(line)
  for i = first, #ARGV, 2 do
    redis.call('HINCRBY', open, lane .. '|' .. ARGV[i], ARGV[i + 1])
    redis.call('HINCRBY', open, lane .. '|*', ARGV[i + 1])
    count(payload, ARGV[i] .. '|published', ARGV[i + 1])
  end
  redis.call('SETNX', counts .. ':since', redis.call('TIME')[1])
end
local function free(lane, source, frames)
  for _, field in ipairs({lane .. '|' .. source, lane .. '|*'}) do
    if redis.call('HINCRBY', open, field, -frames) <= 0 then redis.call('HDEL', open, field) end
  end
end
local function is_void(mark)
  local void = redis.call('GET', base .. 'void')
  if not void then return false end
  local first, last = string.match(void, '^(%S+) (%S+)')
  local seconds, micros = string.match(mark, '^%a+@(%d+),(%d+)')
  if not seconds then return string.match(mark, '^%a+ ') ~= nil end  -- of a version that did not say when
  local at = seconds + micros / 1e6
  return at >= tonumber(first) and at <= tonumber(last)
end
local function is_ended()  -- or a writer is at it
  return redis.call('EXISTS', done) == 1 and not is_void(redis.call('GET', done) or '')
end
local function lane_and_pipeline(payload)
  return string.match(payload, '"lane":"(%a+)"'), string.match(payload, '"pipeline":"([^"]+)"')
end
local function forget(job_id)  -- returns the lane it was entered in and its payload; nothing if it was not open
  local payload = redis.call('HGET', jobs, job_id)
  if not payload then return nil end
  for _, key in ipairs({jobs, attempts, sightings}) do redis.call('HDEL', key, job_id) end
  local lane, pipeline = lane_and_pipeline(payload)
  redis.call('ZREM', due .. lane .. ':' .. pipeline, job_id)
  if forking[pipeline] then redis.call('DEL', base .. 'arrived:' .. job_id) end
  return lane, payload
end
""".replace("@HOUR@", str(HOUR_S)).replace("@KEPT@", str(HOURS_KEPT_S))

# ARGV: job_id, line, payload, due_at, limit in total, limit per source, then source, frames, ...
_ADMIT = """
if redis.call('HEXISTS', jobs, ARGV[1]) == 1 then
  redis.call('HSETNX', attempts, ARGV[1], 0)  -- a second publisher counts on it: it can not be withdrawn any more
  return {'open', ''}
end
local mark = redis.call('GET', done)
if mark and string.match(mark, '^stored') and not is_void(mark) then return {'done', ''} end
local lane, all = lane_of(ARGV[2]), 0
for i = 7, #ARGV, 2 do
  all = all + ARGV[i + 1]
  if tonumber(redis.call('HGET', open, lane .. '|' .. ARGV[i]) or 0) + ARGV[i + 1] > tonumber(ARGV[6]) then
    return {'full', ARGV[i]}
  end
end
if tonumber(redis.call('HGET', open, lane .. '|*') or 0) + all > tonumber(ARGV[5]) then return {'full', '*'} end
enter(ARGV[2], ARGV[3], 7)  -- first of the writes: a full Redis refuses it, and with it the whole script
redis.call('HSET', jobs, ARGV[1], ARGV[3])
redis.call('ZADD', due .. ARGV[2], ARGV[4], ARGV[1])
redis.call('DEL', done, result, base .. 'deltas:' .. ARGV[1])  -- it died or was dropped before: this is a new try
return {'admitted', ''}
"""

# ARGV: job_id, line, payload or '', due_at, redelivered, is it a late copy if it is not open, for how many seconds it
# may not be dropped, then source, frames, ... Returns -1 where it takes the
# payload, far less where it was cancelled.
_BEGIN = """
if redis.call('HEXISTS', jobs, ARGV[1]) == 0 then
  if ARGV[6] == '1' or is_ended() then return 0 end
  if ARGV[3] == '' then return -1 end
  enter(ARGV[2], ARGV[3], 8)
  redis.call('HSET', jobs, ARGV[1], ARGV[3])
end
redis.call('ZADD', due .. ARGV[2], ARGV[4], ARGV[1])
if ARGV[7] ~= '0' then redis.call('SET', done, 'writing', 'EX', ARGV[7]) end
if ARGV[5] == '1' then return 1 + redis.call('HINCRBY', sightings, ARGV[1], 1) end
return 1 + tonumber(redis.call('HGET', sightings, ARGV[1]) or 0)
"""

# ARGV: job_id, how it ended, seconds that is remembered, not if a writer is at it, its result for whoever waits or '',
# then source, outcome, frames, ... Returns 1; 0 if it was closed before; -1 if a writer is at it.
_SETTLE = """
if ARGV[4] == '1' and redis.call('HEXISTS', jobs, ARGV[1]) == 1 and redis.call('EXISTS', done) == 1 then return -1 end
if ARGV[5] ~= '' then
  redis.call('XADD', result, 'MAXLEN', 1, '*', 'result', ARGV[5])
  redis.call('EXPIRE', result, ARGV[3])
end
local lane, payload = forget(ARGV[1])
if not lane then return 0 end
local now = redis.call('TIME')
local ended = ARGV[2] .. '@' .. now[1] .. ',' .. now[2]
for i = 6, #ARGV, 3 do ended = ended .. ' ' .. ARGV[i] end  -- a live job may have been entered without some sources
redis.call('SET', done, ended, 'EX', ARGV[3])
for i = 6, #ARGV, 3 do
  free(lane, ARGV[i], ARGV[i + 2])
  count(payload, ARGV[i] .. '|' .. ARGV[i + 1], ARGV[i + 2])
end
return 1
"""

# ARGV: job_id, then source, frames, ...
_WITHDRAW = """
if redis.call('HEXISTS', attempts, ARGV[1]) == 1 then return 0 end  -- joined by another publisher, or sent already
local lane, payload = forget(ARGV[1])
if not lane then return 0 end
for i = 2, #ARGV, 2 do
  free(lane, ARGV[i], ARGV[i + 1])
  count(payload, ARGV[i] .. '|published', -ARGV[i + 1])
end
return 1
"""

# ARGV: (unused), line, due before, when a claimed job is due again
_CLAIM = """
local key = due .. ARGV[2]
local job_id = redis.call('ZRANGEBYSCORE', key, '-inf', ARGV[3], 'LIMIT', 0, 1)[1]
if not job_id then return {} end
local payload = redis.call('HGET', jobs, job_id)
if not payload then
  redis.call('ZREM', key, job_id)
  return {job_id, 0, '', '0'}
end
redis.call('ZADD', key, ARGV[4], job_id)
return {job_id, 1 + redis.call('HINCRBY', attempts, job_id, 1), payload, redis.call('HGET', sightings, job_id) or '0'}
"""

# ARGV: job_id, the mark. The sweeper takes what waits; workers are told of what they have in hand.
_CANCEL = """
if redis.call('HEXISTS', jobs, ARGV[1]) == 0 then return 0 end
if tonumber(redis.call('HGET', sightings, ARGV[1]) or 0) < 0 then return 1 end
local now = redis.call('TIME')
local at = now[1] .. '.' .. string.format('%06d', now[2])
redis.call('HSET', sightings, ARGV[1], ARGV[2])
local lane, pipeline = lane_and_pipeline(redis.call('HGET', jobs, ARGV[1]))
redis.call('ZADD', due .. lane .. ':' .. pipeline, 'XX', 0, ARGV[1])
redis.call('ZADD', cancelled, at, ARGV[1])
redis.call('ZREMRANGEBYSCORE', cancelled, '-inf', at - @TOLD@)
return 1
""".replace("@TOLD@", str(_TOLD_WITHIN_S))

# ARGV: job_id, seconds that is remembered. Of a finished job, whose mark still stops a late copy but no new try.
_FORGET = """
if redis.call('HEXISTS', jobs, ARGV[1]) == 1 then return 0 end
if redis.call('DEL', done) == 1 then
  redis.call('SETNX', done, 'erased')
  redis.call('EXPIRE', done, ARGV[2])
end
redis.call('DEL', result, base .. 'deltas:' .. ARGV[1])
return 1
"""

_BODIES: Final = {
    "admit": _ADMIT,
    "begin": _BEGIN,
    "settle": _SETTLE,
    "withdraw": _WITHDRAW,
    "claim": _CLAIM,
    "cancel": _CANCEL,
    "forget": _FORGET,
}


def sources(forking: Iterable[str]) -> dict[str, str]:
    """The scripts by name. `forking`: the pipelines whose stages fork or join."""
    head = _HEAD.replace("@FORKING@", ", ".join(f"['{pipeline}']=true" for pipeline in forking))
    return {name: head + body for name, body in _BODIES.items()}
