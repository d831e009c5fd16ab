"""Passages in the database: what vehicles were seen becomes new, longer, merged or divided passages. How readings are
told apart is in `association`, what a passage says in `passages`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, count
from types import MappingProxyType
from typing import Any, Final, cast

import sqlalchemy as sa

from sightline.plate_countries import Country, likely_country
from sightline.types import Xyxy
from storage.database.bulk import insert_rows
from storage.passages.association import Rules, Stand, Vehicle
from storage.passages.changes import Before, PassageChanges
from storage.passages.known_sightings import load_passages, load_sightings
from storage.passages.known_vehicles import motion_of
from storage.passages.parked import forget_stands, move_stands, write_stands
from storage.passages.permuterm import add_rotations
from storage.passages.plate_lists import Match, PlateLists
from storage.passages.runs import Run, associate
from storage.passages.summary import Best, Place, Tally, sum_tallies
from storage.passages.views import match_columns, match_of, read_zones, shown_plate, write_zones
from storage.plates.corrections import Correction, bequeath, correction_columns, correction_of
from storage.plates.sightings import Sighting
from storage.plates.text import fold
from storage.plates.votes import Origin, Votes
from storage.tables import Passages, Readings, Sources

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def lock_sources(connection: sa.Connection, source_ids: Iterable[str]) -> None:
    """From here to the end of the transaction nobody else changes passages of these sources. SQLite has one writer."""
    source_ids = sorted(source_ids)
    if connection.dialect.name == "sqlite" or not source_ids:
        return
    # Sorted, lest two writers wait for each other; NO KEY: frames of these sources may still be inserted.
    rows = sa.select(Sources.source_id).where(Sources.source_id.in_(source_ids)).order_by(Sources.source_id)
    connection.execute(rows.with_for_update(key_share=True)).all()


@dataclass
class _Placed:
    """What becomes of sightings and their passages, run by run; of names that `PassageChanges` has too, the same.

    `known` are the passages as they were before.
    """

    passage_ids: dict[str, str] = field(default_factory=dict[str, str])
    new: dict[str, Tally] = field(default_factory=dict[str, Tally])
    changed: dict[str, Tally] = field(default_factory=dict[str, Tally])
    known: dict[str, sa.RowMapping] = field(default_factory=dict[str, sa.RowMapping])
    merged: dict[str, str] = field(default_factory=dict[str, str])
    causes: dict[str, str] = field(default_factory=dict[str, str])
    motions: dict[str, list[Any] | None] = field(default_factory=dict[str, list[Any] | None])
    stands: dict[tuple[str, str], list[Stand]] = field(default_factory=dict[tuple[str, str], list[Stand]])
    restood: set[str] = field(default_factory=set[str])  #: passages whose stands were found anew
    #: Readings that are part of another passage now, or of none.
    moved: dict[tuple[str, int], str | None] = field(default_factory=dict[tuple[str, int], str | None])
    matches: dict[str, Match | None] = field(default_factory=dict[str, Match | None])
    countries: dict[str, Country | None] = field(default_factory=dict[str, Country | None])
    corrections: dict[str, Correction] = field(default_factory=dict[str, Correction])

    def plate(self, passage_id: str, tally: Tally) -> str:
        """As it was corrected, or as it was read."""
        correction = self.corrections.get(passage_id)
        return tally.text if correction is None else correction.text

    def freeze(self) -> PassageChanges:
        return PassageChanges(
            passage_ids=MappingProxyType(self.passage_ids),
            new=MappingProxyType(self.new),
            changed=MappingProxyType(self.changed),
            before=MappingProxyType({key: _said(row) for key, row in self.known.items()}),
            matches=MappingProxyType(self.matches),
            countries=MappingProxyType(self.countries),
            corrections=MappingProxyType(self.corrections),
            final=frozenset(key for key, row in self.known.items() if row["final_at"] is not None),
            merged=MappingProxyType(self.merged),
            causes=MappingProxyType(self.causes),
        )


def place_sightings(
    connection: sa.Connection, sightings: Sequence[Sighting], rules: Rules, lists: PlateLists, now: datetime
) -> PassageChanges:
    """Write the passages of sightings that are new to the database. Returns what that changed.

    The sources must be locked and their readings complete; the readings themselves are inserted afterwards.
    """
    placed = _Placed()
    for run in associate(connection, sightings, rules):
        _place(connection, run, placed)
    tallies = placed.new | placed.changed
    _correct(placed, lists)
    placed.countries = {
        key: likely_country(placed.plate(key, tally), rules.countries) for key, tally in tallies.items()
    }
    known = {row["text"] for row in placed.known.values()}
    add_rotations(connection, {tally.text for tally in tallies.values()} - known)
    _write(connection, placed, now)
    forget_stands(connection, placed.restood)
    write_stands(connection, placed.stands)
    return placed.freeze()


def sum_up_again(
    connection: sa.Connection, passage_ids: Sequence[str], lists: PlateLists, now: datetime
) -> tuple[list[str], int, set[str]]:
    """What passages say once some of their readings are gone; those that have none left go.

    Their sources must be locked. Returns which went, how many stay, and the folded plates that were theirs before.
    """
    changed: dict[str, Tally] = {}
    removed: list[str] = []
    known = load_passages(connection, passage_ids)
    for key in known:
        kept = [Tally.of(one) for one, _ in load_sightings(connection, Readings.passage_id == key)]
        if kept:
            changed[key] = sum_tallies(kept)
        else:
            removed.append(key)
    placed = _Placed(known=known, changed=changed, motions={key: known[key]["motion"] for key in changed})
    _correct(placed, lists)
    # Which countries may be is a writer's setting: it holds for a plate that stays, and of another nothing is said.
    placed.countries = {
        key: _country(known[key]) if _said(known[key]).text == placed.plate(key, tally) else None
        for key, tally in changed.items()
    }
    add_rotations(connection, {tally.text for tally in changed.values()})
    _write(connection, placed, now)
    forget_stands(connection, removed)
    connection.execute(sa.delete(Passages).where(Passages.passage_id.in_(removed)))
    had = {row[name] for row in known.values() for name in ("folded", "corrected_folded")}
    return removed, len(changed), had - {None}


def _correct(placed: _Placed, lists: PlateLists) -> None:
    """What somebody said of passages goes on to hold, and their matches are those of the plates as they are now."""
    found = {key: correction_of(row) for key, row in placed.known.items()}
    placed.corrections = {key: correction for key, correction in found.items() if correction}
    bequeath(placed.corrections, placed.merged)
    for key, tally in (placed.new | placed.changed).items():
        placed.matches[key] = lists.match_passage(tally.text, tally.votes, placed.corrections.get(key))


def _said(row: sa.RowMapping) -> Before:
    """What a passage's row says."""
    plate = shown_plate(row["text"], row["confidence"], Origin(row["origin"]), correction_of(row))
    return Before(plate["text"], match_of(row), plate["confidence"], read_zones(row["zones"]))


