"""Which time a question is about, by plain rules: today, yesterday, on Monday, in the last 3 hours, since 8:30."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Any, Final, NamedTuple

from sightline.errors import BadMessageError

_NUMBERS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER: Final = rf"(\d{{1,4}}|an?|{'|'.join(_NUMBERS)})"
_DATE: Final = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?![\w-])")
_LAST: Final = re.compile(rf"\b(?:last|past|previous)\s+(?:{_NUMBER}\s+)?(minute|hour|day|week)s?\b", re.I)
_HALF_AN_HOUR: Final = re.compile(r"\b(?:last|past|previous)\s+half(?:\s+an|\s+a)?[\s-]+hour\b", re.I)
_AGO: Final = re.compile(rf"\b(since\s+)?(?:{_NUMBER}\s+(minute|hour|day|week)s?|half\s+an\s+(hour))\s+ago\b", re.I)
_SINCE_DAY: Final = re.compile(r"\bsince\s+\0", re.I)
_SINCE_MIDNIGHT: Final = re.compile(r"\b(?:since|after)\s+midnight\b", re.I)
_PART_OF_DAY: Final = re.compile(r"\bthis\s+(morning|afternoon|evening)\b|\b(tonight)\b", re.I)
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKDAY: Final = re.compile(rf"\b({'|'.join(_WEEKDAYS)})\b", re.I)
#: An hour on its own is one only where nothing follows that could be counted: not in "after 8 cars".
_ALONE: Final = r"(?=\s*(?:$|[?.,!]|(?:and|yesterday|today|on|at|until|to)\b))"
_CLOCK: Final = rf"(\d{{1,2}})(?::(\d{{2}})|\s*(am|pm|o'clock)|{_ALONE})(?:\s*(am|pm))?"
_BETWEEN: Final = re.compile(rf"\b(?:between|from)\s+{_CLOCK}\s+(?:and|to|until)\s+{_CLOCK}", re.I)
_SINCE: Final = re.compile(rf"\b(?:since|after)\s+{_CLOCK}", re.I)
_BEFORE: Final = re.compile(rf"\b(?:before|until)\s+{_CLOCK}", re.I)
#: What speaks of time, where no rule took it; a NUL stands where one did.
_TIME: Final = re.compile(
    r"\b(?:tomorrow|yesterday|today|tonight|ago|since|mornings?|afternoons?|evenings?|nights?|overnight|noon|midday"
    r"|midnight|dawn|dusk|seconds|minutes?|hours?|days?|daily|hourly|weeks?|weekly|weekends?|fortnights?|months?|monthly"
    r"|quarters?|years?|yearly|decades?|spring|summer|autumn|winter|christmas|easter|o'clock"
    r"|january|february|march|april|june|july|august|september|october|november|december"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|until(?!\s+now\b)|next(?!\s+to\b)"
    r"|(?:in|of|since|on|last|this)\s+(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)"
    r"|(?:19|20)\d\d|\d{1,2}:\d{2}|\d{1,2}\s*[ap]m|\d{1,2}\.\d{1,2}\.(?:\d{2,4})?|\d{1,4}[/-]\d{1,2}[/-]\d{1,4})"
    r"(?![\w-])|\b(?:before|after|until|except|not)\s+\0",
    re.I,
)
_PARTS: Final = {"morning": (0, 12), "afternoon": (12, 18), "evening": (18, 24), "tonight": (18, 24)}


class Range(NamedTuple):
    """From `since` on, before `until`; None: no such end."""

    since: datetime | None
    until: datetime | None


class NotUnderstoodError(ValueError):
    """A question says when or where, but not as any rule knows it: without that, its answer would be of too much."""

    def __init__(self, what: str, words: str, cure: str) -> None:
        super().__init__(f"Nothing was looked up, as the {what} {words!r} was not understood; {cure}.")
        self.what, self.words = what, words


class _Text:
    """A question, of which each rule takes what it understands."""

    def __init__(self, text: str) -> None:
        self.rest = text

    def take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        if (found := pattern.search(self.rest)) is not None:
            self.rest = f"{self.rest[: found.start()]}\0{self.rest[found.end() :]}"
        return found


def range_in(question: str, asked_at: datetime) -> Range:
    """`asked_at` says what today is, and in which zone: that of who asks.

    Raises:
        NotUnderstoodError: a word of time is left that no rule knows.
        BadMessageError: the time is out of what can be told.
    """
    text = _Text(question)
    try:
        found = _range(text, asked_at)
    except OverflowError as error:
        raise BadMessageError(
            f"asked_at: {asked_at.isoformat()} is too near to the end of all dates; give the time of now",
            field="asked_at",
        ) from error
    if (left := _TIME.search(text.rest)) is not None:
        around = " ".join(text.rest[max(0, left.start() - 12) : left.end()].replace("\0", "").split()[-3:])
        cure = "ask with today, yesterday, this month, in the last 3 hours, since 8:30 or on 2026-01-31"
        raise NotUnderstoodError("time", around, cure)
    return found


def _range(text: _Text, asked_at: datetime) -> Range:
    today = datetime.combine(asked_at.date(), time.min, asked_at.tzinfo)
    if text.take(_HALF_AN_HOUR):
        return Range(asked_at - timedelta(minutes=30), None)
    if (last := text.take(_LAST)) is not None:
        return Range(asked_at - _number(last[1]) * timedelta(**{f"{last[2].lower()}s": 1}), None)
    if (ago := text.take(_AGO)) is not None:
        return _ago(ago, asked_at, today)
    if text.take(_SINCE_MIDNIGHT):
        return Range(today, None)
    if (part := text.take(_PART_OF_DAY)) is not None:
        begin, end = _PARTS[(part[1] or part[2]).lower()]
        begin, end = today + timedelta(hours=begin), today + timedelta(hours=end)
        return Range(begin, None if text.take(_SINCE_DAY) else end)
    whole = _days(text, today)
    day = (whole.since if whole and whole.since else today) or today
    if whole and text.take(_SINCE_DAY):
        return Range(whole.since, None)
    if (both := _BETWEEN.search(text.rest)) is not None:
        begin, end = _moment(day, both.groups()[:4]), _moment(day, both.groups()[4:])
        if begin is not None and end is not None and begin < end:
            text.take(_BETWEEN)
            return Range(begin, end)
    since, until = _taken(text, _SINCE, day), _taken(text, _BEFORE, day)
    if since is None and until is None:
        return whole or Range(None, None)
    return Range(since or day, until or (whole.until if whole else None))


def _taken(text: _Text, pattern: re.Pattern[str], day: datetime) -> datetime | None:
    found = pattern.search(text.rest)
    moment = _moment(day, found.groups()) if found else None
    if moment is not None:
        text.take(pattern)
    return moment


def _number(said: str | None) -> int:
    said = (said or "one").lower()
    return int(said) if said.isdecimal() else _NUMBERS.index(said) + 1 if said in _NUMBERS else 1


def _ago(found: re.Match[str], asked_at: datetime, today: datetime) -> Range:
    """The day that was then, or the minute, hour or week that began then."""
    unit = timedelta(minutes=30) if found[4] else timedelta(**{f"{found[3].lower()}s": 1})
    begin = (today if unit == timedelta(days=1) else asked_at) - _number(found[2]) * unit
    return Range(begin, None if found[1] else begin + unit)


def _days(text: _Text, today: datetime) -> Range | None:
    """The days that are named, as a whole."""
    day = timedelta(days=1)
    dates: list[datetime] = []
    while (found := _DATE.search(text.rest)) and (date := _date(found.group(1, 2, 3), today)):
        dates.append(date)
        text.take(_DATE)
    if dates:
        return Range(min(dates), max(dates) + day)
    if text.take(re.compile(r"\byesterday\b", re.I)):
        return Range(today - day, today)
    if text.take(re.compile(r"\btoday\b", re.I)):
        return Range(today, None)
    if text.take(re.compile(r"\bthis week\b", re.I)):
        return Range(today - today.weekday() * day, None)
    month = today.replace(day=1)
    if text.take(re.compile(r"\bthis month\b", re.I)):
        return Range(month, None)
    if text.take(re.compile(r"\b(?:last|previous) month\b", re.I)):
        return Range((month - day).replace(day=1), month)
    if text.take(re.compile(r"\bthis year\b", re.I)):
        return Range(month.replace(month=1), None)
    if (named := text.take(_WEEKDAY)) is not None:
        back = (today.weekday() - _WEEKDAYS.index(named[1].lower())) % 7 or 7
        return Range(today - back * day, today - (back - 1) * day)
    return None


def _date(parts: tuple[str | Any, ...], today: datetime) -> datetime | None:
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
