"""Plates by a pattern, the likeliest first: what readers thought of beside what they read counts too.

`AB?23C` finds a passage that was read `A823C`-like with a B as the second thought. Candidates come from the index of
the search, with each known character in turn left open; how likely each is comes from its readings' alternatives.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from sightline.errors import BadMessageError
from storage.database.engine import Database
from storage.database.paging import MAX_LIMIT, Page, between
from storage.passages.search import matches_pattern
from storage.passages.views import LikelyPassageView, is_in_zone, view_likely
from storage.plates.confusions import p_char_right, p_meant
from storage.plates.text import plate_chars
from storage.tables import Passages, Readings

_ONE: Final = "?"
_MOST_PASSAGES: Final = 1000  #: the newest ones are weighed
_LEAST: Final = 0.001  #: of a character that nobody thought of
_LEAST_LIKELY: Final = 0.01  #: of a plate that is worth to be shown
_MIN_KNOWN: Final = 3


def find_likely(
    database: Database,
    pattern: str,
    *,
    limit: int = 100,
    source: str | None = None,
    zone: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[LikelyPassageView]:
    """Passages that may have a plate like `pattern`, in which `?` stands for one character; the likeliest first.

    There are no further pages: ask for more at once, or for less time.

    Raises:
        BadMessageError: `limit` is out of range, or the pattern has `*` or too few known characters.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise BadMessageError(f"limit: {limit} is not in 1..{MAX_LIMIT}", field="limit")
    wanted = "".join(_ONE if char == _ONE else plate_chars(char) for char in pattern)
    if "*" in pattern or len(wanted.replace(_ONE, "")) < _MIN_KNOWN:
        raise BadMessageError(
            f"text: {pattern[:40]!r} must be a plate of at least {_MIN_KNOWN} known characters; `?` stands for one "
            "that is not known",
            field="text",
        )
    found = [matches_pattern(database, each) for each in {wanted, *_opened(wanted)}]
    narrow = [condition for condition in found if condition is not None]
    rows = between(sa.select(Passages.__table__), Passages.first_seen, since, until)
    rows = rows if source is None else rows.where(Passages.source_id == source)
    rows = rows if zone is None else rows.where(is_in_zone(zone))
    if len(narrow) == len(found):
        rows = rows.where(sa.or_(*narrow))
    with database.read() as connection:
        passages = connection.execute(rows.order_by(Passages.first_seen.desc()).limit(_MOST_PASSAGES)).mappings().all()
        readings = _readings(connection, [row["passage_id"] for row in passages])
    weighed = [
        (1.0 if _fits(wanted, row["corrected"]) else _likelihood(wanted, readings[row["passage_id"]]), row)
        for row in passages
    ]
    likely = sorted((each for each in weighed if each[0] >= _LEAST_LIKELY), key=lambda each: -each[0])
    return Page(items=tuple(view_likely(row, likelihood) for likelihood, row in likely[:limit]))


def _opened(pattern: str) -> Iterator[str]:
    """The pattern with each of its known characters left open, as far as enough are known."""
    if len(pattern.replace(_ONE, "")) > _MIN_KNOWN:
        for place, char in enumerate(pattern):
            if char != _ONE:
                yield pattern[:place] + _ONE + pattern[place + 1 :]


def _readings(connection: sa.Connection, passage_ids: Sequence[str]) -> Mapping[str, list[sa.RowMapping]]:
    found: defaultdict[str, list[sa.RowMapping]] = defaultdict(list)
    columns = (
        Readings.passage_id,
        Readings.text,
        Readings.confidence,
        Readings.char_confidences,
        Readings.alternatives,
    )
    for row in connection.execute(sa.select(*columns).where(Readings.passage_id.in_(passage_ids))).mappings():
        found[row["passage_id"]].append(row)
    return found


def _fits(wanted: str, corrected: str | None) -> bool:
    """Whether a plate that somebody corrected is one that is wanted."""
    if corrected is None or len(corrected) != len(wanted):
        return False
    return all(char in (_ONE, is_) for char, is_ in zip(wanted, corrected, strict=True))


def _likelihood(wanted: str, readings: Sequence[Mapping[Any, Any]]) -> float:
    """How likely the plate is one that is wanted: the mean over its readings; one of another length says no."""
    return sum(_of_reading(wanted, row) for row in readings) / max(1, len(readings))


def _of_reading(wanted: str, row: Mapping[Any, Any]) -> float:
    read = plate_chars(row["text"])
    if len(read) != len(wanted):
        return 0.0
    given = row["alternatives"] or ()
    sure = row["char_confidences"]
    told = len(given) == len(read)
    each = sure if len(sure) == len(read) else [row["confidence"]] * len(read)
    return math.prod(
        _of_char(char, read[place], each[place], dict(given[place]) if told else {})
        for place, char in enumerate(wanted)
        if char != _ONE
    )


def _of_char(wanted: str, read: str, confidence: float, alternatives: Mapping[str, float]) -> float:
    """How likely a character is the one that is wanted."""
    if alternatives:
        return max(_LEAST, alternatives.get(wanted, 0.0))
    right = p_char_right(confidence)
    return right if wanted == read else max(_LEAST, (1 - right) * p_meant(wanted, read))