def _country(row: sa.RowMapping) -> Country | None:
    return Country(row["country"], row["country_confidence"]) if row["country"] else None


def _place(connection: sa.Connection, run: Run, placed: _Placed) -> None:
    """Name the vehicles of a run, and sum up those that are new or changed."""
    names = _names(run)
    new = {one.key for one in run.sightings}
    owners = {key: owner for key, (_, owner) in run.again.items()}
    placed.known |= run.rows
    lost = _lost(run, names)
    if run.again:
        placed.restood |= run.rows.keys()
    for vehicle, name in names.items():
        stands = [stand for stand in vehicle.stands if stand.is_new or run.again]
        if stands:
            placed.stands[run.source_id, name] = stands
        parts = [key for key in (name, *vehicle.absorbed) if key in run.rows]
        placed.merged |= dict.fromkeys(vehicle.absorbed, name)
        gained = [one for one in vehicle.sightings if one.key in new or owners[one.key] not in parts]
        if not gained and len(parts) < 2 and not any(lost[key] for key in parts):
            continue
        kept = [tally for key in parts for tally in _kept(connection, run.rows[key], lost[key])]
        tally = sum_tallies([*kept, *map(Tally.of, gained)])
        (placed.changed if name in run.rows else placed.new)[name] = tally
        placed.motions[name] = motion_of(vehicle)
        placed.passage_ids |= {one.key: name for one in gained if one.key in new}
        placed.moved |= {(one.frame_id, one.reading_index): name for one in gained if one.key in owners}
        placed.causes[name] = run.sightings[0].key
    _let_go(connection, run, names, lost, placed)


