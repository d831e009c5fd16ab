"""Addresses in settings: what is wrong with one is said at the start, with name and cure, without a password."""

from __future__ import annotations

import pytest

from sightline.errors import SettingsError
from sightline.settings import load_settings

SECRET = "s3cret"


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://host",
        "redis://:only%40password@host:6380/3?prefix=acme:",
        "rediss://user:p%2Fw%23rd@host/0?ssl_ca_certs=/etc/ca.pem",
        "redis://[::1]:6379/0",
        "unix:///run/redis.sock?db=1",
        "sentinel://user:pw@a:26379,b/0?master=main",
    ],
)
def test_what_redis_reads_is_taken(url: str) -> None:
    settings = load_settings(redis_url=url, broker_url=url, frames_url=url)
    assert (settings.redis_url, settings.broker_url, settings.frames_url) == (url, url, url)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://host", "no address of a Redis"),
        ("host:6379", "no address of a Redis"),
        (f"redis://user:{SECRET}#1@host/0", "# %23"),
        (f"redis://user:{SECRET}/1@host/0", "/ %2F"),
        (f"redis://user:{SECRET}?1@host/0", "? %3F"),
        (f"redis://user:{SECRET}@1@host/0", "@ is %40"),
        (f"redis://user:{SECRET}%zz@host/0", "% %25"),
        (f"redis://user:[{SECRET}@host/0", "as %XX"),
        ("redis://host:abc/0", "no number from 1 to 65535"),
        ("redis://host:70000/0", "no number from 1 to 65535"),
        ("redis://host/zero", "the number of a database"),
        ("redis://host/0/1", "the number of a database"),
        (f"redis://u:{SECRET}@host/0?prefix=*", "no prefix of keys"),
        (f"sentinel://u:{SECRET}@host/0", "which master"),
    ],
)
@pytest.mark.parametrize("name", ["redis_url", "broker_url", "frames_url"])
def test_what_it_does_not_read_is_refused_with_the_cure(name: str, url: str, said: str) -> None:
    if name != "redis_url" and "no address" in said:
        pytest.skip("these may name something else")
    with pytest.raises(SettingsError) as refused:
        load_settings(**{name: url})
    assert str(refused.value).startswith(f"SIGHTLINE_{name.upper()}: ")
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None  # a traceback would show it


@pytest.mark.parametrize("url", ["localhost:8080", "http://", "ftp://host", "http://host:port", "http://[::1"])
def test_the_address_of_the_api_is_one(url: str) -> None:
    with pytest.raises(SettingsError, match=r"SIGHTLINE_API_URL: .*expected http://host:8080"):
        load_settings(api_url=url)


def test_brokers_of_another_kind_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_BROKER_URL", f"kafka://u:{SECRET}@host")
    with pytest.raises(SettingsError, match="SIGHTLINE_BROKER_URL") as refused:
        load_settings()
    assert SECRET not in str(refused.value)
