"""The ledger's Lua scripts. Each is one atomic step; KEYS are the same seven everywhere, named in `_HEAD`."""

from __future__ import annotations

from typing import Final

_HEAD = """
local due, jobs, open, counts, attempts, sightings, done =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7] .. ARGV[1]
local lanes = {'interactive', 'live', 'bulk'}
local function is_open(job_id) return redis.call('HEXISTS', jobs, job_id) == 1 end
local function enter(first)
  for i = first, #ARGV, 2 do
    redis.call('HINCRBY', open, ARGV[i], ARGV[i + 1])
    redis.call('HINCRBY', open, '*', ARGV[i + 1])
    redis.call('HINCRBY', counts, ARGV[i] .. '|published', ARGV[i + 1])
  end
end
local function free(source, frames)
  if redis.call('HINCRBY', open, source, -frames) <= 0 then redis.call('HDEL', open, source) end
  redis.call('HINCRBY', open, '*', -frames)
end
local function forget(job_id)
  redis.call('HDEL', attempts, job_id)
  redis.call('HDEL', sightings, job_id)
  for _, lane in ipairs(lanes) do redis.call('ZREM', due .. lane, job_id) end
  return redis.call('HDEL', jobs, job_id)
end
"""

# ARGV: job_id, lane, payload, due_at, limit in total, limit per source, then source, frames, ...
_ADMIT = """
if is_open(ARGV[1]) then return {'open', ''} end
if redis.call('EXISTS', done) == 1 then return {'done', ''} end
local all = 0
for i = 7, #ARGV, 2 do
  all = all + ARGV[i + 1]
  if tonumber(redis.call('HGET', open, ARGV[i]) or 0) + ARGV[i + 1] > tonumber(ARGV[6]) then
    return {'full', ARGV[i]}
  end
end
if tonumber(redis.call('HGET', open, '*') or 0) + all > tonumber(ARGV[5]) then return {'full', '*'} end
enter(7)
redis.call('HSET', jobs, ARGV[1], ARGV[3])
redis.call('ZADD', due .. ARGV[2], ARGV[4], ARGV[1])
return {'admitted', ''}
"""

# ARGV: job_id, lane, payload, due_at, redelivered, then source, frames, ...
_BEGIN = """
if redis.call('EXISTS', done) == 1 then return 0 end
if not is_open(ARGV[1]) then
  enter(6)
  redis.call('HSET', jobs, ARGV[1], ARGV[3])
end
redis.call('ZADD', due .. ARGV[2], ARGV[4], ARGV[1])
if ARGV[5] == '1' then return 1 + redis.call('HINCRBY', sightings, ARGV[1], 1) end
return 1 + tonumber(redis.call('HGET', sightings, ARGV[1]) or 0)
"""

# ARGV: job_id, seconds a finished job is remembered, then source, outcome, frames, ...
_SETTLE = """
if forget(ARGV[1]) == 0 then return 0 end
for i = 3, #ARGV, 3 do
  free(ARGV[i], ARGV[i + 2])
  redis.call('HINCRBY', counts, ARGV[i] .. '|' .. ARGV[i + 1], ARGV[i + 2])
end
redis.call('SET', done, '1', 'EX', ARGV[2])
return 1
"""

# ARGV: job_id, then source, frames, ...
_WITHDRAW = """
if forget(ARGV[1]) == 0 then return 0 end
for i = 2, #ARGV, 2 do
  free(ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', counts, ARGV[i] .. '|published', -ARGV[i + 1])
end
return 1
"""

# ARGV: (unused), lane, due before, when a claimed job is due again, how many at most
_CLAIM = """
local found = {}
local key = due .. ARGV[2]
for _, job_id in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', ARGV[3], 'LIMIT', 0, ARGV[5])) do
  local payload = redis.call('HGET', jobs, job_id)
  if payload then
    redis.call('ZADD', key, ARGV[4], job_id)
    found[#found + 1] = {payload, 1 + redis.call('HINCRBY', attempts, job_id, 1)}
  else
    redis.call('ZREM', key, job_id)
  end
end
return found
"""

SOURCE: Final[dict[str, str]] = {
    "admit": _HEAD + _ADMIT,
    "begin": _HEAD + _BEGIN,
    "settle": _HEAD + _SETTLE,
    "withdraw": _HEAD + _WITHDRAW,
    "claim": _HEAD + _CLAIM,
}
