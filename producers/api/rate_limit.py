"""How often somebody may ask: a token bucket for each key, or for each address where no key comes.

Buckets lie in Redis, so that all processes of the API share them; one script, one round trip a request. Requests that
end in a 401 empty a bucket of their address as well, so that guessing keys is no way around. A bucket is one number,
the moment at which it is full again (GCRA, the generic cell rate algorithm of ATM), and goes by itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import logging
import math
import time
from http import HTTPStatus
from typing import Any, Final

import redis.asyncio
from redis.exceptions import RedisError
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from producers.api.auth import is_loopback, is_proxied
from producers.api.problems import problem
from sightline.settings import Settings

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

# KEYS: buckets. ARGV: for each its interval and its burst x interval in ms, and 1 to take a token, 0 to look.
# Returns the number of the first empty bucket and the ms until it has a token, or 0 and 0; then nothing is taken.
_TAKE: Final = """
local time = redis.call('TIME')
local now, full_at = time[1] * 1000 + time[2] / 1000, {}
for i, key in ipairs(KEYS) do
  full_at[i] = math.max(tonumber(redis.call('GET', key) or 0), now)
  local wait = full_at[i] + ARGV[3 * i - 2] - ARGV[3 * i - 1] - now
  if wait > 0 then return {i, math.ceil(wait)} end
end
for i, key in ipairs(KEYS) do
  if ARGV[3 * i] == '1' then
    local at = full_at[i] + ARGV[3 * i - 2]
    redis.call('SET', key, string.format('%.3f', at), 'PX', math.ceil(at - now))
  end
end
return {0, 0}
"""


class RateLimit:
    """ASGI middleware. Whoever asks from this machine, and through no proxy, is not limited."""

    def __init__(self, app: ASGIApp, settings: Settings, client: redis.asyncio.Redis) -> None:
        self._app = app
        self._per_s, self._burst = settings.rate_limit_per_s, settings.rate_limit_burst
        self._take = client.register_script(_TAKE)
        self._asks_again_at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = _address(scope)
        if not self._per_s or scope["type"] != "http" or scope["path"] in _FREE_PATHS or _is_at_home(scope, address):
            await self._app(scope, receive, send)
            return
        key = _key(Headers(scope=scope))
        who = f"key:{hashlib.sha256(key.encode()).hexdigest()[:32]}" if key else f"address:{address}"
        own = (who, 1000 / self._per_s, self._burst, 1)
        wrong = (f"wrong:{address}", _WRONG_KEY_S * 1000, _WRONG_KEYS)
        empty, wait_ms = await self._ask(own, (*wrong, 0))
        if empty:
            name = "API key" if key else f"address {address}"
            await self._refuse(name, empty == 2, wait_ms / 1000)(scope, receive, send)
            return
        statuses: list[int] = []

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        await self._app(scope, receive, watched)
        if HTTPStatus.UNAUTHORIZED in statuses:
            await self._ask((*wrong, 1))

    def _refuse(self, who: str, wrong_keys: bool, wait_s: float) -> Any:
        limit = f"{self._per_s:g} requests a second and {self._burst} at once (SIGHTLINE_RATE_LIMIT_PER_S, _BURST)"
        if wrong_keys:
            limit = f"{_WRONG_KEYS} refused keys at once and one in {_WRONG_KEY_S:g} s from one address"
        seconds = max(1, math.ceil(wait_s))
        detail = f"{who}: more than {limit}; try again in {seconds} s"
        return problem(429, detail, reason="rate_limited", headers={"Retry-After": str(seconds)})

    async def _ask(self, *buckets: tuple[str, float, int, int]) -> tuple[int, float]:
        if time.monotonic() < self._asks_again_at:
            return 0, 0
        keys = [_PREFIX + name for name, *_ in buckets]
        arguments = [part for _, every_ms, burst, takes in buckets for part in (every_ms, burst * every_ms, takes)]
        try:
            async with asyncio.timeout(_PATIENCE_S):
                empty, wait_ms = await self._take(keys, arguments)
        except (RedisError, TimeoutError, OSError) as error:
            log.warning("requests are not counted for %g s: %s", _PAUSE_S, str(error) or type(error).__name__)
            self._asks_again_at = time.monotonic() + _PAUSE_S
            return 0, 0
        return int(empty), float(wait_ms)


def _is_at_home(scope: Scope, address: str) -> bool:
    return is_loopback(address) and not is_proxied(Headers(scope=scope))


def _address(scope: Scope) -> str:
    """Of IPv6 the network: whoever has one address of a /64 has all of them."""
    host = scope["client"][0] if scope.get("client") else "unknown"
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _key(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key", "") or (token.strip() if scheme.lower() == "bearer" else "")
