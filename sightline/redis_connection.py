"""How every process connects to Redis: bounded waits everywhere, and errors mapped to ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sightline.errors import BrokerUnavailableError

if TYPE_CHECKING:
    import redis
    import redis.asyncio

#: A silent peer must not hang a process for ever; blocking reads stay below this.
SOCKET_TIMEOUT_S = 10.0
_OPTIONS: dict[str, Any] = {
    "socket_timeout": SOCKET_TIMEOUT_S,
    "socket_connect_timeout": 3.0,
    "socket_keepalive": True,
    "health_check_interval": 15,
    "decode_responses": True,
}


def connect(url: str, **options: Any) -> redis.Redis:
    """A client with time-outs and text replies. Opens no connection yet."""
    import redis

    return redis.Redis.from_url(url, **(_OPTIONS | options))


def connect_async(url: str, **options: Any) -> redis.asyncio.Redis:
    """The same for asyncio."""
    import redis.asyncio

    return redis.asyncio.Redis.from_url(url, **(_OPTIONS | options))


_PASSING_CODES = ("OOM ", "READONLY ", "MISCONF ", "NOREPLICAS ", "LOADING ", "MASTERDOWN ", "NOPERM ")


@contextmanager
def broker_errors() -> Iterator[None]:
    """Map Redis errors that pass with time to `BrokerUnavailableError`; others are bugs and stay as they are."""
    from redis import exceptions as redis_errors

    try:
        yield
    except (
        redis_errors.ConnectionError,
        redis_errors.TimeoutError,
        redis_errors.BusyLoadingError,
        redis_errors.ReadOnlyError,
        redis_errors.OutOfMemoryError,
        redis_errors.NoPermissionError,
    ) as error:
        raise BrokerUnavailableError(f"Redis did not take the command: {error}") from error
    except redis_errors.ResponseError as error:
        # The same conditions inside a script come as a plain response, with the code somewhere in the text.
        if not any(code in str(error) for code in _PASSING_CODES):
            raise
        raise BrokerUnavailableError(f"Redis did not take the command: {error}") from error
