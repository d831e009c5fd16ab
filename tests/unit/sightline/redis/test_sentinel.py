"""URLs of Redis Sentinel: what they say, and that a refusal shows no part of a password."""

from __future__ import annotations

import pytest

from sightline.errors import SettingsError
from sightline.redis.sentinel import SentinelAddress

URL = "sentinel://me:p%40ss%2Fw@a:26380,b/3?master=main&sentinel_password=x%20y"


def test_what_a_url_says() -> None:
    address = SentinelAddress.of(URL)
    assert address.hosts == (("a", 26380), ("b", 26379))
    assert (address.master, address.database) == ("main", 3)
    assert address.login == {"username": "me", "password": "p@ss/w"}
    assert address.sentinel_login == {"password": "x y"}
    assert address.kombu_url() == "sentinel://me:p%40ss%2Fw@a:26380/3;sentinel://me:p%40ss%2Fw@b:26379/3"


@pytest.mark.parametrize(
    "url",
    [
        "sentinel://me:secret@a,b/0",
        "sentinel://me:secret@a,,b/0?master=m",
        "sentinel://me:secret@a:x/0?master=m",
        "sentinel://me:secret@a/x?master=m",
        "sentinel://me:secret@a/0?master=m&nonsense=1",
        "sentinel://me:secret#x@a/0?master=m",
    ],
)
def test_what_is_missing_is_named_without_the_password(url: str) -> None:
    with pytest.raises(SettingsError, match="master=NAME") as caught:
        SentinelAddress.of(url)
    assert "secret" not in str(caught.value)
