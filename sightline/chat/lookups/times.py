"""Which time a question is about, by plain rules: today, yesterday, on Monday, in the last 3 hours, since 8:30."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple

_DATE: Final = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_LAST: Final = re.compile(r"\b(?:last|past|previous)\s+(?:(\d{1,4})\s+)?(minute|hour|day|week)s?\b", re.I)
_PART_OF_DAY: Final = re.compile(r"\bthis\s+(morning|afternoon|evening)\b|\b(tonight)\b", re.I)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY: Final = re.compile(rf"\b({'|'.join(_WEEKDAYS)})\b", re.I)
#: An hour on its own is one only where nothing follows that could be counted: not in "after 8 cars".
_ALONE: Final = r"(?=\s*(?:$|[?.,!]|(?:and|yesterday|today|on|at|until|to)\b))"
_CLOCK: Final = rf"(\d{{1,2}})(?::(\d{{2}})|\s*(am|pm|o'clock)|{_ALONE})(?:\s*(am|pm))?"
_BETWEEN: Final = re.compile(rf"\b(?:between|from)\s+{_CLOCK}\s+(?:and|to|until)\s+{_CLOCK}", re.I)
_SINCE: Final = re.compile(rf"\b(?:since|after)\s+{_CLOCK}", re.I)
_BEFORE: Final = re.compile(rf"\b(?:before|until)\s+{_CLOCK}", re.I)
_PARTS: Final = {"morning": (0, 12), "afternoon": (12, 18), "evening": (18, 24), "tonight": (18, 24)}


class Range(NamedTuple):
    """From `since` on, before `until`; None: no such end."""

    since: datetime | None
    until: datetime | None


def range_in(question: str, asked_at: datetime) -> Range:
    """`asked_at` says what today is, and in which zone: that of who asks."""
    if (last := _LAST.search(question)) is not None:
        return Range(asked_at - timedelta(**{f"{last[2].lower()}s": int(last[1] or 1)}), None)
    today = datetime.combine(asked_at.date(), time.min, asked_at.tzinfo)
    whole = _days(question, today)
    day = (whole.since if whole and whole.since else today) or today
    if (part := _PART_OF_DAY.search(question)) is not None:
        begin, end = _PARTS[(part[1] or part[2]).lower()]
        return Range(today + timedelta(hours=begin), today + timedelta(hours=end))
    if (both := _BETWEEN.search(question)) is not None:
        begin, end = _moment(day, both.groups()[:4]), _moment(day, both.groups()[4:])
        if begin is not None and end is not None and begin < end:
            return Range(begin, end)
    since = _moment(day, found.groups()) if (found := _SINCE.search(question)) else None
    until = _moment(day, found.groups()) if (found := _BEFORE.search(question)) else None
    if since is None and until is None:
        return whole or Range(None, None)
    return Range(since or day, until or (whole.until if whole else None))


def _days(question: str, today: datetime) -> Range | None:
    """The days that are named, as a whole."""
    day, words = timedelta(days=1), question.lower()
    dates = [found for one in _DATE.findall(question) if (found := _date(one, today)) is not None]
    if dates:
        return Range(min(dates), max(dates) + day)
    if re.search(r"\byesterday\b", words):
        return Range(today - day, today)
    if re.search(r"\btoday\b", words):
        return Range(today, None)
    if re.search(r"\bthis week\b", words):
        return Range(today - today.weekday() * day, None)
    if re.search(r"\bthis month\b", words):
        return Range(today.replace(day=1), None)
    if (named := _WEEKDAY.search(question)) is not None:
        back = (today.weekday() - _WEEKDAYS.index(named[1].lower())) % 7 or 7
        return Range(today - back * day, today - (back - 1) * day)
    return None


def _date(parts: tuple[str, str, str], today: datetime) -> datetime | None:
    year, month, day = map(int, parts)
    try:
        return datetime(year, month, day, tzinfo=today.tzinfo)
    except ValueError:
        return None


def _moment(day: datetime, parts: tuple[str | None, ...]) -> datetime | None:
    hour, minute, half, half_after = parts
    half = (half_after or half or "").lower()
    hours = int(hour or 0) + (12 if half == "pm" and int(hour or 0) < 12 else 0)
    if half == "am" and hours == 12:
        hours = 0
    minutes = int(minute or 0)
    return day + timedelta(hours=hours, minutes=minutes) if hours <= 24 and minutes < 60 else None
