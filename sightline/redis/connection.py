"""How every process connects to Redis: bounded waits everywhere, and errors mapped to ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from sightline.errors import BrokerUnavailableError, NotLetInError, NotPermittedError, RetryableError, SettingsError
from sightline.redis.prefix import split_prefix
from sightline.redis.sentinel import SentinelAddress, is_sentinel

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    from redis.exceptions import RedisError

#: A silent peer must not hang a process for ever; blocking reads stay below this.
SOCKET_TIMEOUT_S = 10.0
_OPTIONS: dict[str, Any] = {
    "socket_timeout": SOCKET_TIMEOUT_S,
    "socket_connect_timeout": 3.0,
    "socket_keepalive": True,
    "health_check_interval": 15,
    "decode_responses": True,
    # Who waits for a hundred answers at once holds as many connections. Of redis-py's own 100 the next is an error.
    "max_connections": 1000,
}


def connect(url: str, **options: Any) -> redis.Redis:
    """A client with time-outs and text replies. Opens no connection yet."""
    from sightline.redis.clients import Client

    url, prefix = split_prefix(url)
    if is_sentinel(url):
        from redis.sentinel import Sentinel

        address = SentinelAddress.of(url)
        sentinels = Sentinel(address.hosts, sentinel_kwargs=address.sentinel_options)
        client: Any = sentinels.master_for(address.master, Client, **(_OPTIONS | address.master_options | options))
    else:
        client = Client.from_url(url, **(_OPTIONS | options))
    client.key_prefix = prefix
    return client


def connect_async(url: str, **options: Any) -> redis.asyncio.Redis:
    """The same for asyncio."""
    from sightline.redis.clients import AsyncClient

    url, prefix = split_prefix(url)
    if is_sentinel(url):
        from redis.asyncio.sentinel import Sentinel

        address = SentinelAddress.of(url)
        sentinels = Sentinel(list(address.hosts), sentinel_kwargs=address.sentinel_options)
        master_options = _OPTIONS | address.master_options | options
        client: Any = sentinels.master_for(address.master, AsyncClient, **master_options)
    else:
        client = AsyncClient.from_url(url, **(_OPTIONS | options))
    client.key_prefix = prefix
    return client


_NO_SUCH_DATABASE = "DB index is out of range"
_PASSING = re.compile(r"\b(OOM|READONLY|MISCONF|NOREPLICAS|LOADING|MASTERDOWN|BUSY|CLUSTERDOWN|TRYAGAIN) ")
#: redis-py tells a command of a pipeline with all its values: pixels, results.
_PIPELINED = re.compile(r"(Command # \d+ \(\S+ \S+).*\) of pipeline caused error", re.DOTALL)


@contextmanager
def redis_errors(what: str, unavailable: type[RetryableError] = BrokerUnavailableError) -> Iterator[None]:
    """Map errors of Redis by what they mean: `NotPermittedError` where a right is missing, `unavailable` where it may
    pass with time. Others are bugs and stay as they are. `what` could not be done, for the text.
    """
    from redis.exceptions import RedisError

    try:
        yield
    except RedisError as error:
        if _NO_SUCH_DATABASE in str(error):
            raise SettingsError(
                "SIGHTLINE_REDIS_URL: this Redis has no database of this number: name one from /0 to /15, or raise "
                "`databases` in redis.conf"
            ) from error
        meaning = meaning_of(error, what, unavailable)
        if meaning is None:
            raise
        raise meaning from error


def broker_errors() -> AbstractContextManager[None]:
    """`redis_errors` for the Redis of broker and ledger."""
    return redis_errors("Redis did not take the command")


def meaning_of(error: RedisError, what: str, unavailable: type[RetryableError]) -> RetryableError | None:
    """Our error for one of Redis; None for a bug."""
    from redis import exceptions

    from sightline.redis.clients import is_of_other_kind, is_refusal

    text = f"{what}: " + _PIPELINED.sub(r"\1) of pipeline caused error", str(error))
    if isinstance(error, exceptions.AuthenticationError):
        return NotLetInError(f"{text}. Check user and password in the URL")
    if is_refusal(error):
        return not_permitted(text)
    if is_of_other_kind(error):
        return unavailable(f"{text}. Another program wrote this key in Redis: rename or delete it")
    passing = (
        exceptions.ConnectionError,
        exceptions.TimeoutError,
        exceptions.BusyLoadingError,
        exceptions.ReadOnlyError,
        exceptions.OutOfMemoryError,
    )
    # The same conditions inside a script come as a plain response, with the code somewhere in the text.
    if isinstance(error, passing) or _PASSING.search(str(error)):
        return unavailable(text)
    return None


def not_permitted(text: str) -> NotPermittedError:
    return NotPermittedError(
        f"{text}. Check user and password in the URL, and give the user this right: deploy/redis/users.acl has what "
        "each role needs, `ACL LOG` what was refused"
    )
