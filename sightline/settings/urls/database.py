"""The address of the database."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from sightline.settings.urls.options import FLAG, NUMBER, TEXT, WHOLE, Takes, check_options
from sightline.settings.urls.parts import split_url

_POSTGRES: Final = re.compile(r"postgres(ql)?(\+\w+)?://")
_SQLITE: Final = re.compile(r"sqlite(\+pysqlite)?://")
_FORM: Final = "expected sqlite:///file or postgresql://user:password@host:5432/name"
_SWITCH: Final = ("0", "1")
_FILES: Final = ("passfile", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl", "sslcrldir")
_NAMES: Final = ("user", "password", "dbname", "host", "hostaddr", "port", "service", "options", "application_name")
#: What libpq takes.
OPTIONS: Final[dict[str, Takes]] = {
    **dict.fromkeys((*_NAMES, *_FILES, "client_encoding", "requirepeer", "require_auth", "krbsrvname"), TEXT),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "sslcertmode": ("disable", "allow", "require"),
    "sslsni": _SWITCH,
    "ssl_min_protocol_version": ("tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"),
    "ssl_max_protocol_version": ("tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "gsslib": ("gssapi",),
    "gssdelegation": _SWITCH,
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
    **dict.fromkeys(("connect_timeout", "tcp_user_timeout"), WHOLE),
    "keepalives": _SWITCH,
    **dict.fromkeys(("keepalives_idle", "keepalives_interval", "keepalives_count"), WHOLE),
}
OPTIONS_OF_A_FILE: Final[dict[str, Takes]] = {
    "timeout": NUMBER,
    "cached_statements": WHOLE,
    "check_same_thread": FLAG,
}


def check_database_url(url: str) -> str:
    """Raises ValueError: with what is right."""
    if _POSTGRES.match(url):
        split = split_url(url, _FORM, many_hosts=True)
        check_options(split.query, OPTIONS, "postgresql://host/name?sslmode=require")
        return url
    if not _SQLITE.match(url):
        scheme, separator, _ = url.partition("://")
        kind = f"{scheme[:20]}:// is none of our databases" if separator else "no address of a database"
        raise ValueError(f"{kind}; {_FORM}")
    split = urlsplit(url)
    if split.netloc or split.path in ("", "/", "/:memory:"):
        raise ValueError(f"it names no file that processes could share; {_FORM}, or sqlite:////file for one from /")
    check_options(split.query, OPTIONS_OF_A_FILE, "sqlite:///file?timeout=5")
    return url


def check_optional_database_url(url: str) -> str:
    """Empty: not given."""
    return check_database_url(url) if url else url
