"""A prefix before all keys of an installation."""

from __future__ import annotations

import pytest

from sightline.errors import SettingsError
from sightline.redis.prefix import split_prefix, with_prefix, without_prefix


@pytest.mark.parametrize(
    ("url", "rest", "prefix"),
    [
        ("redis://u:p%40ss@host/1", "redis://u:p%40ss@host/1", ""),
        ("redis://u:p%40ss@host/1?prefix=acme:", "redis://u:p%40ss@host/1", "acme:"),
        ("rediss://host/0?ssl_ca_certs=%2Fca.pem&prefix=a", "rediss://host/0?ssl_ca_certs=%2Fca.pem", "a"),
        ("sentinel://a,b/0?master=main&prefix=x.", "sentinel://a,b/0?master=main", "x."),
    ],
)
def test_it_is_part_of_the_url(url: str, rest: str, prefix: str) -> None:
    assert split_prefix(url) == (rest, prefix)


@pytest.mark.parametrize("prefix", ["", "a*b", "a b", "ä", "x" * 65])
def test_what_no_key_should_begin_with_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="no prefix of keys; expected up to 64 letters"):
        split_prefix(f"redis://u:secret@host/0?prefix={prefix}")


@pytest.mark.parametrize(
    ("command", "sent"),
    [
        (("PING",), ("PING",)),
        (("SCRIPT LOAD", "return 1"), ("SCRIPT LOAD", "return 1")),
        (("HSET", "h", "field", 1), ("HSET", "p:h", "field", 1)),
        (("MGET", "a", "b"), ("MGET", "p:a", "p:b")),
        (("EVALSHA", "sha", 2, "a", "b", "c"), ("EVALSHA", "sha", 2, "p:a", "p:b", "c")),
        (
            ("XREAD", b"BLOCK", "5", b"STREAMS", "a", "b", "0", "0"),
            ("XREAD", b"BLOCK", "5", b"STREAMS", "p:a", "p:b", "0", "0"),
        ),
    ],
)
def test_keys_have_it_and_values_do_not(command: tuple[object, ...], sent: tuple[object, ...]) -> None:
    assert with_prefix("p:", command) == sent


def test_no_command_goes_past_it() -> None:
    with pytest.raises(ValueError, match="SORT"):
        with_prefix("p:", ("SORT", "key"))


@pytest.mark.parametrize("reply", [{"p:a": [["entry"]]}, [["p:a", [["entry"]]]]])
def test_keys_come_back_without_it(reply: object) -> None:
    assert dict(without_prefix("p:", ("XREAD",), reply)) == {"a": [["entry"]]}
