"""Addresses of Redis."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from sightline.errors import SettingsError
from sightline.redis.prefix import split_prefix
from sightline.redis.sentinel import SentinelAddress, is_sentinel
from sightline.settings.urls.options import FLAG, NUMBER, TEXT, WHOLE, Takes, check_options
from sightline.settings.urls.parts import split_url

_REDIS: Final = re.compile(r"(rediss?|unix|sentinel)://")
_FORM: Final = "expected redis://user:password@host:6379/0"
OPTIONS: Final[dict[str, Takes]] = {
    "socket_timeout": NUMBER,
    "socket_connect_timeout": NUMBER,
    "socket_keepalive": FLAG,
    "retry_on_timeout": FLAG,
    "health_check_interval": WHOLE,
    "max_connections": WHOLE,
    "client_name": TEXT,
}
OPTIONS_OF_TLS: Final[dict[str, Takes]] = {
    "ssl_cert_reqs": ("none", "optional", "required"),
    "ssl_check_hostname": FLAG,
    **dict.fromkeys(("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_password"), TEXT),
    "ssl_ciphers": TEXT,
}
OPTIONS_OF_A_SOCKET: Final[dict[str, Takes]] = {
    "db": WHOLE,
    "username": TEXT,
    "password": TEXT,
    **{name: takes for name, takes in OPTIONS.items() if name != "socket_keepalive"},
}
#: Of others kombu knows none, or hands them on as texts and with names that its driver does not take.
OPTIONS_OF_RABBITMQ: Final[dict[str, Takes]] = {"login_method": TEXT}


def is_of_redis(url: str) -> bool:
    return _REDIS.match(url) is not None


def check_redis_url(url: str) -> str:
    """Raises ValueError: with what is right."""
    if not is_of_redis(url):
        raise ValueError(f"no address of a Redis: {_FORM}, or rediss://, unix:///socket, sentinel://")
    try:
        plain, _ = split_prefix(url)
        if is_sentinel(plain):
            SentinelAddress.of(plain)
        elif plain.startswith("unix://"):
            if not urlsplit(plain).path.strip("/"):
                raise ValueError("it names no socket; expected unix:///run/redis.sock?db=1")
            check_options(urlsplit(plain).query, OPTIONS_OF_A_SOCKET, "unix:///socket?db=1")
        else:
            _check_parts(plain)
    except SettingsError as error:
        raise ValueError(str(error)) from error
    return url


def check_optional_redis_url(url: str) -> str:
    """Of a setting that may name something else."""
    return check_redis_url(url) if is_of_redis(url) else url


def check_broker_url(url: str) -> str:
    """Of RabbitMQ, too, or empty."""
    if re.match(r"amqps?://", url):
        split = split_url(url, "expected amqp://user:password@host:5672/name")
        check_options(split.query, OPTIONS_OF_RABBITMQ, "amqp://host/name?login_method=PLAIN")
        return url
    if url and not is_of_redis(url):
        raise ValueError("no address of a broker: expected amqp://user:password@host:5672/name, or one of a Redis")
    return check_optional_redis_url(url)


def _check_parts(url: str) -> None:
    split = split_url(url, _FORM)
    if not re.fullmatch(r"/?\d*", split.path):
        raise ValueError(f"after the host comes the number of a database, such as /0; {_FORM}")
    if split.scheme == "redis" and "ssl_" in split.query:
        raise ValueError("options that begin with ssl_ are for TLS alone: begin the address with rediss://")
    known = OPTIONS | OPTIONS_OF_TLS if split.scheme == "rediss" else OPTIONS
    check_options(split.query, known, f"{split.scheme}://host/0?socket_timeout=5")
