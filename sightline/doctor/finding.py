"""What a check found, and how it is handed on: as JSON lines, since some checks run in processes of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final

from sightline.errors import BrokerUnavailableError, NotLetInError, NotPermittedError, SightlineError
from sightline.redaction import redact_text
from sightline.redis.clients import is_of_other_kind
from sightline.types import Value

_IS_REDIS_UP: Final = "is Redis up, and is SIGHTLINE_REDIS_URL right? `redis-cli -u URL ping` says PONG"


class State(StrEnum):
    OK = "ok"
    WARN = "warn"  #: it works, and should not stay so
    BAD = "bad"
    UNKNOWN = "unknown"  #: it cannot be looked at from here


class Finding(Value):
    """`what` was looked at, what it `says`, and what to `do` about it. Holds no secret."""

    what: str
    state: State
    says: str
    do: str = ""


def ok(what: str, says: str) -> Finding:
    return Finding(what=what, state=State.OK, says=says)


def warn(what: str, says: str, do: str = "") -> Finding:
    return Finding(what=what, state=State.WARN, says=redact_text(says), do=do)


def bad(what: str, says: str, do: str = "") -> Finding:
    return Finding(what=what, state=State.BAD, says=redact_text(says), do=do)


def unknown(what: str, says: str, do: str = "") -> Finding:
    return Finding(what=what, state=State.UNKNOWN, says=redact_text(says), do=do)


def guarded(what: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What a check finds; an error of ours on the way is a finding, too."""
    try:
        yield from check()
    except NotLetInError as error:
        yield bad(what, str(error), "correct user and password in SIGHTLINE_REDIS_URL, SIGHTLINE_FRAMES_URL")
    except NotPermittedError as error:
        yield unknown(what, str(error))
    except BrokerUnavailableError as error:
        says_what_to_do = is_of_other_kind(error.__cause__)
        yield bad(what, str(error), "" if says_what_to_do else _IS_REDIS_UP)
    except SightlineError as error:
        yield bad(what, str(error))
