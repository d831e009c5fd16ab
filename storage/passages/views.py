"""Passages as queries and events show them: flat, frozen, JSON-able values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from sightline.types import FrameId, SourceId, Value, Xyxy
from storage.passages.plate_lists import Match, MatchedBy
from storage.plates.corrections import Correction, correction_of
from storage.plates.geometry import Direction
from storage.plates.votes import Origin
from storage.tables import Passages

#: In the order of the fields of a match.
_MATCH_COLUMNS: Final = ("list_name", "list_plate", "list_distance", "list_text", "list_by")


class PassageState(StrEnum):
    OPEN = "open"  #: more readings may come
    FINAL = "final"  #: none came for `passage_gap_s`; said once, late ones still join


class MatchView(Value):
    """The known plate that a passage shows. `distance` 0: exactly this one; see `plate_distance`.

    `text` is what showed it, `by` whether that is the voted plate (`vote`), what one sure
    reading says (`reading`), or what somebody corrected it to (`correction`).
    """

    list: str
    matched: str
    distance: float
    text: str
    by: MatchedBy


class CorrectionView(Value):
    """What was read of a passage whose plate somebody corrected, with its confidence; who did it, and when."""

    read: str
    confidence: float
    by: str
    at: datetime


class PassageView(Value):
    """One vehicle passing one camera. `confidence`: how likely its plate is right, 0..1.

    `origin`: at least one reading says just this plate, or it is composed of readings that each lack something, or it
    is as somebody corrected it: then `confidence` is 1, and `correction` says what was read.
    `country`: the likely one by the form of the plate, ISO 3166 in small letters; None if no country writes it so.
    """

    passage_id: str
    source_id: SourceId
    text: str
    origin: Origin
    confidence: float
    first_seen: datetime
    last_seen: datetime
    reading_count: int
    best_frame_id: FrameId  #: the frame whose crop is best to look at: sure, sharp and large
    best_xyxy: Xyxy | None  #: where the plate is on it
    zones: tuple[str, ...]  #: of its camera, that it was read in
    direction: Direction
    country: str | None
    country_confidence: float | None
    state: PassageState
    match: MatchView | None  #: None if it is on no list
    correction: CorrectionView | None = None  #: None if the plate is as it was read


class FoundPassageView(PassageView):
    """A passage that is like what was searched for; `distance` says how much it differs."""

    distance: float


class LikelyPassageView(PassageView):
    """A passage that may have the plate that was searched for; `likelihood`, 0..1, by all its readings."""

    likelihood: float


def view_passage(row: Mapping[Any, Any]) -> PassageView:
    return PassageView.model_validate(_passage_fields(row))


def view_found(row: Mapping[Any, Any], distance: float) -> FoundPassageView:
    return FoundPassageView.model_validate(_passage_fields(row) | {"distance": distance})


def view_likely(row: Mapping[Any, Any], likelihood: float) -> LikelyPassageView:
    return LikelyPassageView.model_validate(_passage_fields(row) | {"likelihood": round(likelihood, 4)})


def to_match(found: Match | None) -> MatchView | None:
    return found and MatchView(
        list=found.list_name, matched=found.plate, distance=found.distance, text=found.text, by=found.by
    )


def match_of(row: Mapping[Any, Any]) -> Match | None:
    """The match that a passage's row has."""
    return Match(*(row[name] for name in _MATCH_COLUMNS)) if row["list_name"] else None


def match_columns(match: Match | None) -> dict[str, Any]:
    return dict(zip(_MATCH_COLUMNS, match or (None,) * len(_MATCH_COLUMNS), strict=True))


def shown_plate(text: str, confidence: float, origin: Origin, correction: Correction | None) -> dict[str, Any]:
    """The fields of a view that tell the plate: as it was corrected, or as it was read."""
    if correction is None:
        return {"text": text, "confidence": confidence, "origin": origin, "correction": None}
    read = CorrectionView(read=text, confidence=confidence, by=correction.by, at=correction.at)
    return {"text": correction.text, "confidence": 1.0, "origin": Origin.CORRECTED, "correction": read}


def write_zones(zones: Collection[str]) -> str | None:
    """As the row has them: each between commas, so that one can be looked for."""
    return f",{','.join(sorted(zones))}," if zones else None


def is_in_zone(zone: str) -> sa.ColumnElement[bool]:
    """The condition that a passage was read in this zone of its camera."""
    return Passages.zones.contains(f",{zone},", autoescape=True)


def read_zones(written: str | None) -> frozenset[str]:
    return frozenset(written.strip(",").split(",") if written else ())


def _passage_fields(row: Mapping[Any, Any]) -> dict[str, Any]:
    plate = shown_plate(row["text"], row["confidence"], Origin(row["origin"]), correction_of(row))
    others = PassageView.model_fields.keys() - plate.keys() - {"state", "match", "zones"}
    return (
        {name: row[name] for name in others}
        | plate
        | {
            "zones": tuple(sorted(read_zones(row["zones"]))),
            "state": PassageState.OPEN if row["final_at"] is None else PassageState.FINAL,
            "match": to_match(match_of(row)),
        }
    )
