"""Hide credentials before a text reaches a log, a status or an error. In doubt more is hidden, never less."""

from __future__ import annotations

import re

HIDDEN = "***"

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)
_SENSITIVE_NAME = r"[a-z0-9_.-]*(?:pass|pwd|pas|psw|secret|token|key|auth|cred|sig|user|usr|login|session)[a-z0-9.-]*"
_HOST = re.compile(r"(?:\[[^\]]*\]|[^:/?#]*)(?::\d*)?")  # with its port
#: `?password=x&`, and `/user=admin_password=x_channel=1` as some cameras want it inside the path.
_SECRET_FIELD = re.compile(rf"([?&;/_#]{_SENSITIVE_NAME}=)(?:(?!_[a-z]+=)[^&;/\s'\"#])*", re.IGNORECASE)


def redact_url(url: str) -> str:
    """The URL without user, password and values of query fields whose name sounds secret.

    Passwords are often not percent-encoded, so everything up to the last `@` ahead of the query counts as user and
    password. Paths and USB indexes come back unchanged.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    credentials_end = rest.rfind("@", 0, _query_at(rest))
    if credentials_end >= 0:
        rest = f"{HIDDEN}@{rest[credentials_end + 1 :]}"
    return scheme + separator + _SECRET_FIELD.sub(rf"\1{HIDDEN}", rest)


def _query_at(rest: str) -> int:
    """Where the query begins in what follows `scheme://`; its end if a `?` may belong to a password."""
    head, slash, path = rest.partition("/")
    if not slash or "?" not in path or not _HOST.fullmatch(head.rpartition("@")[2]):
        return len(rest)
    return len(head) + 1 + path.index("?")


def redact_text(text: str, *urls: str) -> str:
    """The text with each of `urls`, and whatever else looks like a URL, redacted.

    Give the URLs that may occur: one with a blank or a quote in its password is only found by comparison.
    """
    for url in urls:
        if "://" in url:
            text = text.replace(url, redact_url(url))
    return _URL.sub(lambda match: redact_url(match[0]), text)
