"""Cursors and patterns: what comes in from outside."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import BadMessageError
from storage.database.paging import decode_cursor, encode_cursor
from storage.plates.text import plate_chars
from storage.results.queries import like_pattern


@given(st.datetimes(timezones=st.just(UTC)), st.text(), st.integers())
def test_a_cursor_comes_back_as_it_went(time: datetime, name: str, index: int) -> None:
    assert decode_cursor(encode_cursor([time, name, index])) == [time, name, index]


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(BadMessageError):
        decode_cursor(text)


@pytest.mark.parametrize("values", [[], {}, 3, None, ["x"], ["2026-05-01T12:00:00"], ["2026-05-01T12:00:00Z", [1]]])
def test_json_that_is_no_cursor_is_refused(values: object) -> None:
    with pytest.raises(BadMessageError):
        decode_cursor(base64.urlsafe_b64encode(json.dumps(values).encode()).decode())


@pytest.mark.parametrize(
    ("wanted", "pattern"),
    [
        ("ab 12", None),
        ("ab*", "AB%"),
        ("*-12?c", "%12_C"),
        ("?", "_"),
        ("*", "%"),
        ("A%_\\*", "A%"),  # no plate holds these: left out like other punctuation
    ],
)
def test_wildcards(wanted: str, pattern: str | None) -> None:
    assert like_pattern(wanted, plate_chars) == pattern


def test_what_like_would_take_for_wildcards_is_escaped() -> None:
    assert like_pattern("100%_\\*", str) == r"100\%\_\\%"
