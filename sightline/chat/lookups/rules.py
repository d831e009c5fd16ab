"""Which named queries a question comes to, by plain rules: no model has to call tools, and it is the same each time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sightline.chat.lookups.named import Call, call_of
from sightline.chat.lookups.times import NotUnderstoodError, Range, range_in

_HOW_MANY: Final = re.compile(r"\b(how many|how often|how much|number of|count)\b", re.I)
_VEHICLES: Final = re.compile(
    r"\b(cars?|vehicles?|trucks?|lorry|lorries|vans?|bus|buses|motorcycles?|plates?|passages?|traffic)\b", re.I
)
_PASSED: Final = re.compile(r"\b(pass|passes|passed|drove|came|arrived|entered|left|went|seen|through|visited)\b", re.I)
_WHICH: Final = re.compile(r"\b(last|latest|newest|recent|which|what|who|when|list|show)\b", re.I)
_ONE: Final = re.compile(
    r"\b(?:last|latest|newest)\s+(?:car|vehicle|truck|van|bus|plate|passage)\b|\bwhen\b.*\blast\b", re.I
)
_SOURCES: Final = re.compile(r"\b(?:which|what|list|show|how many)\b.*\b(?:cameras?|sources?)\b", re.I)
_JOB: Final = re.compile(r"\bjob\s+(?:id\s+)?([A-Za-z0-9][A-Za-z0-9_.-]{7,63})(?<!\.)", re.I)
#: What is written as plates are: letters and digits in capitals.
_PLATE: Final = re.compile(
    r"\b(?=[A-Z0-9*?-]*\d)(?=[A-Z0-9*?-]*[A-Z])[A-Z0-9*?-]{4,10}(?![A-Za-z0-9])"
    r"|\b[A-Z]{1,3}[ -]\d{1,4}(?:[ -][A-Z]{1,3})?\b"
)
_LEAST_OF_PLATE: Final = 5
#: `gate-2`, `gate 2`, and not "the gate 3 days ago".
_LIKE_A_SOURCE: Final = re.compile(
    r"(?<![\w-])([a-z]{3,})(?:[_-]\w+(?:[_.-]\w+)*"
    r"|\s?\d{1,3}(?![\w:])(?!\s*(?:minutes?|hours?|days?|weeks?|months?|years?|times?|[ap]m|o'clock)\b))",
    re.I,
)
#: Words in names of sources that say nothing of which one it is.
_GENERIC: Final = frozenset(
    re.findall(
        r"\w+",
        "and cam camera cams cameras car cars chat count for from how many last source stream the through today "
        "vehicle vehicles video was were what when which who",
    )
)


def may_be_about_rows(question: str) -> bool:
    """Whether it is worth asking which sources there are, to find out what a question comes to."""
    about_vehicles = _VEHICLES.search(question) or _plate_in(question, ())
    if re.search(r"\bwho\b", question, re.I) and _PASSED.search(question):
        return True
    about_any = _HOW_MANY.search(question) or _WHICH.search(question) or _PASSED.search(question)
    return bool(_JOB.search(question) or _SOURCES.search(question) or (about_vehicles and about_any))


def calls_for(question: str, asked_at: datetime, sources: Sequence[str], lists: Sequence[str]) -> list[Call]:
    """What is to be looked up, nothing if no rule knows the question.

    Args:
        question: in English.
        asked_at: with the zone of who asks, which says when today began.
        sources: the names of those that there are; that of lists of plates likewise.

    Raises:
        NotUnderstoodError: it names a time or a source that is not understood.
        BadMessageError: `asked_at` is no time to reckon from.
    """
    if (job := _JOB.search(question)) is not None and re.search(r"\d", job[1]):
        return [call_of("job_status", {"job_id": job[1]})]
    plate, named = _plate_in(question, sources), _sources_in(question, sources)
    is_of_vehicles = _VEHICLES.search(question) or plate or (named and re.search(r"\bwho\b", question, re.I))
    span = Range(None, None)
    if is_of_vehicles and (plate or _HOW_MANY.search(question) or _WHICH.search(question)):
        _refuse_unknown_source(question, sources)
        span = _span(question, asked_at, plate, named)
    is_of_rows = _PASSED.search(question) or plate or named or span.since or span.until
    if is_of_vehicles and is_of_rows:
        which = _given(span, named, plate, next((one for one in lists if _is_said(one, question)), None))
        calls: list[Call] = []
        if _HOW_MANY.search(question):
            calls.append(call_of("count_passages", which))
        if plate or (not calls and _WHICH.search(question)):
            calls.append(call_of("last_passages", which | ({"limit": 1} if _ONE.search(question) else {})))
        return calls
    if _SOURCES.search(question):
        return [call_of("sources", {})]
    return []


def _span(question: str, asked_at: datetime, plate: str | None, named: Sequence[str]) -> Range:
    """Names are no times, whatever they are made of."""
    for name in (*named, *([plate] if plate else [])):
        question = re.sub(_spelled(name), " ", question, flags=re.I)
    return range_in(question, asked_at)


def _refuse_unknown_source(question: str, sources: Sequence[str]) -> None:
    """`gate-2` where there is only `gate`: what is known of that is no answer, nor is what is known of all."""
    for found in _LIKE_A_SOURCE.finditer(question):
        is_like_one = any(found[1].lower() in _words(one) for one in sources)
        if is_like_one and not any(re.match(rf"{_spelled(one)}$", found[0], re.I) for one in sources):
            cure = f"there are {', '.join(sources[:50])}"
            raise NotUnderstoodError("source", found[0], cure)


def _given(span: Range, sources: Sequence[str], plate: str | None, list_name: str | None) -> dict[str, Any]:
    given = {"since": span.since, "until": span.until, "plate": plate, "list": list_name}
    which: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return which | ({"source": tuple(sources)[:16]} if sources else {})


def _plate_in(question: str, sources: Sequence[str]) -> str | None:
    for found in _PLATE.finditer(question):
        chars = re.sub(r"[ -]", "", found[0])
        if len(chars.rstrip("?")) >= _LEAST_OF_PLATE and not any(found[0].lower() == one.lower() for one in sources):
            return found[0].rstrip("?") if found.end() == len(question.rstrip()) else found[0]
    return None


def _sources_in(question: str, sources: Sequence[str]) -> list[str]:
    """Those that are named as a whole; else those of which a word is said, as "gate" of `gate-2`."""
    whole = [one for one in sources if _is_said(one, question)]
    words = set(re.findall(r"[a-z0-9_-]+", question.lower()))
    return whole or [one for one in sources if any(word in words for word in _words(one))]


def _is_said(name: str, question: str) -> bool:
    return re.search(_spelled(name), question, re.I) is not None


def _spelled(name: str) -> str:
    """As a pattern, with blanks for what joins its parts or without."""
    spelled = r"[\s_.-]+".join(map(re.escape, re.split(r"[\s_.-]+", name.strip("_.-"))))
    return rf"(?<![\w-]){spelled}(?![\w-])"


def _words(source: str) -> list[str]:
    found = re.findall(r"[a-z]{3,}", source.lower())
    return [word for word in found if word not in _GENERIC]
