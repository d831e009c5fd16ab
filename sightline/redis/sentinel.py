"""`sentinel://user:password@host:26379,host:26379/0?master=NAME`: Redis wherever three Sentinels say its master is.

User and password are those of Redis; `sentinel_user` and `sentinel_password` in the query are those of the Sentinels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from sightline.errors import SettingsError

SCHEME: Final = "sentinel"
_PORT: Final = 26379
#: A Sentinel that is gone must not keep us from asking the next.
_ASKED_FOR_S: Final = 1.0
_KNOWN: Final = frozenset({"master", "sentinel_user", "sentinel_password"})


def is_sentinel(url: str) -> bool:
    return url.startswith(f"{SCHEME}://")


@dataclass(frozen=True)
class SentinelAddress:
    hosts: tuple[tuple[str, int], ...]
    master: str
    login: dict[str, str]  #: `username` and `password` of Redis, where given
    sentinel_login: dict[str, str]
    database: int

    @classmethod
    def of(cls, url: str) -> SentinelAddress:
        """Raises SettingsError: the URL says too little, or what is unknown. Shows no part of a password."""
        try:
            split = urlsplit(url)
            given = parse_qs(split.query, strict_parsing=bool(split.query))
            userinfo, _, hosts = split.netloc.rpartition("@")
            found = tuple(_host(text) for text in hosts.split(","))
            database = int(split.path.strip("/") or 0)
        except ValueError:
            raise _refused("it cannot be read") from None
        if "master" not in given:
            raise _refused("which master?")
        if unknown := sorted(set(given) - _KNOWN):
            raise _refused(f"{', '.join(unknown)} is unknown")
        user, _, password = userinfo.partition(":")
        sentinel = given.get("sentinel_user", [""])[0], given.get("sentinel_password", [""])[0]
        return cls(found, given["master"][0], _login(unquote(user), unquote(password)), _login(*sentinel), database)

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """How the Sentinels themselves are asked."""
        return {"socket_timeout": _ASKED_FOR_S, "socket_connect_timeout": _ASKED_FOR_S, **self.sentinel_login}

    @property
    def master_options(self) -> dict[str, Any]:
        return {"db": self.database, **self.login}

    def kombu_url(self) -> str:
        """The same as kombu writes it: each Sentinel is a URL of its own."""
        user, password = (quote(self.login.get(name, ""), safe="") for name in ("username", "password"))
        userinfo = f"{user}:{password}@" if self.login else ""
        return ";".join(f"{SCHEME}://{userinfo}{host}:{port}/{self.database}" for host, port in self.hosts)

    def kombu_options(self) -> dict[str, Any]:
        return {"master_name": self.master, "sentinel_kwargs": self.sentinel_options}


def _host(text: str) -> tuple[str, int]:
    host, _, port = text.partition(":")
    if not host:
        raise ValueError
    return host, int(port or _PORT)


def _login(user: str, password: str) -> dict[str, str]:
    return {name: value for name, value in (("username", user), ("password", password)) if value}


def _refused(why: str) -> SettingsError:
    return SettingsError(
        f"a URL of Redis Sentinel: {why}; expected sentinel://user:password@host:26379,host:26379/0?master=NAME, "
        "special characters of the password as %XX"
    )
