"""An address of Redis as kombu reads it, which knows no options but those of TLS, and sockets and Sentinels by other
names."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from sightline.redis.prefix import split_prefix
from sightline.redis.sentinel import SentinelAddress, is_sentinel


def for_kombu(url: str) -> tuple[str, dict[str, Any]]:
    """The address, and what belongs to Celery's `broker_transport_options`.

    Time-outs of the address hold for ledger and frames: those of the broker are of one piece with its waits.
    """
    url, prefix = split_prefix(url)
    options: dict[str, Any] = {"global_keyprefix": prefix}
    if is_sentinel(url):
        address = SentinelAddress.of(url)
        return address.kombu_url(), options | address.kombu_options()
    split = urlsplit(url)
    given = dict(parse_qsl(split.query))
    if split.scheme == "unix":
        login = ":".join(quote(given.get(name, ""), safe="") for name in ("username", "password"))
        userinfo = f"{login}@" if "password" in given else split.netloc
        return f"redis+socket://{userinfo}{split.path}?virtual_host={given.get('db', '0')}", options
    of_tls = {name: value for name, value in given.items() if name.startswith("ssl_")}
    return urlunsplit(split._replace(query=urlencode(of_tls))), options
