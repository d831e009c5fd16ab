"""What a transaction changed about passages, and the events that tell it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sightline.plate_countries import Country
from sightline.wire.events import Event
from storage.items.changes import NewEvent, Wanted
from storage.passages.plate_lists import Match
from storage.passages.summary import Tally
from storage.passages.views import PassageState, PassageView, shown_plate, to_match
from storage.plates.corrections import Correction


class Before(NamedTuple):
    """What a passage said before."""

    text: str
    match: Match | None
    confidence: float
    zones: frozenset[str]


@dataclass(frozen=True, slots=True)
class PassageChanges:
    """All by passage_id, but for `passage_ids`: key of the sighting -> passage_id.

    `before` is what a passage said before, `matches` and `countries` those that new and changed ones have now,
    `corrections` what somebody says their plates are. `merged` leads from those that are gone to what they are part of,
    `causes` to the first new sighting behind a change, which names the change. `final` are those that had ended before.
    """

    passage_ids: Mapping[str, str]
    new: Mapping[str, Tally]
    changed: Mapping[str, Tally]
    before: Mapping[str, Before]
    matches: Mapping[str, Match | None]
    countries: Mapping[str, Country | None]
    corrections: Mapping[str, Correction]
    final: frozenset[str]
    merged: Mapping[str, str]
    causes: Mapping[str, str]

    def events(self, wanted: Wanted) -> Iterator[NewEvent]:
        """New passages, and those of which the plate, the match, the extent or a zone is new, or that are sure now."""
        if Event.PASSAGE_NEW in wanted.events:
            for passage_id, tally in sorted(self.new.items(), key=_first_seen):
                data = passage_data(self._view(passage_id, tally))
                yield NewEvent(Event.PASSAGE_NEW, tally.source_id, (passage_id,), data)
        if Event.PASSAGE_UPDATE in wanted.events:
            for passage_id, tally in sorted(self.changed.items(), key=_first_seen):
                merged = sorted(gone for gone, survivor in self.merged.items() if survivor == passage_id)
                text, match, confidence, zones = self.before[passage_id]
                view = self._view(passage_id, tally)
                was = text, _known_plate(match), zones
                now = view.text, _known_plate(self.matches[passage_id]), tally.zones
                is_news = bool(merged) or was != now
                if is_news or wanted.crosses(confidence, view.confidence):
                    data = passage_data(view) | {"merged_passage_ids": merged}
                    # A sighting is new once: the first one behind a change names it.
                    identity = (passage_id, self.causes[passage_id])
                    over = None if is_news else confidence
                    yield NewEvent(Event.PASSAGE_UPDATE, tally.source_id, identity, data, over)

    def _view(self, passage_id: str, tally: Tally) -> PassageView:
        country = self.countries[passage_id]
        return PassageView(
            passage_id=passage_id,
            source_id=tally.source_id,
            **shown_plate(tally.text, tally.confidence, tally.origin, self.corrections.get(passage_id)),
            first_seen=tally.first_seen,
            last_seen=tally.last_seen,
            reading_count=tally.reading_count,
            best_frame_id=tally.best.frame_id,
            best_xyxy=tally.best.xyxy,
            zones=tuple(sorted(tally.zones)),
            direction=tally.direction,
            country=country and country.code,
            country_confidence=country and country.confidence,
            state=PassageState.FINAL if passage_id in self.final else PassageState.OPEN,
            match=to_match(self.matches[passage_id]),
        )


def passage_data(view: PassageView) -> dict[str, Any]:
    """What an event says of a passage."""
    frame = f"/v1/frames/{view.best_frame_id}"
    links = {"frame": frame, "picture": f"{frame}/annotated", "crop": f"/v1/passages/{view.passage_id}/crop"}
    return view.model_dump(mode="json") | {"links": links}


def _known_plate(match: Match | None) -> tuple[str, str] | None:
    """Which plate of which list it is; how near it came is no news."""
    return match and (match.list_name, match.plate)


def _first_seen(entry: tuple[str, Tally]) -> tuple[datetime, str]:
    return entry[1].first_seen, entry[0]
