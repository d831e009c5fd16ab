"""Which Redis may be built on, by what it says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from sightline.redis.condition import judge

GOOD: dict[str, Any] = {
    "redis_version": "7.0.15",
    "maxmemory": 1000,
    "used_memory": 100,
    "maxmemory_policy": "noeviction",
    "cluster_enabled": 0,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


def test_nothing_is_wrong_with_a_good_one() -> None:
    condition = judge(GOOD)
    assert (condition.server, condition.refused, condition.warned) == ("Redis 7.0.15", (), ())


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy is allkeys-lru"),
        ({"maxmemory_policy": "volatile-ttl"}, "set noeviction"),
        ({"cluster_enabled": 1}, "it is a Cluster"),
        ({"redis_version": "6.0.16"}, "6.2 or newer"),
    ],
)
def test_what_loses_work_is_refused(told: dict[str, Any], words: str) -> None:
    assert [text for text in judge(GOOD | told).refused if words in text]


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": 0}, "before maxmemory is set"),
        ({"used_memory": 900}, "90 % of maxmemory"),
        ({"aof_enabled": 0}, "appendonly is off"),
        ({"aof_last_write_status": "err"}, "cannot be written"),
        ({"rdb_last_bgsave_status": "err"}, "snapshot failed"),
    ],
)
def test_what_should_not_stay_so_is_loud(told: dict[str, Any], words: str) -> None:
    condition = judge(GOOD | told)
    assert condition.refused == ()
    assert [text for text in condition.warned if words in text]


def test_valkey_is_named_and_counts_by_the_commands_it_has() -> None:
    condition = judge(GOOD | {"server_name": "valkey", "valkey_version": "8.0.1", "redis_version": "7.2.4"})
    assert (condition.server, condition.refused) == ("Valkey 8.0.1", ())
