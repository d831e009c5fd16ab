"""Runs of association: new sightings, what is known around them, and the vehicles that they turn out to be of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Final

import sqlalchemy as sa

from storage.passages.association import REST, Association, HaveMet, Rules, Stand, Vehicle, in_order
from storage.passages.known_sightings import (
    Owned,
    are_read_after,
    last_places,
    last_seen,
    load_passages,
    load_sightings,
    photo_passages,
    were_together,
)
from storage.passages.known_vehicles import as_it_is, as_it_was
from storage.passages.parked import load_stands
from storage.plates.geometry import is_still
from storage.plates.sightings import Sighting
from storage.plates.text import fold
from storage.plates.votes import Votes, with_vote, without
from storage.tables import Readings
from storage.tables.times import shift

#: So many known readings are gone through again where pictures come late; what is beyond stays as it is.
MAX_AGAIN: Final = 2000
_CHUNK: Final = 400


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
        if any(at >= run.start for at in near.values()):
            _go_again_in_film(connection, run, rules, stands)
        else:
            _go_on(connection, run, mine, rules, stands)
    _associate_photos(connection, photos, rules)
    return runs


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
    for since, until, runs in _windows(films, rules):
        starts = {(run.source_id, run.sequence or ""): shift(run.start, -rules.gap) for run in runs}
        for source_id, sequence, passage_id, at in last_seen(connection, {run.source_id for run in runs}, since, until):
            start = starts.get((source_id, sequence))
            if start is not None and at >= start:
                found[source_id, sequence][passage_id] = at
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
    known = [as_it_is(row, stands.get(key, ())) for key, row in rows.items()]
    association = Association(known, rules, _have_met(connection, run), is_sequence=run.sequence is not None)
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
        passage_ids = run.rows.keys() | {owner for _, owner in run.again.values() if owner}
        if not chunk or not (
            association.may_be_seen(chunk[0][0].seen_at) or are_read_after(connection, passage_ids, until)
        ):
            break
        until = chunk[-1][0].seen_at
        run.again |= {one.key: (one, owner) for one, owner in chunk}
        association.go_on(one for one, _ in chunk)
    run.vehicles = association.vehicles
    _load_owners(connection, run)


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
            later[owner] = with_vote(later.get(owner, {}), one.text, one.weights)
    vehicles: dict[str, Vehicle] = {}
    for key, row in run.rows.items():
        if votes := without(row["votes"], later.get(key, {})):
            vehicles[key] = as_it_was(row, votes, stands.get(key, ()))
    for one, owner in before:
        if owner and owner in vehicles:
            vehicles[owner].last_seen = one.seen_at
            vehicles[owner].move(one)
    is_sequence = run.sequence is not None
    association = Association(vehicles.values(), rules, _have_met(connection, run), is_sequence=is_sequence)
    association.go_on([*run.sightings, *(one for one, _ in run.again.values())])
    return association


def _clipped(connection: sa.Connection, passage_id: str, stands: Sequence[Stand], start: datetime) -> list[Stand]:
    """Stands as they were at this time."""
    found: list[Stand] = []
    for stand in stands:
        if stand.first_seen >= start:
            continue
        if stand.last_seen >= start:
            places = last_places(connection, passage_id, stand.first_seen, start, _CHUNK)
            at = [at for at, spot in places if is_still(spot, stand.spot)]
            stand = Stand(stand.folded, stand.spot, stand.first_seen, max(at, default=stand.first_seen))
        if stand.last_seen - stand.first_seen >= REST:
            found.append(stand)
    return found


def _associate_photos(connection: sa.Connection, photos: Sequence[Run], rules: Rules) -> None:
    """Pictures that are no sequence: the same plate within the gap is the same passage."""
    if not photos:
        return
    source_ids, folded = {run.source_id for run in photos}, {run.folded for run in photos}
    since = shift(min(run.start for run in photos), -rules.gap)
    until = shift(max(run.end for run in photos), rules.gap)
    found: dict[tuple[str, str], dict[str, sa.RowMapping]] = defaultdict(dict)
    for row in photo_passages(connection, source_ids, folded, since, until):
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


def _have_met(connection: sa.Connection, run: Run) -> HaveMet:
    """Whether known passages were side by side in a picture before the run."""

    def have_met(one: Vehicle, other: Vehicle) -> bool:
        return were_together(connection, one.passage_id, other.passage_id, run.start)

    return have_met
