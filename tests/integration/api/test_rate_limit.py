"""Who asks too often is told to wait; who asks elsewhere, or from this machine, does not notice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.settings import Settings
from storage.access.keys import Role
from tests.integration.api.uploading import Key


@pytest.fixture
def strict(settings: Settings) -> Settings:
    return settings.model_copy(update={"rate_limit_per_s": 0.1, "rate_limit_burst": 3})


@contextmanager
def asking(settings: Settings, address: str = "10.0.0.1", **headers: str) -> Iterator[TestClient]:
    with TestClient(
        create_app(settings), base_url="http://127.0.0.1:8080", client=(address, 5), headers=headers
    ) as client:
        yield client


def statuses(client: TestClient, count: int, path: str = "/v1/cameras") -> list[int]:
    return [client.get(path).status_code for _ in range(count)]


def test_the_limit_is_named_and_each_key_has_its_own(strict: Settings, key: Key) -> None:
    with asking(strict, **key(Role.VIEWER)) as client:
        assert statuses(client, 3) == [200] * 3
        refused = client.get("/v1/cameras")
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "urn:sightline:rate_limited"
        assert "API key: more than 0.1 requests a second and 3 at once" in refused.json()["detail"]
        assert statuses(client, 50, "/healthz") == [200] * 50
    with asking(strict, **key(Role.VIEWER)) as other:
        assert statuses(other, 4) == [200, 200, 200, 429]


def test_a_bucket_fills_again(settings: Settings, key: Key) -> None:
    fast = settings.model_copy(update={"rate_limit_per_s": 200, "rate_limit_burst": 1})
    with asking(fast, **key(Role.VIEWER)) as client:
        import time

        answers = []
        for _ in range(5):
            answers += statuses(client, 1)
            time.sleep(0.02)
        assert answers == [200] * 5


def test_an_address_without_a_key_is_limited_too(strict: Settings, key: Key) -> None:
    with asking(strict) as client:
        assert statuses(client, 5) == [401, 401, 401, 429, 429]
    with asking(strict, "10.0.0.2") as neighbour:
        assert statuses(neighbour, 1) == [401]


def test_another_address_of_the_same_ipv6_network_is_the_same(strict: Settings, key: Key) -> None:
    with asking(strict, "2001:db8::1") as client:
        assert statuses(client, 4)[-1] == 429
    with asking(strict, "2001:db8::2") as client:
        assert statuses(client, 1) == [429]


def test_guessing_keys_is_no_way_around(settings: Settings, key: Key) -> None:
    with asking(settings) as client:
        guesses = [client.get("/v1/cameras", headers={"X-API-Key": f"sl_{n}_x"}).status_code for n in range(25)]
        assert guesses == [401] * 20 + [429] * 5
        assert "refused keys" in client.get("/v1/cameras", headers={"X-API-Key": "sl_y"}).json()["detail"]


def test_wrong_keys_never_lock_out_a_right_one(settings: Settings, key: Key) -> None:
    """Behind a proxy all have one address."""
    with asking(settings) as client:
        for number in range(25):
            client.get("/v1/cameras", headers={"X-API-Key": f"sl_{number}_x"})
        assert client.get("/v1/cameras", headers={"X-API-Key": "sl_y"}).status_code == 429
        assert client.get("/v1/cameras", headers=key(Role.ADMIN)).status_code == 200


def test_no_key_is_no_wrong_key(settings: Settings, key: Key) -> None:
    with asking(settings) as client:
        assert statuses(client, 25) == [401] * 25
        assert client.get("/v1/cameras", headers={"X-API-Key": "sl_y"}).status_code == 401


def test_the_login_is_no_way_around_either(settings: Settings, key: Key) -> None:
    with asking(settings) as client:
        guesses = [client.post("/login", data={"key": f"sl_{n}_x"}).status_code for n in range(22)]
        assert guesses == [401] * 20 + [429] * 2
        right = {"key": key(Role.VIEWER)["X-API-Key"]}
        assert client.post("/login", data=right, follow_redirects=False).status_code == 303


def test_of_a_trusted_proxy_each_client_is_an_address_of_its_own(strict: Settings, key: Key) -> None:
    trusting = strict.model_copy(update={"trusted_proxies": "127.0.0.1, 10.0.0.0/24"})
    with asking(trusting, "10.0.0.1") as client:

        def ask(said: str) -> int:
            return client.get("/v1/cameras", headers={"X-Forwarded-For": said}).status_code

        assert [ask(f"6.6.6.{n}, 1.1.1.1") for n in range(4)] == [401, 401, 401, 429]  # what the client says counts not
        assert ask("2.2.2.2, 10.0.0.7") == 401
    with asking(trusting, "127.0.0.1") as client:
        assert statuses(client, 4) == [401, 401, 401, 429]  # never this machine itself


@pytest.mark.parametrize("said", ["", "nonsense", "1.2.3.4:99999999", "[::1", ",,,", "\x7f", "::1%a,"])
def test_whatever_a_trusted_proxy_says_is_an_address_or_nothing(strict: Settings, key: Key, said: str) -> None:
    trusting = strict.model_copy(update={"trusted_proxies": "10.0.0.1"})
    with asking(trusting) as client:
        assert client.get("/v1/cameras", headers={"X-Forwarded-For": said}).status_code == 401


def test_this_machine_is_not_limited_but_a_proxy_on_it_is(strict: Settings, key: Key) -> None:
    with asking(strict, "127.0.0.1", **key(Role.VIEWER)) as client:
        assert statuses(client, 10) == [200] * 10
        proxied = [client.get("/v1/cameras", headers={"X-Forwarded-For": f"1.1.1.{n}"}).status_code for n in range(4)]
        assert proxied == [200, 200, 200, 429]


def test_zero_means_any_number(settings: Settings, key: Key) -> None:
    with asking(settings.model_copy(update={"rate_limit_per_s": 0}), **key(Role.VIEWER)) as client:
        assert statuses(client, 30) == [200] * 30


def test_without_redis_nobody_is_counted_and_nobody_waits(strict: Settings, key: Key) -> None:
    absent = strict.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with asking(absent, **key(Role.VIEWER)) as client:
        assert statuses(client, 5, "/v1/passages") == [200] * 5


def test_a_request_costs_one_round_trip_and_buckets_go_by_themselves(strict: Settings, key: Key) -> None:
    with redis.Redis.from_url(strict.redis_url) as server, asking(strict, **key(Role.VIEWER)) as client:
        statuses(client, 1, "/v1/passages")  # loads the script
        before = server.info("commandstats")
        statuses(client, 1, "/v1/passages")
        after = server.info("commandstats")
        calls = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
        sent = {name for name, count in calls.items() if count} - {"cmdstat_info"}
        assert calls["cmdstat_evalsha"] == 1
        assert sent == {"cmdstat_evalsha", "cmdstat_time", "cmdstat_get", "cmdstat_set"}  # the last three within it
        buckets = list(server.scan_iter("sightline:rate:*"))
        assert len(buckets) == 1
        assert 0 < server.pttl(buckets[0]) <= 30_000
