"""Plates as people corrected them. Each stands beside what was read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from storage.plates.text import fold


class Correction(NamedTuple):
    """What the plate is, who said so, and when."""

    text: str
    by: str
    at: datetime


def correction_of(row: Mapping[Any, Any]) -> Correction | None:
    """The correction that a passage's row has."""
    return Correction(row["corrected"], row["corrected_by"], row["corrected_at"]) if row["corrected"] else None


def correction_columns(correction: Correction | None) -> dict[str, Any]:
    if correction is None:
        return dict.fromkeys(("corrected", "corrected_folded", "corrected_by", "corrected_at"))
    return {
        "corrected": correction.text,
        "corrected_folded": fold(correction.text),
        "corrected_by": correction.by,
        "corrected_at": correction.at,
    }


def bequeath(corrections: dict[str, Correction], merged: Mapping[str, str]) -> None:
    """Passages that take in others have the newest correction of all of them. `merged`: who is gone -> who took it."""
    for gone, survivor in merged.items():
        if gone in corrections:
            own = corrections.get(survivor, corrections[gone])
            corrections[survivor] = max(own, corrections[gone], key=lambda correction: correction.at)
