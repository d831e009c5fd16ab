"""Passages as rows of a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from storage.passages.views import PassageView

Cell = str | int | float | datetime | None
#: Times are UTC; CSV says so in each of them, Excel knows no zones.
COLUMNS: Final = (
    "plate", "read", "source", "first_seen", "last_seen", "readings", "confidence", "origin", "direction", "country",
    "zones", "list", "listed_plate", "state", "corrected_by", "corrected_at", "passage_id", "frame_id",
)  # fmt: skip


def passage_rows(passages: Iterable[PassageView]) -> Iterator[tuple[Cell, ...]]:
    """One row a passage, in the order of `COLUMNS`. `read`: the plate as it was read, also where it was corrected."""
    for passage in passages:
        correction, match = passage.correction, passage.match
        yield (
            passage.text,
            passage.text if correction is None else correction.read,
            passage.source_id,
            passage.first_seen,
            passage.last_seen,
            passage.reading_count,
            round(passage.confidence, 4),
            passage.origin.value,
            passage.direction.value,
            passage.country,
            " ".join(passage.zones) or None,
            match and match.list,
            match and match.matched,
            passage.state.value,
            correction and correction.by,
            correction and correction.at,
            passage.passage_id,
            passage.best_frame_id,
        )