def _names(run: Run) -> dict[Vehicle, str]:
    """The vehicles with their passages. A new one that has most of an earlier passage keeps its name."""
    taken = {key for vehicle in run.vehicles for key in (vehicle.passage_id, *vehicle.absorbed) if key}
    names: dict[Vehicle, str] = {}
    for vehicle in run.vehicles:
        name = vehicle.passage_id
        if not name:
            known = (run.again[one.key][1] for one in vehicle.sightings if one.key in run.again)
            earlier = Counter(owner for owner in known if owner)
            ranked = [key for key, _ in sorted(earlier.items(), key=lambda item: (-item[1], item[0]))]
            fresh = (one.key for one in vehicle.sightings if one.key not in run.rows)
            others = (f"{vehicle.sightings[0].key}.{number}" for number in count(2))
            name = next(key for key in chain(ranked, fresh, others) if key not in taken)
            taken.add(name)
        names[vehicle] = name
    return names


def _lost(run: Run, names: dict[Vehicle, str]) -> dict[str, list[Sighting]]:
    """By passage: its readings that turned out to be of another vehicle, or of none."""
    now = {one.key: (name, *vehicle.absorbed) for vehicle, name in names.items() for one in vehicle.sightings}
    lost: dict[str, list[Sighting]] = defaultdict(list)
    for key, (one, owner) in run.again.items():
        if owner and owner not in now.get(key, ()):
            lost[owner].append(one)
    return lost


def _kept(connection: sa.Connection, row: sa.RowMapping, lost: Collection[Sighting]) -> list[Tally]:
    """What a passage says without readings it has lost; nothing if it has no others."""
    if not lost:
        return [_tally(row)]
    gone = {one.key for one in lost}
    rest = load_sightings(connection, Readings.passage_id == row["passage_id"])
    kept = [Tally.of(one) for one, _ in rest if one.key not in gone]
    return [sum_tallies(kept)] if kept else []


def _let_go(
    connection: sa.Connection, run: Run, names: dict[Vehicle, str], lost: dict[str, list[Sighting]], placed: _Placed
) -> None:
    """Passages that are no vehicle's any more go to who has most of them, or stay with what they have left.

    Where nobody has any of it it stays as it is: an earlier version made it of readings that tell of no vehicle now.
    """
    for one in (one for its in lost.values() for one in its):
        placed.moved.setdefault((one.frame_id, one.reading_index), None)
    of_vehicles = {key for vehicle, name in names.items() for key in (name, *vehicle.absorbed)}
    for key in lost.keys() - of_vehicles:
        kept = _kept(connection, run.rows[key], lost[key])
        if kept:
            placed.changed[key] = kept[0]
            placed.motions[key] = run.rows[key]["motion"]
            placed.causes[key] = run.sightings[0].key
        else:
            moved = (placed.moved[one.frame_id, one.reading_index] for one in lost[key])
            heirs = Counter(name for name in moved if name)
            if heirs:
                placed.merged[key] = min(heirs, key=lambda name: (-heirs[name], name))
            else:
                for one in lost[key]:
                    del placed.moved[one.frame_id, one.reading_index]


