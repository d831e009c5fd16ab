"""A vehicle as its passage's row keeps it: what association needs to go on with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from storage.passages.association import Spot, Stand, Vehicle
from storage.plates.votes import Votes

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def as_it_is(row: sa.RowMapping, stands: Sequence[Stand]) -> Vehicle:
    """The vehicle with all its readings."""
    last, before, resting = _motion(row)
    times = row["first_seen"], row["last_seen"]
    key = row["passage_id"]
    return Vehicle(*times, _first_key(row), key, row["votes"], last, before, resting, stands=list(stands))


def as_it_was(row: sa.RowMapping, votes: Votes, stands: Sequence[Stand]) -> Vehicle:
    """The vehicle at some time, with these votes; where it was then is still to be told by `Vehicle.move`."""
    first_seen = row["first_seen"]
    return Vehicle(first_seen, first_seen, _first_key(row), row["passage_id"], votes, stands=list(stands))


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
