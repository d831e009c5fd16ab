"""Addresses in settings: what is wrong with one is said at the start, with name and cure, without a password."""

from __future__ import annotations

import re

import pytest

from sightline.celery.app import create_app
from sightline.errors import SettingsError
from sightline.settings import load_settings
from sightline.settings.urls import database, redis

SECRET = "s3cret"


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://host",
        "redis://:only%40password@host:6380/3?prefix=acme:",
        "rediss://user:p%2Fw%23rd@host/0?ssl_ca_certs=/etc/ca.pem",
        "redis://[::1]:6379/0",
        "unix:///run/redis.sock?db=1&password=s",
        "redis://host/0?socket_timeout=3&socket_keepalive=true&prefix=acme:",
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
        ("redis://host/0?socket_timeot=3", "did you mean 'socket_timeout'"),
        ("redis://host/0?socket_timeout=3s", "socket_timeout=3s is wrong: expected a number"),
        ("redis://host/0?socket_timeout", "cannot be read"),
        ("redis://host/0?ssl_cert_reqs=none", "rediss://"),
        ("rediss://host/0?ssl_cert_reqs=maybe", "expected one of none, optional, required"),
        (f"redis://user:{SECRET}:1@host/0", ": %3A"),
        ("unix:///run/redis.sock?dbase=1", "no option 'dbase'"),
        ("unix://", "it names no socket"),
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


def test_an_option_that_rabbitmq_s_address_does_not_have_is_refused() -> None:
    assert load_settings(broker_url=(url := "amqps://user:pw@host/name?login_method=PLAIN")).broker_url == url
    with pytest.raises(SettingsError, match=r"SIGHTLINE_BROKER_URL: .*no option 'hartbeat'; it takes login_method"):
        load_settings(broker_url="amqp://host/name?hartbeat=10")


@pytest.mark.parametrize("url", ["@", "kafka://host", "amqpx://host", "host:5672"])
def test_what_is_no_broker_is_refused_in_words(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^SIGHTLINE_BROKER_URL: no address of a broker: expected amqp://"):
        load_settings(broker_url=url)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:p%40w%2Frd@host:5432/name",
        "postgres://user@a:5432,b/name?target_session_attrs=read-write&sslmode=require",
        "postgresql+psycopg://u:p@[::1]:5432/name",
        "postgresql:///name?host=/run/postgresql",
        "sqlite:///a b%/file.sqlite3",
        "sqlite:////var/lib/sightline.sqlite3?timeout=5",
    ],
)
def test_what_a_database_reads_is_taken(url: str) -> None:
    assert load_settings(database_url=url).database_url == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://u:pw@{SECRET}@host/name", "@ is %40"),
        (f"postgresql://u:pw/{SECRET}@host/name", "/ %2F"),
        (f"postgresql://u:pw#{SECRET}@host/name", "# %23"),
        (f"postgresql://u:pw:{SECRET}@host/name", ": %3A"),
        (f"postgresql://u:pw?{SECRET}@host/name", "? %3F"),
        (f"postgresql://u:pw%{SECRET}@host/name", "% %25"),
        (f"postgresql://u:12/a?{SECRET}@host/name", "? %3F"),
        (f"postgresql://u:{SECRET}@host:port/name", "no number from 1 to 65535"),
        (f"postgresql://u:{SECRET}@a:5432,b:0/name", "no number from 1 to 65535"),
        (f"postgresql://u:{SECRET}@host/name?sslmod=require", "no option 'sslmod'; did you mean 'sslmode'"),
        (f"postgresql://u:{SECRET}@host/name?sslmode=requir", "sslmode=requir is wrong: expected one of disable"),
        (f"postgresql://u:{SECRET}@host/name?connect_timeout=ten", "connect_timeout=ten is wrong: expected a whole"),
        (
            f"mysql://u:{SECRET}@host/name",
            "mysql:// is none of our databases; expected sqlite:///file or postgresql://",
        ),
        ("sqlite:///file?mode=ro", "no option 'mode'"),
        ("sqlite://", "names no file"),
        ("sqlite://file.sqlite3", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("host/name", "no address of a database"),
    ],
)
def test_what_no_database_reads_is_refused_with_the_cure(url: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(database_url=url)
    assert str(refused.value).startswith("SIGHTLINE_DATABASE_URL: ")
    assert said in str(refused.value)
    assert not {SECRET, "pw"} & set(re.findall(r"\w+", str(refused.value)))
    assert refused.value.__cause__ is None


def test_the_options_are_those_that_the_drivers_take() -> None:
    from psycopg.pq import Conninfo
    from redis import ConnectionPool
    from redis.connection import SSLConnection, UnixDomainSocketConnection

    assert set(database.OPTIONS) <= {each.keyword.decode() for each in Conninfo.get_defaults()}
    values = {redis.NUMBER: "1", redis.WHOLE: "1", redis.TEXT: "a"}
    for known, scheme in [
        (redis.OPTIONS | redis.OPTIONS_OF_TLS, "rediss://h"),
        (redis.OPTIONS_OF_A_SOCKET, "unix:///s"),
    ]:
        query = "&".join(
            f"{name}={takes[0] if isinstance(takes, tuple) else values[takes]}" for name, takes in known.items()
        )
        made = ConnectionPool.from_url(f"{scheme}?{query}").make_connection()
        assert isinstance(made, SSLConnection if scheme == "rediss://h" else UnixDomainSocketConnection)


@pytest.mark.parametrize(
    "url",
    [
        "redis://u:p@h/2?socket_timeout=3&prefix=acme:",
        "rediss://h/2?ssl_cert_reqs=none&socket_timeout=3",
        "unix:///run/redis.sock?db=2",
    ],
)
def test_what_is_taken_opens_the_broker_too(url: str) -> None:
    app = create_app(load_settings(redis_url=url))
    with app.connection_for_write() as connection:
        assert "virtual_host=2" in str(connection.hostname) or connection.virtual_host == "2"


def test_a_broker_that_is_no_redis_is_looked_at_too() -> None:
    with pytest.raises(SettingsError, match=r"SIGHTLINE_BROKER_URL: .*@ is %40") as refused:
        load_settings(broker_url=f"amqp://u:pw@{SECRET}@host//")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("url", ["localhost:8080", "http://", "ftp://host", "http://host:port", "http://[::1"])
def test_the_address_of_the_api_is_one(url: str) -> None:
    with pytest.raises(SettingsError, match=r"SIGHTLINE_API_URL: .*expected http://host:8080"):
        load_settings(api_url=url)


def test_brokers_of_another_kind_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_BROKER_URL", f"kafka://u:{SECRET}@host")
    with pytest.raises(SettingsError, match="SIGHTLINE_BROKER_URL") as refused:
        load_settings()
    assert SECRET not in str(refused.value)
