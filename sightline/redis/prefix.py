"""`redis://host/0?prefix=acme:`: all keys begin with `acme:`, so that several installations share one Redis.

The prefix is put where a command leaves, and taken off where a key comes back: nobody else knows of it. A command that
is not known here is refused, so that none goes past it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from sightline.errors import SettingsError

_PARAMETER: Final = "prefix"
_PREFIX: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

_NO_KEY: Final = frozenset(
    """
    ACL AUTH CLIENT CONFIG DBSIZE DISCARD EXEC FLUSHALL FLUSHDB HELLO INFO MULTI PING SCRIPT SELECT TIME UNWATCH
    """.split()  # noqa: SIM905 - easier to read
)
_FIRST_KEY: Final = frozenset(
    """
    EXPIRE GET INCR PEXPIRE PTTL SET SETNX TTL TYPE
    HDEL HEXISTS HGET HGETALL HINCRBY HKEYS HLEN HMGET HSCAN HSET HSETNX
    LINDEX LLEN LPUSH LRANGE RPUSH SADD SMEMBERS SREM
    XADD XLEN XRANGE ZADD ZCARD ZRANGE ZRANGEBYSCORE ZREM ZREVRANGE ZSCORE
    """.split()  # noqa: SIM905
)
_ALL_KEYS: Final = frozenset(("DEL", "EXISTS", "MGET", "TOUCH", "UNLINK", "WATCH"))


def split_prefix(url: str) -> tuple[str, str]:
    """The URL as others read it, and the prefix; empty: none.

    Raises:
        SettingsError: it is none that a key should begin with.
    """
    if f"{_PARAMETER}=" not in url:
        return url, ""
    split = urlsplit(url)
    given = parse_qsl(split.query, keep_blank_values=True)
    prefix = dict(given).get(_PARAMETER, "")
    rest = [(name, value) for name, value in given if name != _PARAMETER]
    if len(rest) == len(given):
        return url, ""
    if not _PREFIX.fullmatch(prefix):
        raise SettingsError(
            f"a URL of Redis: prefix={prefix[:80]!r} is no prefix of keys; expected up to 64 letters, digits or "
            ". _ : -, such as ?prefix=acme:"
        )
    return urlunsplit(split._replace(query=urlencode(rest))), prefix


def with_prefix(prefix: str, command: tuple[Any, ...]) -> tuple[Any, ...]:
    """A command as it is sent."""
    name = str(command[0]).partition(" ")[0].upper()
    if name in _NO_KEY:
        return command
    if name in _FIRST_KEY:
        first, end = 1, 2
    elif name in _ALL_KEYS:
        first, end = 1, len(command)
    elif name in ("EVALSHA", "EVAL"):
        first, end = 3, 3 + int(command[2])
    elif name == "XREAD":
        first = 1 + command.index("STREAMS" if "STREAMS" in command else b"STREAMS")
        end = first + (len(command) - first) // 2
    else:
        raise ValueError(f"{name}: which of its arguments are keys is not known in sightline/redis/prefix.py")
    return (*command[:first], *(f"{prefix}{key}" for key in command[first:end]), *command[end:])


def without_prefix(prefix: str, command: tuple[Any, ...], reply: Any) -> Any:
    """What Redis answered, with the keys as they were asked for."""
    if command[0] != "XREAD" or not reply:
        return reply
    if isinstance(reply, dict):
        return {key.removeprefix(prefix): entries for key, entries in reply.items()}  # pyright: ignore
    return [[key.removeprefix(prefix), entries] for key, entries in reply]


def prefix_pipeline(prefix: str, pipeline: Any) -> Any:
    """Have a pipeline of redis-py send its commands with the prefix."""
    send: Callable[..., Any] = pipeline.execute_command
    pipeline.execute_command = lambda *command, **options: send(*with_prefix(prefix, command), **options)
    return pipeline