def _write(connection: sa.Connection, placed: _Placed, now: datetime) -> None:
    def row(passage_id: str, tally: Tally) -> dict[str, Any]:
        country = placed.countries[passage_id]
        return _row(tally, placed.matches[passage_id], placed.motions.get(passage_id), now) | {
            "country": country and country.code,
            "country_confidence": country and country.confidence,
            **correction_columns(placed.corrections.get(passage_id)),
        }

    if placed.new:
        rows = [
            {"passage_id": key, "source_id": tally.source_id, "sequence": tally.sequence} | row(key, tally)
            for key, tally in sorted(placed.new.items())
        ]
        # One that is there was named after a reading that went by age and came again: it counts that one already.
        insert_rows(connection, Passages, rows, if_new=True)
    if placed.changed:
        rows = [{"of_passage": key} | row(key, tally) for key, tally in sorted(placed.changed.items())]
        connection.execute(_UPDATE, rows)
    if placed.moved:
        moves = [{"of": key, "at": index, "to": to} for (key, index), to in sorted(placed.moved.items())]
        connection.execute(_MOVE_ONE, moves)
    if placed.merged:
        pairs = [{"gone": gone, "survivor": survivor} for gone, survivor in sorted(placed.merged.items())]
        connection.execute(_MOVE, pairs)
        move_stands(connection, placed.merged)
        connection.execute(sa.delete(Passages).where(Passages.passage_id.in_(sorted(placed.merged))))


def _row(tally: Tally, match: Match | None, motion: list[Any] | None, now: datetime) -> dict[str, Any]:
    return {
        "text": tally.text,
        "confidence": tally.confidence,
        "first_seen": tally.first_seen,
        "last_seen": tally.last_seen,
        "reading_count": tally.reading_count,
        "best_confidence": tally.best.confidence,
        "best_seen": tally.best.seen_at,
        "best_frame_id": tally.best.frame_id,
        "best_reading_index": tally.best.reading_index,
        "best_xyxy": tally.best.xyxy,
        "best_score": tally.best.score,
        "votes": tally.votes,
        "path": tally.path and [_from_place(place) for place in tally.path],
        "zones": write_zones(tally.zones),
        "direction": tally.direction.value,
        "folded": fold(tally.text),
        "origin": tally.origin.value,
        "motion": motion,
        "updated_at": now,
        **match_columns(match),
    }


def _tally(row: sa.RowMapping) -> Tally:
    path: list[list[Any]] | None = row["path"]
    return Tally(
        source_id=row["source_id"],
        sequence=row["sequence"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        reading_count=row["reading_count"],
        best=Best(
            score=row["best_score"],
            confidence=row["best_confidence"],
            seen_at=row["best_seen"],
            frame_id=row["best_frame_id"],
            reading_index=row["best_reading_index"],
            xyxy=_box(row["best_xyxy"]),
        ),
        votes=cast(Votes, row["votes"]),
        path=(_to_place(path[0]), _to_place(path[1])) if path else None,
        zones=read_zones(row["zones"]),
    )


def _from_place(place: Place) -> list[Any]:
    """JSON-able: microseconds since 1970, the reading, the box."""
    return [(place.seen_at - _EPOCH) // _MICROSECOND, place.frame_id, place.reading_index, place.xyxy]


def _to_place(value: list[Any]) -> Place:
    micros, frame_id, index, (x1, y1, x2, y2) = value
    return Place(_EPOCH + micros * _MICROSECOND, frame_id, index, (x1, y1, x2, y2))


def _box(value: list[float] | None) -> Xyxy | None:
    return (value[0], value[1], value[2], value[3]) if value else None


_FIXED = ("passage_id", "source_id", "sequence", "final_at")
_CHANGING = [column.name for column in Passages.__table__.columns if column.name not in _FIXED]
_UPDATE = (
    sa.update(Passages)
    .where(Passages.passage_id == sa.bindparam("of_passage"))
    .values({name: sa.bindparam(name) for name in _CHANGING})
)
_MOVE = (
    sa.update(Readings).where(Readings.passage_id == sa.bindparam("gone")).values(passage_id=sa.bindparam("survivor"))
)
_MOVE_ONE = (
    sa.update(Readings)
    .where(Readings.frame_id == sa.bindparam("of"), Readings.reading_index == sa.bindparam("at"))
    .values(passage_id=sa.bindparam("to"))
)
