"""What follows the `?` of an address: options by name, each with what it takes."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

#: What an option takes: one of these words, or one of the listed values.
Takes = str | tuple[str, ...]

TEXT: Final = "a text"
NUMBER: Final = "a number above 0"
WHOLE: Final = "a whole number"
FLAG: Final = ("true", "false", "1", "0", "yes", "no")


def check_options(query: str, known: Mapping[str, Takes], form: str) -> None:
    """Raises ValueError: an option is not known, or takes something else. `form`: an address with an option."""
    if not query:
        return
    try:
        given = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise ValueError(f"what follows the ? cannot be read; expected options such as {form}") from None
    for name, value in given:
        if name not in known:
            raise ValueError(f"it has no option {name[:40]!r}{_meant(name, known)}")
        if not _fits(value, known[name]):
            takes = known[name]
            expected = takes if isinstance(takes, str) else f"one of {', '.join(takes)}"
            raise ValueError(f"the option {name}={value[:40]} is wrong: expected {expected}")


def _meant(name: str, known: Mapping[str, Takes]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(sorted(known)) or 'none'}"


def _fits(value: str, takes: Takes) -> bool:
    if isinstance(takes, tuple):
        return value.lower() in takes
    if takes == WHOLE:
        return re.fullmatch(r"[0-9]{1,9}", value) is not None
    if takes == NUMBER:
        try:
            return 0 < float(value) < math.inf
        except ValueError:
            return False
    return value != ""
