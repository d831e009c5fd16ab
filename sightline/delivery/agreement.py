"""The ledger's half of the agreement with the database: whose ledger it is, and how far the two have come together.

Ledger and database lie in two stores, each of which may come back as it was earlier. Both hold the id of the
installation and a number that every sweep counts up, here second and there first and last; so one that is behind has
been restored. Marks of finished jobs that a restored database does not have are void: see `is_void` in `ledger_lua`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sightline.delivery.ledger_lua import VOID
from sightline.errors import (
    BrokerUnavailableError,
    NotPermittedError,
    SettingsError,
    SightlineError,
    StoreUnavailableError,
)
from sightline.ids import new_id
from sightline.redis.connection import broker_errors

if TYPE_CHECKING:
    import redis

_KEY: Final = "sightline:agreement"
_GENERATION: Final = "sightline:generation"
#: Redis may have moved to a machine whose clock differs.
_CLOCKS_DIFFER_S: Final = 60.0
_ASKED_EVERY_S: Final = 5.0

# KEYS: the agreement. ARGV: installation, step. Never back: a slow writer must not undo what a faster one did.
_ADVANCE: Final = """
if redis.call('HGET', KEYS[1], 'installation') ~= ARGV[1] then return 0 end
if tonumber(redis.call('HGET', KEYS[1], 'step') or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'step', ARGV[2])
end
return redis.call('TIME')
"""


@dataclass(frozen=True)
class LedgerSide:
    installation_id: str | None  #: None: nobody's yet
    step: int
    at: float  #: when that was read, by the clock of Redis, in epoch seconds


class Agreement:
    """All methods raise `BrokerUnavailableError` when Redis does not answer."""

    def __init__(self, redis: redis.Redis, *, done_ttl_s: float) -> None:
        self._redis = redis
        self._done_ttl_s = done_ttl_s
        self._advance = redis.register_script(_ADVANCE)

    def read(self) -> LedgerSide:
        with broker_errors():
            pipe = self._redis.pipeline()
            pipe.hgetall(_KEY)
            pipe.time()
            found, (seconds, micros) = pipe.execute()
        return LedgerSide(found.get("installation"), int(found.get("step", 0)), seconds + micros / 1e6)

    def adopt(self, installation_id: str, step: int) -> None:
        """Make a ledger that is nobody's the one of this installation."""
        with broker_errors():
            pipe = self._redis.pipeline()
            pipe.hsetnx(_KEY, "installation", installation_id)
            pipe.hsetnx(_KEY, "step", step)  # pyright: ignore[reportArgumentType] - redis-py takes numbers
            pipe.execute()

    def advance(self, installation_id: str, step: int) -> float | None:
        """Come as far as this step. Returns the time of Redis then; None: it is another installation's ledger."""
        with broker_errors():
            told: Any = self._advance(keys=[_KEY], args=[installation_id, step])
        return int(told[0]) + int(told[1]) / 1e6 if told else None

    def void_marks(self, since: float, until: float) -> None:
        """Have marks of jobs that ended between these times of Redis not count: the database does not have them."""
        with broker_errors():
            before: Any = self._redis.get(VOID)
            first = max(0.0, since - _CLOCKS_DIFFER_S)
            if before:
                first = min(first, float(before.split()[0]))
            self._redis.set(VOID, f"{first:.6f} {until:.6f}", ex=math.ceil(self._done_ttl_s + _CLOCKS_DIFFER_S))

    def begin_generation(self) -> None:
        """The ledger came back as it was earlier: what it holds now is another life of it."""
        with broker_errors():
            self._redis.set(_GENERATION, new_id())

    def run_id(self) -> str:
        """Another one after each start of Redis, and after another was promoted; empty where this user may not ask."""
        try:
            with broker_errors():
                told: Any = self._redis.info("server")
        except NotPermittedError:
            return ""
        return str(told.get("run_id", ""))


class SameInstallation:
    """Asks now and then whose ledger it is, for who takes work again and again. Safe to share between threads."""

    def __init__(
        self,
        agreement: Agreement,
        installation_id: Callable[[], str],
        refusal: Callable[[str], SightlineError] = SettingsError,
        *,
        by_setting: bool = False,
    ) -> None:
        self._agreement = agreement
        self._installation_id = installation_id
        self._refusal = refusal
        self._by_setting = by_setting
        self._good_until = 0.0

    def require(self) -> None:
        """Raises the refusal: what is taken would end in another database. What does not answer is left to who needs
        it."""
        if time.monotonic() < self._good_until:
            return
        try:
            error = other_installation(self._installation_id(), self._agreement.read(), by_setting=self._by_setting)
        except (BrokerUnavailableError, StoreUnavailableError):
            return
        if error is not None:
            raise self._refusal(str(error))
        self._good_until = time.monotonic() + _ASKED_EVERY_S


def other_installation(installation_id: str, ledger: LedgerSide, *, by_setting: bool = False) -> SettingsError | None:
    """What to say where the ledger is another installation's; None where it is not.

    `by_setting`: no database was asked, so nothing is to be emptied because of what it would say.
    """
    if ledger.installation_id in (None, installation_id):
        return None
    if by_setting:
        return SettingsError(
            "SIGHTLINE_REDIS_URL, SIGHTLINE_INSTALLATION_ID: this Redis works with another database: its installation "
            f"is {ledger.installation_id}, wanted is {installation_id}. Name those that belong together: `python -m "
            "storage installation` tells the one of SIGHTLINE_DATABASE_URL, run.env has that of `sightline up`"
        )
    return SettingsError(
        f"SIGHTLINE_REDIS_URL, SIGHTLINE_DATABASE_URL: this Redis works with another database: its installation is "
        f"{ledger.installation_id}, that of the database {installation_id}. Name the Redis and the database that "
        "belong together. Is the database new, and the other one gone for good? Stop all roles, and empty this Redis "
        "(redis-cli FLUSHDB as admin)"
    )
