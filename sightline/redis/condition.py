"""Whether a Redis is one to build on: it must not evict, should persist, and must be a single one, not a Cluster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sightline.errors import NotPermittedError, SettingsError
from sightline.redis.connection import broker_errors

if TYPE_CHECKING:
    import redis

_OLDEST: Final = (6, 2)  #: with BLMOVE and what the scripts need; also what the test run has
_KEEPS_ALL: Final = "noeviction"
_NEARLY_FULL: Final = 0.8


@dataclass(frozen=True)
class Condition:
    """`refused`: why nothing may begin on it, with the cure; empty: nothing. `warned`: what is loud, but goes on."""

    server: str  #: `Redis 7.0.15`, `Valkey 8.0.1`
    used_bytes: int
    limit_bytes: int  #: 0: none
    refused: tuple[str, ...]
    warned: tuple[str, ...]


def look_at(redis: redis.Redis) -> Condition | None:
    """One look. None: this user may not ask (`+info`).

    Raises:
        BrokerUnavailableError: nothing answers.
    """
    try:
        with broker_errors():
            told: Any = redis.execute_command("INFO")
    except NotPermittedError:
        return None
    return judge(told)


def require_usable(redis: redis.Redis) -> Condition | None:
    """`look_at`, at the start of what must not lose anything.

    Raises:
        SettingsError: nothing may begin on this Redis.
        BrokerUnavailableError: nothing answers.
    """
    condition = look_at(redis)
    if condition is not None and condition.refused:
        raise SettingsError(f"SIGHTLINE_REDIS_URL: {condition.server}: {'; '.join(condition.refused)}")
    return condition


def judge(told: dict[str, Any]) -> Condition:
    """What the answer to `INFO` means for us."""
    policy, limit = str(told.get("maxmemory_policy", _KEEPS_ALL)), int(told.get("maxmemory", 0))
    used, server = int(told.get("used_memory", 0)), _server(told)
    refused: list[str] = []
    warned: list[str] = []
    if int(told.get("cluster_enabled", 0)):
        refused.append("it is a Cluster, on which scripts over several keys fail: use one Redis, or Sentinel")
    if _version(told) < _OLDEST:
        refused.append(f"it is too old: {'.'.join(map(str, _OLDEST))} or newer is needed")
    if policy != _KEEPS_ALL:
        text = f"maxmemory-policy is {policy}, so it throws away accepted work when it is full: set {_KEEPS_ALL}"
        (refused if limit else warned).append(text if limit else f"{text} before maxmemory is set")
    if limit and used > _NEARLY_FULL * limit:
        warned.append(f"{used * 100 // limit} % of maxmemory is used; when it is full producers are refused")
    warned += _persistence(told)
    return Condition(server, used, limit, tuple(refused), tuple(warned))


def _persistence(told: dict[str, Any]) -> list[str]:
    found: list[str] = []
    if not int(told.get("aof_enabled", 0)):
        found.append("appendonly is off: what is in flight is lost when it restarts; set appendonly yes")
    elif told.get("aof_last_write_status", "ok") != "ok":
        found.append("the append-only file cannot be written: look at its disk and its log")
    if told.get("rdb_last_bgsave_status", "ok") != "ok":
        found.append("the last snapshot failed, after which it may refuse writes: look at its disk and its log")
    return found


def _server(told: dict[str, Any]) -> str:
    if told.get("server_name") == "valkey":
        return f"Valkey {told.get('valkey_version')}"
    return f"Redis {told.get('redis_version')}"


def _version(told: dict[str, Any]) -> tuple[int, ...]:
    """That of the commands it has: Valkey says which Redis it took over from."""
    parts = str(told.get("redis_version", "0")).split(".")
    return tuple(int(part) for part in parts if part.isdecimal())
