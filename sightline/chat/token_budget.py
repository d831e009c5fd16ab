"""How many tokens a minute somebody may have read and answered: a token bucket in Redis, shared by all processes.

A question takes from it what it may cost at most before it is accepted, and what it did cost is corrected once its
answer is stored. A bucket is one number, the moment at which it is full again; it goes by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sightline.pipelines.chat import ChatResult
from sightline.redis.connection import broker_errors
from sightline.types import ItemResult
from sightline.wire.messages import Job

if TYPE_CHECKING:
    import redis

_BUCKET: Final = "sightline:tokens:of:"
_CHARGE: Final = "sightline:tokens:job:"
#: Longer than a question waits and is worked on.
_CHARGE_MS: Final = 86_400_000
#: Whoever asks again with the same Idempotency-Key gets the answer that is there: it costs nothing for so long.
_PAID_MS: Final = 3_600_000
#: Of UTF-8; models differ, and the count of the answer corrects it.
_BYTES_PER_TOKEN: Final = 4
_TOKENS_PER_PICTURE: Final = 256
#: Of an answer, where neither the question nor the settings say how long it may be.
_USUAL_ANSWER: Final = 256

# KEYS: a bucket, the charge of a job. ARGV: tokens, tokens a minute, how long the charge is remembered in ms. Returns
# in how many ms there will be so many (0: they were taken), how many are there, and in how many ms it is full again.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local each = 60000 / ARGV[2]
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = 0
if not redis.call('GET', KEYS[2]) then
  local after = full_at + ARGV[1] * each
  wait = math.ceil(math.max(0, after - 60000 - now))
  if wait == 0 then
    full_at = after
    redis.call('SET', KEYS[1], string.format('%.3f', full_at), 'PX', math.ceil(math.max(1, full_at - now)))
    redis.call('SET', KEYS[2], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. KEYS[1], 'PX', ARGV[3])
  end
end
local left = math.floor(math.max(0, 60000 - (full_at - now)) / each + 0.001)
return {wait, left, math.ceil(full_at - now)}
"""

# KEYS: the charge of a job. ARGV: what it cost (empty: what was taken), how long it is remembered as paid in ms (0: it
# is forgotten, as if it had never been asked).
_CORRECT: Final = """
local charge = redis.call('GET', KEYS[1])
if not charge or charge == '' then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], '', 'PX', ARGV[2]) end
if ARGV[1] == '' then return 0 end
local taken, limit, bucket = charge:match('^(%d+) (%d+) (.+)$')
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local full_at = math.max(tonumber(redis.call('GET', bucket) or 0), now) + (ARGV[1] - taken) * 60000 / limit
if full_at > now then
  redis.call('SET', bucket, string.format('%.3f', full_at), 'PX', math.ceil(full_at - now))
else
  redis.call('DEL', bucket)
end
return 1
"""


class Taken(NamedTuple):
    """How a bucket stands."""

    wait_s: float  #: 0: the tokens were taken; else there are as many after this
    left: int  #: tokens that may be taken now
    full_in_s: float


class TokenBudget:
    """Raises `BrokerUnavailableError` when Redis does not answer."""

    def __init__(self, redis: redis.Redis) -> None:
        self._redis = redis
        self._take = redis.register_script(_TAKE)
        self._correct = redis.register_script(_CORRECT)

    def take(self, who: str, job_id: str, tokens: int, per_minute: int) -> Taken:
        """Take what a job may cost. One that is charged already costs nothing more."""
        keys = [f"{_BUCKET}{who}", f"{_CHARGE}{job_id}"]
        with broker_errors():
            wait_ms, left, full_in_ms = self._take(keys, [tokens, per_minute, _CHARGE_MS])
        return Taken(wait_ms / 1000, left, full_in_ms / 1000)

    def give_back(self, job_id: str) -> None:
        """The job was not accepted."""
        with broker_errors():
            self._correct([f"{_CHARGE}{job_id}"], [0, 0])

    def correct(self, used: Mapping[str, int | None]) -> None:
        """Put what jobs did cost in place of what was taken for them; None: nobody counted, and that stays. Of jobs
        that were not charged nothing changes."""
        with broker_errors():
            for job_id, tokens in used.items():
                self._correct([f"{_CHARGE}{job_id}"], ["" if tokens is None else tokens, _PAID_MS])


class Estimate(NamedTuple):
    """What the questions of a job may cost."""

    prompt: int
    answer: int
    is_answer_said: bool  #: by the questions (`max_tokens`)


def estimate_of(job: Job, blobs: Mapping[str, bytes], answer_tokens: int) -> Estimate:
    """By the length of what is asked.

    Args:
        answer_tokens: of an answer whose question does not say how long it may be; 0: as many as there is room for.
    """
    size = pictures = answer = 0
    is_said = True
    for item in job.frames:
        options: dict[str, Any] = item.options or {}
        size += len(json.dumps({name: options[name] for name in _PROMPTING if name in options}))
        for part in item.parts:
            if part.medium == "text":
                size += len(part.text.encode("utf-8", "replace") if part.text else blobs.get(part.key or "", b""))
            pictures += part.medium == "image"
        most = options.get("max_tokens")
        is_said &= isinstance(most, int)
        answer += most if isinstance(most, int) else answer_tokens or _USUAL_ANSWER
    return Estimate(-(-size // _BYTES_PER_TOKEN) + pictures * _TOKENS_PER_PICTURE, answer, is_said)


def used_by(results: Sequence[ItemResult]) -> int | None:
    """Tokens that answers did cost; None: somebody did not count, or it is not known how far an answer came."""
    used = 0
    for one in results:
        if not isinstance(one, ChatResult):
            return None
        if one.refused is not None:
            continue
        if one.prompt_tokens is None or one.answer_tokens is None:
            return None
        used += one.prompt_tokens + one.answer_tokens
    return used


#: What of a question's options the model reads.
_PROMPTING: Final = ("tools", "response_format", "system")
