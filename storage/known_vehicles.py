"""New sightings and the vehicles they are of: association goes on from what is known around them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from storage.association import REST, Association, HaveMet, Rules, Spot, Stand, Vehicle, in_order
from storage.places import is_still
from storage.plates import Plate, fold, plate_chars, weights_of
from storage.sightings import Sighting, make_sighting
from storage.stands import load_stands
from storage.tables import Detections, Frames, Passages, Readings
from storage.times import shift
from storage.votes import Votes, add_votes, vote, without

#: So many known readings are gone through again where pictures come late; what is beyond stays as it is.
MAX_AGAIN: Final = 2000
_CHUNK: Final = 400
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Owned = tuple[Sighting, str | None]  #: a known sighting and its passage, if it has one


@dataclass
class Run:
    """New sightings that are associated together: those of one sequence, or of one plate in pictures that are none."""

    source_id: str
    sequence: str | None
    folded: str  #: "" in a sequence
    sightings: list[Sighting] = field(default_factory=list[Sighting])
    #: Known ones that are not earlier, by their keys: they were gone through again.
    again: dict[str, Owned] = field(default_factory=dict[str, Owned])
    rows: dict[str, sa.RowMapping] = field(default_factory=dict[str, sa.RowMapping])  #: passages as they were
    vehicles: list[Vehicle] = field(default_factory=list[Vehicle])

    @property
    def start(self) -> datetime:
        return self.sightings[0].seen_at

    @property
    def end(self) -> datetime:
        return self.sightings[-1].seen_at


def associate(connection: sa.Connection, sightings: Sequence[Sighting], rules: Rules) -> list[Run]:
    """Tell which vehicles were seen. The sightings are new to the database, and their sources are locked."""
    runs = _runs(sightings)
    if not runs:
        return []
    films = [run for run in runs if run.sequence is not None]
    photos = [run for run in runs if run.sequence is None]
    seen = _seen_around(connection, films, rules)
    stands = _stands_around(connection, films, rules)
    places = {run.source_id: {one.spot for one in run.sightings if one.spot is not None} for run in films}
    parked = {key for key, its in stands.items() if any(_is_at(stand, places) for stand in its)}
    rows = load_passages(connection, parked.union(*seen.values()))
    for run in films:
        near = seen.get((run.source_id, run.sequence or ""), {})
        mine = {key: rows[key] for key in (*near, *parked) if key in rows and _is_of(rows[key], run)}
        if any(last_seen >= run.start for last_seen in near.values()):
            _go_again_in_film(connection, run, rules, stands)
        else:
            _go_on(connection, run, mine, rules, stands)
    _associate_photos(connection, photos, rules)
    return runs


def load_passages(connection: sa.Connection, passage_ids: Collection[str]) -> dict[str, sa.RowMapping]:
    if not passage_ids:
        return {}
    rows = connection.execute(_PASSAGES, {"passage_ids": sorted(passage_ids)}).mappings()
    return {row["passage_id"]: row for row in rows}


def load_sightings(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[Owned]:
    """Known sightings with their passages, in the order of time."""
    rows = _SIGHTINGS.where(_IS_SIGHTING, *conditions)
    rows = rows.order_by(Readings.captured_at, Readings.frame_id, Readings.reading_index).limit(limit)
    return [(_sighting(row), row["passage_id"]) for row in connection.execute(rows).mappings()]


def _runs(sightings: Sequence[Sighting]) -> list[Run]:
    runs: dict[tuple[str, str | None, str], Run] = {}
    for one in sorted(sightings, key=in_order):
        key = (one.source_id, one.sequence, fold(one.text) if one.sequence is None else "")
        runs.setdefault(key, Run(*key)).sightings.append(one)
    return [run for _, run in sorted(runs.items(), key=lambda item: (item[0][0], item[0][1] or "", item[0][2]))]


def _seen_around(
    connection: sa.Connection, films: Sequence[Run], rules: Rules
) -> dict[tuple[str, str], dict[str, datetime]]:
    """By source and sequence: the passages that were seen shortly before or any time soon after, and when last."""
    found: dict[tuple[str, str], dict[str, datetime]] = defaultdict(dict)
    nobodys = ""  # of sightings that are part of no passage
    for since, until, runs in _windows(films, rules):
        starts = {(run.source_id, run.sequence): shift(run.start, -rules.gap) for run in runs}
        given = {"source_ids": sorted({run.source_id for run in runs}), "since": since, "until": until}
        for source_id, sequence, passage_id, last_seen in connection.execute(_SEEN, given):
            start = starts.get((source_id, sequence))
            if sequence is not None and start is not None and last_seen >= start:
                found[source_id, sequence][passage_id or nobodys] = last_seen
    return found


def _windows(films: Sequence[Run], rules: Rules) -> Iterator[tuple[datetime, datetime, list[Run]]]:
    """Runs of about the same time share a query."""
    later = max(rules.gap, rules.parked_gap)
    shared: list[Run] = []
    for run in sorted(films, key=lambda run: run.start):
        if shared and run.start - shared[0].start > rules.gap:
            yield shift(shared[0].start, -rules.gap), shift(max(each.end for each in shared), later), shared
            shared = []
        shared.append(run)
    if shared:
        yield shift(shared[0].start, -rules.gap), shift(max(each.end for each in shared), later), shared


def _stands_around(connection: sa.Connection, films: Sequence[Run], rules: Rules) -> dict[str, list[Stand]]:
    if not films or rules.parked_gap <= rules.gap:
        return {}
    since = shift(min(run.start for run in films), -rules.parked_gap)
    return load_stands(connection, {run.source_id for run in films}, since, max(run.end for run in films))


def _is_at(stand: Stand, places: Mapping[str, Collection[int]]) -> bool:
    return any(is_still(stand.spot, spot) for spots in places.values() for spot in spots)


def _is_of(row: sa.RowMapping, run: Run) -> bool:
    return row["source_id"] == run.source_id and row["sequence"] == run.sequence


def _go_on(
    connection: sa.Connection,
    run: Run,
    rows: Mapping[str, sa.RowMapping],
    rules: Rules,
    stands: Mapping[str, Sequence[Stand]],
) -> None:
    """Everything known lies before: go on from the passages as they are."""
    run.rows = dict(rows)
    known = [_vehicle(row, row["votes"], stands.get(key, ())) for key, row in rows.items()]
    association = Association(known, rules, _have_met(connection, run, rules), is_sequence=run.sequence is not None)
    association.go_on(run.sightings)
    run.vehicles = association.vehicles


def _go_again_in_film(connection: sa.Connection, run: Run, rules: Rules, stands: Mapping[str, Sequence[Stand]]) -> None:
    """Pictures came late: go back to the time of the first one, and from there through all that is known again."""
    of_film = (Readings.source_id == run.source_id, Readings.sequence == run.sequence)
    until = shift(run.end, rules.gap)
    between = Readings.captured_at.between(shift(run.start, -2 * rules.gap), until)
    known = load_sightings(connection, *of_film, between, limit=MAX_AGAIN)
    if len(known) == MAX_AGAIN:
        until = known[-1][0].seen_at
    then = {key: _clipped(connection, key, its, run.start) for key, its in stands.items()}
    association = _from_start(connection, run, rules, known, then)
    while len(run.again) < MAX_AGAIN:
        chunk = load_sightings(connection, *of_film, Readings.captured_at > until, limit=_CHUNK)
        if len(chunk) == _CHUNK:  # the last picture may have more plates
            chunk = [each for each in chunk if each[0].seen_at < chunk[-1][0].seen_at] or chunk
        if not chunk or not (association.may_be_seen(chunk[0][0].seen_at) or _are_read_after(connection, run, until)):
            break
        until = chunk[-1][0].seen_at
        run.again |= {one.key: (one, owner) for one, owner in chunk}
        association.go_on(one for one, _ in chunk)
    run.vehicles = association.vehicles
    _load_owners(connection, run)


def _are_read_after(connection: sa.Connection, run: Run, until: datetime) -> bool:
    """Whether passages of the run have readings after a time, which may not be theirs any more."""
    passage_ids = run.rows.keys() | {owner for _, owner in run.again.values() if owner}
    later = sa.select(Readings.frame_id).where(Readings.passage_id.in_(passage_ids), Readings.captured_at > until)
    return connection.execute(later.limit(1)).first() is not None


def _from_start(
    connection: sa.Connection, run: Run, rules: Rules, known: Sequence[Owned], stands: Mapping[str, Sequence[Stand]]
) -> Association:
    """Begin a run at its first new sighting, with vehicles as they were then, and go as far as sightings are known."""
    before = [each for each in known if each[0].seen_at < run.start]
    run.again = {one.key: (one, owner) for one, owner in known if one.seen_at >= run.start}
    earlier = {owner for _, owner in before if owner}.union(stands)
    run.rows = {key: row for key, row in load_passages(connection, earlier).items() if _is_of(row, run)}
    of_them = (Readings.passage_id.in_(sorted(run.rows)), Readings.captured_at >= run.start)
    later: dict[str, Votes] = {}
    for one, owner in load_sightings(connection, *of_them, limit=MAX_AGAIN) if run.rows else ():
        if owner:
            later[owner] = add_votes(later.get(owner, {}), vote(one.text, one.weights))
    vehicles: dict[str, Vehicle] = {}
    for key, row in run.rows.items():
        if votes := without(row["votes"], later.get(key, {})):
            first_seen = row["first_seen"]
            vehicles[key] = Vehicle(
                first_seen, first_seen, _first_key(row), key, votes, stands=list(stands.get(key, ()))
            )
    for one, owner in before:
        if owner and owner in vehicles:
            vehicles[owner].last_seen = one.seen_at
            vehicles[owner].move(one)
    is_sequence = run.sequence is not None
    association = Association(vehicles.values(), rules, _have_met(connection, run, rules), is_sequence=is_sequence)
    association.go_on([*run.sightings, *(one for one, _ in run.again.values())])
    return association


def _clipped(connection: sa.Connection, passage_id: str, stands: Sequence[Stand], start: datetime) -> list[Stand]:
    """Stands as they were at this time."""
    found: list[Stand] = []
    for stand in stands:
        if stand.first_seen >= start:
            continue
        if stand.last_seen >= start:
            rows = sa.select(Readings.captured_at, Readings.spot).where(
                Readings.passage_id == passage_id, Readings.captured_at.between(stand.first_seen, start)
            )
            seen = connection.execute(rows.order_by(Readings.captured_at.desc()).limit(_CHUNK)).all()
            at = [at for at, spot in seen if spot is not None and at < start and is_still(spot, stand.spot)]
            stand = Stand(stand.folded, stand.spot, stand.first_seen, max(at, default=stand.first_seen))
        if stand.last_seen - stand.first_seen >= REST:
            found.append(stand)
    return found


def _associate_photos(connection: sa.Connection, photos: Sequence[Run], rules: Rules) -> None:
    """Pictures that are no sequence: the same plate within the gap is the same passage."""
    if not photos:
        return
    given = {
        "source_ids": sorted({run.source_id for run in photos}),
        "folded": sorted({run.folded for run in photos}),
        "since": shift(min(run.start for run in photos), -rules.gap),
        "until": shift(max(run.end for run in photos), rules.gap),
    }
    found: dict[tuple[str, str], dict[str, sa.RowMapping]] = defaultdict(dict)
    for row in connection.execute(_PHOTOS, given).mappings():
        found[row["source_id"], row["folded"]][row["passage_id"]] = row
    for run in photos:
        since, until = shift(run.start, -rules.gap), shift(run.end, rules.gap)
        rows = {
            key: row
            for key, row in found[run.source_id, run.folded].items()
            if row["last_seen"] >= since and row["first_seen"] <= until
        }
        if all(row["last_seen"] < run.start for row in rows.values()) or _is_plain(run, rows, rules):
            _go_on(connection, run, rows, rules, {})
            continue
        of_plate = (Readings.passage_id.in_(sorted(rows)), Readings.captured_at >= since)
        known = load_sightings(connection, *of_plate, limit=MAX_AGAIN)
        run.vehicles = _from_start(connection, run, rules, known, {}).vehicles
        _load_owners(connection, run)


def _is_plain(run: Run, rows: Mapping[str, sa.RowMapping], rules: Rules) -> bool:
    """Whether all is one text, once a picture, and near enough to the one known passage: then no order matters."""
    if len(rows) != 1:
        return False
    (row,) = rows.values()
    if {*row["votes"], *(one.text for one in run.sightings)} != {run.sightings[0].text}:
        return False
    if len({one.frame_id for one in run.sightings}) < len(run.sightings):
        return False
    times = sorted([row["first_seen"], row["last_seen"], *(one.seen_at for one in run.sightings)])
    return all(
        later - earlier <= rules.gap or row["first_seen"] <= earlier < later <= row["last_seen"]
        for earlier, later in pairwise(times)
    )


def _load_owners(connection: sa.Connection, run: Run) -> None:
    """Also the passages that later sightings are part of, and those that were named after one of them."""
    missing = ({owner for _, owner in run.again.values() if owner} | run.again.keys()) - run.rows.keys()
    run.rows |= load_passages(connection, missing)


def _vehicle(row: sa.RowMapping, votes: Votes, stands: Sequence[Stand]) -> Vehicle:
    last, before, resting = _motion(row)
    times = row["first_seen"], row["last_seen"]
    key = row["passage_id"]
    return Vehicle(*times, _first_key(row), key, votes, last, before, resting, stands=list(stands))


def _first_key(row: sa.RowMapping) -> str:
    """The key of the first sighting, as far as it is known; else another name that stays."""
    return f"{row['path'][0][1]}.{row['path'][0][2]}" if row["path"] else row["passage_id"]


def _motion(row: sa.RowMapping) -> list[Spot | None]:
    if not row["motion"]:  # seen last by an earlier version
        return [None, None, None]
    return [each and Spot(_EPOCH + each[0] * _MICROSECOND, each[1], bool(each[2])) for each in row["motion"]]


def motion_of(vehicle: Vehicle) -> list[Any]:
    """Where a vehicle was last, before, and since when: each microseconds since 1970, spot, is_cut. JSON-able."""
    spots = (vehicle.last, vehicle.before, vehicle.resting)
    return [each and [(each.seen_at - _EPOCH) // _MICROSECOND, each.spot, int(each.is_cut)] for each in spots]


def _have_met(connection: sa.Connection, run: Run, rules: Rules) -> HaveMet:
    """Whether known passages were side by side in a picture before the run."""

    def have_met(one: Vehicle, other: Vehicle, now: datetime) -> bool:
        given = {
            "one": one.passage_id,
            "other": other.passage_id,
            "since": shift(now, -rules.gap),
            "until": run.start,
        }
        return connection.execute(_MET, given).first() is not None

    return have_met


def _sighting(row: sa.RowMapping) -> Sighting:
    plate = Plate(plate_chars(row["text"]), weights_of(row["text"], row["confidence"], row["char_confidences"]))
    return make_sighting(
        plate,
        source_id=row["source_id"],
        seen_at=row["captured_at"],
        frame_id=row["frame_id"],
        reading_index=row["reading_index"],
        confidence=row["confidence"],
        xyxy=None if row["x1"] is None else (row["x1"], row["y1"], row["x2"], row["y2"]),
        size=(row["width"], row["height"]),
        sharpness=row["sharpness"],
        sequence=row["sequence"],
    )


#: Of what looks like no plate, the place is not kept.
_IS_SIGHTING: Final = sa.or_(Readings.passage_id.is_not(None), Readings.spot.is_not(None))
_READ: Final = sa.select(
    Readings.source_id,
    Readings.captured_at,
    Readings.frame_id,
    Readings.reading_index,
    Readings.text,
    Readings.confidence,
    Readings.char_confidences,
    Readings.sharpness,
    Readings.sequence,
    Readings.passage_id,
    Detections.x1,
    Detections.y1,
    Detections.x2,
    Detections.y2,
    Frames.width,
    Frames.height,
)
_SIGHTINGS: Final = _READ.join(Frames, Frames.frame_id == Readings.frame_id).outerjoin(
    Detections,
    sa.and_(Detections.frame_id == Readings.frame_id, Detections.detection_index == Readings.detection_index),
)
_PASSAGES: Final = sa.select(Passages.__table__).where(
    Passages.passage_id.in_(sa.bindparam("passage_ids", expanding=True))
)
_PHOTOS: Final = sa.select(Passages.__table__).where(
    Passages.source_id.in_(sa.bindparam("source_ids", expanding=True)),
    Passages.folded.in_(sa.bindparam("folded", expanding=True)),
    Passages.first_seen <= sa.bindparam("until"),
    Passages.last_seen >= sa.bindparam("since"),
    Passages.sequence.is_(None),
)
_SEEN: Final = (
    sa.select(Readings.source_id, Readings.sequence, Readings.passage_id, sa.func.max(Readings.captured_at))
    .where(
        Readings.source_id.in_(sa.bindparam("source_ids", expanding=True)),
        Readings.captured_at.between(sa.bindparam("since"), sa.bindparam("until")),
        Readings.sequence.is_not(None),
        _IS_SIGHTING,
    )
    .group_by(Readings.source_id, Readings.sequence, Readings.passage_id)
)
_OTHER: Final = aliased(Readings)
_MET: Final = (
    sa.select(Readings.frame_id)
    .join(_OTHER, sa.and_(_OTHER.frame_id == Readings.frame_id, _OTHER.passage_id == sa.bindparam("other")))
    .where(
        Readings.passage_id == sa.bindparam("one"),
        Readings.captured_at >= sa.bindparam("since"),
        Readings.captured_at < sa.bindparam("until"),
    )
    .limit(1)
)
