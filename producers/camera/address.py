"""The address of a camera, as people write it: with whatever their password holds."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from sightline.errors import BadMessageError
from sightline.redaction import redact_url

_HOST: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)(?::\d{1,5})?")  # with its port
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ALLOWED: Final = "%!$&'()*+,;=~"  # in user names and passwords, as RFC 3986 says


def encode_credentials(url: str) -> str:
    """The URL with user name and password percent-encoded, where they are not yet."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    end = _credentials_end(rest)
    if end is None:  # as any program would read it
        end = _head(rest).rfind("@")
    user, colon, password = rest[: max(0, end)].partition(":")
    return f"{scheme}://{_encoded(user)}{colon}{_encoded(password)}{rest[max(0, end) :]}"


def check_credentials(url: str, field: str = "url") -> None:
    """Raises `BadMessageError`: it is not clear where the password ends; the text says how to write it."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme.lower() != "file" and _credentials_end(rest) is None:
        raise BadMessageError(
            f"{field}: {redact_url(url)[:80]!r}: it is not clear which @ ends the password; write the others as %40, "
            "and in a password / as %2F, ? as %3F, # as %23",
            field=field,
        )


def _credentials_end(rest: str) -> int | None:
    """Where the @ behind the password is in what follows `scheme://`; 0 if there is none, None if that is not clear."""
    head = _head(rest)
    tail = rest[len(head) :]
    is_address = _HOST.fullmatch(head.rpartition("@")[2]) is not None
    path = tail.partition("?")[0] if tail.startswith("/") else tail  # an @ in a query is nobody's password
    if "@" not in path and (is_address or "@" not in head):
        return max(0, head.rfind("@"))
    if is_address and "#" not in path.rpartition("@")[0]:  # cameras have no fragments: a # belongs to a password
        return None if "@" in head else 0
    end = rest.rfind("@", 0, len(head) + len(path))
    return end if end >= 0 and _HOST.fullmatch(_head(rest[end + 1 :])) else None


def _head(rest: str) -> str:
    """Up to the first character that ends an address."""
    return re.split(r"[/?#]", rest, maxsplit=1)[0]


def _encoded(text: str) -> str:
    return quote(_BARE_PERCENT.sub("%25", text), safe=_ALLOWED)
