"""Redis clients that say what was refused to whom. Redis itself names neither the user nor the key."""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio
from redis.exceptions import AuthenticationError, AuthorizationError, NoPermissionError, RedisError, ResponseError

from sightline.redis.prefix import prefix_pipeline, with_prefix, without_prefix

#: What Redis says where a script may not do what it does: before version 7, in 7, and in Redis 8 and Valkey.
_IN_A_SCRIPT = ("The user executing the script can't", "NOPERM ", "ACL failure in script")


def is_refusal(error: RedisError) -> bool:
    """Whether the user lacks a right or is not let in, which time alone does not mend."""
    return isinstance(error, (NoPermissionError, AuthenticationError, AuthorizationError)) or any(
        words in str(error) for words in _IN_A_SCRIPT
    )


def is_of_other_kind(reply: object) -> bool:
    """Whether a command found something else under its key than what it works on, such as a string for a list."""
    return isinstance(reply, ResponseError) and "WRONGTYPE " in str(reply)


class Client(redis.Redis):
    key_prefix = ""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.key_prefix:
            args = with_prefix(self.key_prefix, args)
        try:
            reply = super().execute_command(*args, **options)
        except ResponseError as error:
            raise _named(error, args, self.connection_pool) from error
        return without_prefix(self.key_prefix, args, reply) if self.key_prefix else reply

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        made = super().pipeline(transaction, shard_hint)
        return prefix_pipeline(self.key_prefix, made) if self.key_prefix else made


class AsyncClient(redis.asyncio.Redis):
    key_prefix = ""

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.key_prefix:
            args = with_prefix(self.key_prefix, args)
        try:
            reply = await super().execute_command(*args, **options)
        except ResponseError as error:
            raise _named(error, args, self.connection_pool) from error
        return without_prefix(self.key_prefix, args, reply) if self.key_prefix else reply

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        made = super().pipeline(transaction, shard_hint)
        return prefix_pipeline(self.key_prefix, made) if self.key_prefix else made


def _named(error: ResponseError, command: tuple[Any, ...], pool: Any) -> ResponseError:
    """The same error, if it is about a right or a key with the user, the command and its keys. Never a value."""
    if not is_refusal(error) and not is_of_other_kind(error):
        return error
    name = str(command[0])
    if name == "EVALSHA":  # sha, number of keys, the keys
        keys = command[3 : 3 + int(command[2])]
    elif name == "XREAD":  # ... STREAMS, the key, an id
        keys = command[-2:-1]
    else:
        keys = command[1:2]
    user = pool.connection_kwargs.get("username") or "default"
    return type(error)(f"{error} (user {user}: {' '.join(map(str, (name, *keys)))})")
