"""An address taken apart as drivers do, or a refusal with the cure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

AS_CODES: Final = "special characters of the password as %XX: @ is %40, : %3A, / %2F, # %23, ? %3F, % %25"
#: A % that begins no code.
_BARE_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*)(:(?P<port>.*))?")


def split_url(url: str, form: str, *, many_hosts: bool = False) -> SplitResult:
    """Raises ValueError: it cannot be read; `form` is what is right."""
    with_password = f", {AS_CODES}" if "@" in url else ""
    try:
        split = urlsplit(url)
    except ValueError:
        split = None
    if split is None or not _is_clear(split):
        raise ValueError(f"it cannot be read: {AS_CODES if with_password else form}")
    hosts = split.netloc.rpartition("@")[2]
    for host in hosts.split(",") if many_hosts else [hosts]:
        found = _PORT.fullmatch(host)
        if found is None:
            raise ValueError(f"the host cannot be read; {form}{with_password}")
        port = found["port"]
        if port and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 1 << 16):
            raise ValueError(f"the port is no number from 1 to 65535; {form}{with_password}")
    return split


def _is_clear(split: SplitResult) -> bool:
    """Whether it has one reading: no sign of a password can be taken for the end of it."""
    userinfo = split.netloc.rpartition("@")[0]
    is_plain = "@" not in userinfo and "[" not in userinfo and not _BARE_PERCENT.search(userinfo)
    return is_plain and userinfo.count(":") <= 1 and split.fragment == "" and "@" not in split.path + split.query
