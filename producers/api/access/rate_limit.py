"""How often somebody may ask: a token bucket for each key, or for each address where no key comes.

Buckets lie in Redis, so that all processes of the API share them; one script, one round trip a request. A wrong key
empties a bucket of its address as well, so that guessing is no way around. It is asked once the key was found to be
wrong: whoever shares the address and has a right one does not notice. A bucket is one number, the moment at which it is
full again (GCRA, the generic cell rate algorithm of ATM), and goes by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from http import HTTPStatus
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.access.auth import key_of
from producers.api.access.origin import address_of, is_from_here
from producers.api.middleware.problems import problem
from sightline.settings import ApiSettings

log = logging.getLogger(__name__)

_PREFIX: Final = "sightline:rate:"
#: Probes must not be told to come later.
_FREE_PATHS: Final = frozenset({"/healthz", "/readyz"})
#: Wrong keys from one address: so many at once, then one in so many seconds.
_WRONG_KEYS: Final = 20
_WRONG_KEY_S: Final = 3.0
#: Without Redis nobody is counted; it is not waited for either, nor asked again at once.
_PATIENCE_S: Final = 1.0
_PAUSE_S: Final = 1.0

# KEYS: a bucket. ARGV: its interval, and its burst x interval, in ms. Takes a token and returns 0, or in how many ms
# there will be one.
_TAKE: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + ARGV[1]
local wait = full_at - ARGV[2] - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', full_at), 'PX', math.ceil(full_at - now))
return 0
"""


class RateLimit:
    """ASGI middleware. Whoever asks from this machine, and through no proxy, is not limited."""

    def __init__(self, app: ASGIApp, settings: ApiSettings, client: redis.asyncio.Redis) -> None:
        self._app = app
        self._per_s, self._burst = settings.rate_limit_per_s, settings.rate_limit_burst
        self._trusted = settings.trusted_networks
        self._take = client.register_script(_TAKE)
        self._asks_again_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if (
            not self._per_s
            or scope["type"] != "http"
            or scope["path"] in _FREE_PATHS
            or is_from_here(scope, self._trusted)
        ):
            await self._app(scope, receive, send)
            return
        address, key = address_of(scope, self._trusted), key_of(Headers(scope=scope))
        who = f"key:{hashlib.sha256(key.encode()).hexdigest()[:32]}" if key else f"address:{address}"
        wait_ms = await self._take_from(who, 1000 / self._per_s, self._burst)
        if wait_ms:
            limit = f"{self._per_s:g} requests a second and {self._burst} at once (SIGHTLINE_RATE_LIMIT_PER_S, _BURST)"
            await _refuse("API key" if key else f"address {address}", limit, wait_ms)(scope, receive, send)
            return
        brings_key = key or (scope["method"], scope["path"]) == ("POST", "/login")
        is_refused = False

        async def without_more_guesses(message: Message) -> None:
            nonlocal is_refused
            if brings_key and message["type"] == "http.response.start" and message["status"] == HTTPStatus.UNAUTHORIZED:
                wait_ms = await self._take_from(f"wrong:{address}", _WRONG_KEY_S * 1000, _WRONG_KEYS)
                if wait_ms:
                    is_refused = True
                    limit = f"{_WRONG_KEYS} refused keys at once and one in {_WRONG_KEY_S:g} s from one address"
                    await _refuse("API key", limit, wait_ms)(scope, receive, send)
            if not is_refused:
                await send(message)

        await self._app(scope, receive, without_more_guesses)

    async def _take_from(self, bucket: str, every_ms: float, burst: int) -> float:
        """Take a token. Returns 0, or in how many ms there is one."""
        if time.monotonic() < self._asks_again_at:
            return 0
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return float(await self._take([_PREFIX + bucket], [every_ms, burst * every_ms]))
        except (RedisError, TimeoutError, OSError) as error:
            log.warning("requests are not counted for %g s: %s", _PAUSE_S, str(error) or type(error).__name__)
            self._asks_again_at = time.monotonic() + _PAUSE_S
            return 0


def _refuse(who: str, limit: str, wait_ms: float) -> ASGIApp:
    seconds = max(1, math.ceil(wait_ms / 1000))
    detail = f"{who}: more than {limit}; try again in {seconds} s"
    return problem(429, detail, reason="rate_limited", headers={"Retry-After": str(seconds)})
