from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from producers.api.params import parse_moment

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01",
        "20260101",
        "2026-01-01T00:00",
        "2026-01-01 00:00:00",
        "2026-01-01T00:00:00Z",
        "2026-01-01T02:00:00+02:00",
        "2026-01-01T02:00:00 02:00",  # a plus sign in a URL that was not encoded
        "1767225600",
        "1767225600.0",
    ],
)
def test_one_moment_written_in_many_ways(text: str) -> None:
    assert parse_moment(text) == NEW_YEAR


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5h", timedelta(minutes=90)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(days=7)),
    ],
)
def test_so_long_ago(text: str, ago: timedelta) -> None:
    moment = parse_moment(text)
    assert isinstance(moment, datetime)
    assert abs(datetime.now(UTC) - ago - moment) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "nan", "inf", "1e9", "999999w", "99999999999999999999", "2026-13-01", "-1h", "٣m", "1h\n", "15"],
)
def test_anything_else_is_explained(text: str) -> None:
    with pytest.raises(ValueError, match="must be like 15m, 1h, 2d"):
        parse_moment(text)
