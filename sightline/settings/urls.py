"""Addresses of Redis and of the API, looked at once, when they are read: what is wrong is said here, and not by a
driver that knows no setting. No part of a password is in any text.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from sightline.errors import SettingsError
from sightline.redis.prefix import split_prefix
from sightline.redis.sentinel import SentinelAddress, is_sentinel

_REDIS: Final = re.compile(r"(rediss?|unix|sentinel)://")
_FORM: Final = "expected redis://user:password@host:6379/0"
_AS_CODES: Final = "special characters of the password as %XX: @ is %40, : %3A, / %2F, # %23, ? %3F, % %25"
#: A % that begins no code.
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


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
        elif not plain.startswith("unix://"):
            _check_parts(plain)
    except SettingsError as error:
        raise ValueError(str(error)) from error
    return url


def check_optional_redis_url(url: str) -> str:
    """Of a setting that may name something else."""
    return check_redis_url(url) if is_of_redis(url) else url


def check_api_url(url: str) -> str:
    """Raises ValueError: with what is right."""
    form = "expected http://host:8080"
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError:
        raise ValueError(f"the host or the port cannot be read; {form}") from None
    if split.scheme not in ("http", "https") or not split.hostname:
        raise ValueError(f"no address of an API; {form}")
    return url


def _check_parts(url: str) -> None:
    rest = url.partition("://")[2]
    try:
        split = urlsplit(url)
        is_split = split.fragment == "" and "@" not in split.path + split.query and split.netloc.count("@") <= 1
        userinfo = split.netloc.rpartition("@")[0]
        is_split = is_split and not _BARE_PERCENT.search(userinfo) and "[" not in userinfo
    except ValueError:
        is_split = False
        split = None
    if split is None or not is_split:
        raise ValueError(f"it cannot be read: {_AS_CODES if '@' in rest else _FORM}")
    try:
        port = split.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"the port is no number from 1 to 65535; {_FORM}" + (f", {_AS_CODES}" if "@" in rest else ""))
    if not re.fullmatch(r"/?\d*", split.path):
        raise ValueError(f"after the host comes the number of a database, such as /0; {_FORM}")
