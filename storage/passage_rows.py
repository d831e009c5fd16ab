"""Passages in the database: new sightings join, found, merge or divide passages. The rules are in `linking`,
`contests` and `passages`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import sqlalchemy as sa

from sightline.types import Xyxy
from storage.bulk import insert_rows
from storage.contests import Vehicle, assign, is_contested
from storage.groups import Rules, find_groups, load_passages, with_contests
from storage.linking import Stand
from storage.passages import Best, Place, Sighting, Tally, sum_tallies
from storage.plate_lists import Match, PlateLists
from storage.plates import WEIGHT_OF_CERTAINTY, fold, read_plate
from storage.rotations import add_rotations
from storage.stands import move_stands, write_stands
from storage.tables import Detections, Passages, Readings, Sources
from storage.views import match_of
from storage.votes import Votes

#: A contest of more readings is not gone through again: new ones go to the vehicles as they are known.
MAX_CONTESTED: Final = 2000
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
class Placed:
    """What became of sightings and their passages. `passage_ids`: key of the sighting -> passage_id.

    `known` are the texts that passages had before, `known_matches` their matches, `merged` leads from those that are
    gone to what they are part of now. `totals` is how many readings a passage and what it competes with have: it grows
    with every change.
    """

    passage_ids: dict[str, str] = field(default_factory=dict[str, str])
    new: dict[str, Tally] = field(default_factory=dict[str, Tally])
    changed: dict[str, Tally] = field(default_factory=dict[str, Tally])
    known: dict[str, str] = field(default_factory=dict[str, str])
    known_matches: dict[str, Match | None] = field(default_factory=dict[str, Match | None])
    final: set[str] = field(default_factory=set[str])
    merged: dict[str, str] = field(default_factory=dict[str, str])
    totals: dict[str, int] = field(default_factory=dict[str, int])
    contests: dict[str, str] = field(default_factory=dict[str, str])
    moved: dict[tuple[str, int], str] = field(default_factory=dict[tuple[str, int], str])  #: readings
    matches: dict[str, Match | None] = field(default_factory=dict[str, Match | None])


def place_sightings(
    connection: sa.Connection, sightings: Sequence[Sighting], rules: Rules, lists: PlateLists, now: datetime
) -> Placed:
    """Write the passages of sightings that are new to the database.

    The sources must be locked and their readings complete; the readings themselves are inserted afterwards.
    """
    placed = Placed()
    groups, stands = find_groups(connection, sightings, rules)
    rows = load_passages(connection, {passage_id for group in groups for passage_id in group.passage_ids})
    for group in with_contests(connection, groups, rows):
        before = {passage_id: rows[passage_id] for passage_id in group.passage_ids if passage_id in rows}
        placed.known |= {passage_id: row["text"] for passage_id, row in before.items()}
        placed.known_matches |= {passage_id: match_of(row) for passage_id, row in before.items()}
        placed.final |= {passage_id for passage_id, row in before.items() if row["final_at"] is not None}
        contest = min((row["contest"] for row in before.values() if row["contest"]), default=None)
        if contest or is_contested(group.sightings) or _have_met(connection, before.keys()):
            _settle(connection, group.sightings, before, contest, placed)
        else:
            _add(group.sightings, before, placed)
    texts = {tally.text for tally in (*placed.new.values(), *placed.changed.values())}
    tallies = (*placed.new.items(), *placed.changed.items())
    placed.matches = {key: lists.match_votes(tally.text, _surest(tally.votes)) for key, tally in tallies}
    add_rotations(connection, texts - set(placed.known.values()))
    _write(connection, placed, now)
    _write_stands(connection, stands, placed)
    return placed


def _write_stands(connection: sa.Connection, stands: list[Stand], placed: Placed) -> None:
    """A new stand goes to the passage that its reading is part of now."""
    tallies = placed.new | placed.changed
    named: list[Stand] = []
    for stand in stands:
        passage_id = placed.passage_ids.get(stand.key, stand.key)
        named.append(stand._replace(key=placed.merged.get(passage_id, passage_id)))
    write_stands(connection, named, {stand.key: tallies[stand.key].source_id for stand in named})


def _add(sightings: list[Sighting], before: dict[str, sa.RowMapping], placed: Placed) -> None:
    """What belongs together is one passage."""
    tallies = {passage_id: _tally(row) for passage_id, row in before.items()}
    if tallies:
        survivor = min(tallies, key=lambda passage_id: (tallies[passage_id].first_seen, passage_id))
        placed.merged |= {passage_id: survivor for passage_id in tallies if passage_id != survivor}
    else:
        survivor = min(sightings, key=lambda one: (one.seen_at, one.frame_id, one.reading_index)).key
    total = sum_tallies([*tallies.values(), *map(Tally.of, sightings)])
    (placed.changed if tallies else placed.new)[survivor] = total
    placed.totals[survivor] = total.reading_count
    placed.passage_ids |= {sighting.key: survivor for sighting in sightings}


def _settle(
    connection: sa.Connection,
    sightings: list[Sighting],
    before: dict[str, sa.RowMapping],
    contest: str | None,
    placed: Placed,
) -> None:
    """Several vehicles were seen: divide what belongs together among them."""
    count = len(sightings) + sum(row["reading_count"] for row in before.values())
    if count > MAX_CONTESTED:
        parts = _go_on(sightings, before)
    else:
        owners = _readings_of(connection, before.keys())
        parts = _divide(sightings, owners, before.keys())
        gone_to = {owners[one.key][1]: key for key, part in parts.items() for one in part if one.key in owners}
        placed.merged |= {gone: gone_to[gone] for gone in before.keys() - parts.keys()}
        placed.moved |= {
            (one.frame_id, one.reading_index): passage_id
            for passage_id, part in parts.items()
            for one in part
            if one.key in owners and owners[one.key][1] != passage_id
        }
    contest = contest or min(parts)
    new = {one.key for one in sightings}
    for passage_id, part in parts.items():
        kept = [_tally(before[passage_id])] if count > MAX_CONTESTED and passage_id in before else []
        (placed.changed if passage_id in before else placed.new)[passage_id] = sum_tallies(
            [*kept, *map(Tally.of, part)]
        )
        placed.totals[passage_id] = count
        placed.contests[passage_id] = contest
        placed.passage_ids |= {one.key: passage_id for one in part if one.key in new}


def _have_met(connection: sa.Connection, passage_ids: Collection[str]) -> bool:
    """Whether two plates of one frame are in these passages, which so far were several."""
    if len(passage_ids) < 2:
        return False
    frames = sa.select(Readings.frame_id).where(Readings.passage_id.in_(sorted(passage_ids)))
    shared = frames.group_by(Readings.frame_id).having(sa.func.count(sa.distinct(Readings.passage_id)) > 1)
    if connection.execute(shared.limit(1)).first() is None:
        return False
    return is_contested(one for one, _ in _readings_of(connection, passage_ids).values())


def _divide(
    sightings: list[Sighting], owners: dict[str, tuple[Sighting, str]], before: Collection[str]
) -> dict[str, list[Sighting]]:
    """By passage: who stays most like an earlier passage keeps its name."""
    parts: dict[str, list[Sighting]] = {}
    for vehicle in assign([*(one for one, _ in owners.values()), *sightings]):
        earlier = Counter(owners[one.key][1] for one in vehicle.sightings if one.key in owners)
        names = [name for name, _ in sorted(earlier.items(), key=lambda item: (-item[1], item[0]))]
        fresh = (one.key for one in vehicle.sightings if one.key not in before)
        parts[next(name for name in (*names, *fresh) if name not in parts)] = vehicle.sightings
    return parts


def _go_on(sightings: list[Sighting], before: dict[str, sa.RowMapping]) -> dict[str, list[Sighting]]:
    """New readings by passage; earlier ones stay where they are."""
    names = sorted(before)
    known = [Vehicle(before[name]["text"], _last_box(before[name]), before[name]["last_seen"]) for name in names]
    vehicles = assign(sightings, known)
    names += [vehicle.sightings[0].key for vehicle in vehicles[len(known) :]]
    return {name: vehicle.sightings for name, vehicle in zip(names, vehicles, strict=True)}


def _readings_of(connection: sa.Connection, passage_ids: Collection[str]) -> dict[str, tuple[Sighting, str]]:
    """The sightings of passages by their key, each with its passage."""
    of_box = sa.and_(Detections.frame_id == Readings.frame_id, Detections.detection_index == Readings.detection_index)
    box = (Detections.label, Detections.x1, Detections.y1, Detections.x2, Detections.y2)
    rows = sa.select(Readings.__table__, *box).outerjoin(Detections, of_box)
    found: dict[str, tuple[Sighting, str]] = {}
    for row in connection.execute(rows.where(Readings.passage_id.in_(sorted(passage_ids)))).mappings():
        plate = read_plate(row["text"], row["confidence"], row["char_confidences"], label=row["label"] or "")
        if plate is not None:
            one = Sighting(
                source_id=row["source_id"],
                seen_at=row["captured_at"],
                frame_id=row["frame_id"],
                reading_index=row["reading_index"],
                text=plate.text,
                weights=plate.weights,
                confidence=row["confidence"],
                xyxy=None if row["x1"] is None else (row["x1"], row["y1"], row["x2"], row["y2"]),
                sharpness=row["sharpness"],
            )
            found[one.key] = (one, row["passage_id"])
    return found


def _write(connection: sa.Connection, placed: Placed, now: datetime) -> None:
    def row(passage_id: str, tally: Tally) -> dict[str, Any]:
        return _row(tally, placed.matches[passage_id], placed.contests.get(passage_id), now)

    if placed.new:
        rows = [
            {"passage_id": key, "source_id": tally.source_id} | row(key, tally)
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


def _row(tally: Tally, match: Match | None, contest: str | None, now: datetime) -> dict[str, Any]:
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
        "direction": tally.direction.value,
        "folded": fold(tally.text),
        "contest": contest,
        "list_name": match and match.list_name,
        "list_plate": match and match.plate,
        "list_distance": match and match.distance,
        "list_text": match and match.text,
        "list_by": match and match.by,
        "updated_at": now,
    }


def _surest(votes: Votes) -> dict[str, float]:
    """How sure the least sure character of each text was, on average over its readings."""
    return {text: min(its["weights"]) / its["count"] / WEIGHT_OF_CERTAINTY for text, its in votes.items()}


def _tally(row: sa.RowMapping) -> Tally:
    path: list[list[Any]] | None = row["path"]
    return Tally(
        source_id=row["source_id"],
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
    )


def _from_place(place: Place) -> list[Any]:
    """JSON-able: microseconds since 1970, the reading, the box."""
    return [(place.seen_at - _EPOCH) // _MICROSECOND, place.frame_id, place.reading_index, place.xyxy]


def _to_place(value: list[Any]) -> Place:
    micros, frame_id, index, (x1, y1, x2, y2) = value
    return Place(_EPOCH + micros * _MICROSECOND, frame_id, index, (x1, y1, x2, y2))


def _last_box(row: sa.RowMapping) -> Xyxy | None:
    return _to_place(row["path"][1]).xyxy if row["path"] else _box(row["best_xyxy"])


def _box(value: list[float] | None) -> Xyxy | None:
    return (value[0], value[1], value[2], value[3]) if value else None


_FIXED = ("passage_id", "source_id", "final_at")
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
