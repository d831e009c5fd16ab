"""What the Python client asks, before anything is sent."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sightline.client.asking import form_of, passages_path
from sightline.errors import BadMessageError


def test_the_form_of_an_export_is_said_or_that_of_its_name() -> None:
    assert form_of(Path("a.csv"), None) == form_of("a.txt", None) == form_of(io.BytesIO(), None) == "csv"
    assert form_of("A.XLSX", None) == form_of(io.BytesIO(), "xlsx") == form_of("a.csv", "xlsx") == "xlsx"
    with pytest.raises(BadMessageError, match="form: 'pdf' is none of csv, xlsx"):
        form_of("a.csv", "pdf")


def test_what_is_compared_needs_a_plate() -> None:
    assert passages_path(None, None, likely=False) == "/passages"
    assert passages_path("AB?1", None, likely=True) == "/passages/likely"
    assert passages_path("AB21", 0, likely=False) == "/passages/like"
    for like, likely in ((1.0, False), (None, True)):
        with pytest.raises(BadMessageError, match="text: give the plate to compare with"):
            passages_path(None, like, likely=likely)
