"""Which readings are of one vehicle. Pure: no SQL here.

The pictures of a sequence are gone through in the order of time, as trackers do (Bewley et al., Simple online and
realtime tracking, 2016). In each, plates go to the vehicles for which there is most evidence, from texts and from
motion, each vehicle at most one. A plate for which there is none is another vehicle; if it is but a part, cut off by
the edge of the picture, it is nobody's. What has been decided never depends on what comes later, so the result is a
function of the set of readings, and a run may go on from what is known at a time. Pictures that are no sequence have no
motion: there the same plate is all that counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final, NamedTuple

from storage.plates.evidence import Text, as_text, differ_only_alike, surely_differ, text_evidence
from storage.plates.geometry import is_same_box, is_still, motion_evidence
from storage.plates.sightings import Sighting
from storage.plates.text import fold
from storage.plates.votes import Votes, add_votes, with_vote

#: Evidence that it takes to take a plate for a vehicle that is in sight.
_ENOUGH: Final = 1.0
#: The same where no track holds them together, and a character differs that is not drawn alike.
_ENOUGH_OFF_TRACK: Final = 2.5
#: The same where a vehicle stood before: texts alone count, since others stop there too.
_ENOUGH_PARKED: Final = 0.5
#: The same to unite two vehicles whose plate is the same but for look-alikes.
_ENOUGH_TO_UNITE: Final = 1.0
#: Evidence from motion that it takes beside texts that surely differ: only a track that goes on holds them together.
_ON_TRACK: Final = 2.0
#: Evidence of texts that keeps two boxes at one place apart: two plates may touch.
_TWO_PLATES: Final = -4.0
#: Read twice at one place, so far apart in time: it stands.
REST: Final = timedelta(seconds=1)
_NOTHING: Final = timedelta(0)


class Rules(NamedTuple):
    """How far apart readings of one passage may be; `parked_gap` where it stood still. `countries`: whose plates."""

    gap: timedelta
    parked_gap: timedelta
    countries: tuple[str, ...] = ()


class Spot(NamedTuple):
    """Where a plate was, see `geometry.py`, and when."""

    seen_at: datetime
    spot: int
    is_cut: bool = False  #: by the edge of the picture


@dataclass(slots=True)
class Stand:
    """Where and when a plate stood still. `folded` is one of its texts; the two name the row."""

    folded: str
    spot: int
    first_seen: datetime
    last_seen: datetime
    is_new: bool = True


@dataclass(eq=False, slots=True)
class Vehicle:
    """What is known of a vehicle up to some time. `passage_id` where it was known before this run."""

    first_seen: datetime
    last_seen: datetime
    first_key: str  #: of its first sighting
    passage_id: str = ""
    votes: Votes = field(default_factory=Votes)
    last: Spot | None = None
    before: Spot | None = None  #: where it was before it was at `last`
    resting: Spot | None = None  #: since when it is where it is
    stands: list[Stand] = field(default_factory=list[Stand])
    sightings: list[Sighting] = field(default_factory=list[Sighting])  #: of this run
    absorbed: list[str] = field(default_factory=list[str])  #: passages that turned out to be this one
    _text: Text | None = None

    @property
    def text(self) -> Text:
        """What it was read as most and surest."""
        if self._text is None:
            text = min(self.votes, key=lambda text: (-sum(self.votes[text]["weights"]), text))
            weights, count = self.votes[text]["weights"], self.votes[text]["count"]
            # A power of two is near enough, and asked for again.
            self._text = as_text(text, tuple(weight // count for weight in weights), 1 << count.bit_length() - 1)
        return self._text

    @property
    def order(self) -> tuple[datetime, str]:
        return self.first_seen, self.first_key

    def add(self, one: Sighting) -> None:
        """One more reading of it."""
        self.votes = with_vote(self.votes, one.text, one.weights)
        self._text = None
        self.last_seen = max(self.last_seen, one.seen_at)
        self.sightings.append(one)

    def move(self, one: Sighting) -> None:
        """It is there now."""
        spot = one.spot
        if spot is None:
            return
        here = Spot(one.seen_at, spot, one.is_cut)
        if self.last is None or self.last.seen_at < one.seen_at:
            self.last, self.before = here, self.last
        elif self.last.seen_at == one.seen_at:
            self.last = max(self.last, here)
        if self.resting is None or not is_still(self.resting.spot, spot):
            self.resting = here
        stand = next((each for each in self.stands if is_still(each.spot, spot)), None)
        if stand is not None:
            stand.last_seen, stand.is_new = max(stand.last_seen, one.seen_at), True
        elif one.seen_at - self.resting.seen_at >= REST:
            self.stands.append(Stand(fold(one.text), self.resting.spot, self.resting.seen_at, one.seen_at))

    def join(self, other: Vehicle) -> None:
        """The other one turned out to be this one, which was seen first."""
        self.votes, self._text = add_votes(self.votes, other.votes), None
        known = sorted(each for each in (self.before, self.last, other.before, other.last) if each)
        places = list({each.seen_at: each for each in known}.values())  # one of each moment
        if places:
            self.last, self.before = places[-1], places[-2] if len(places) > 1 else None
            away = max((each.seen_at for each in places if not is_still(each.spot, places[-1].spot)), default=None)
            rests = [each for each in (self.resting, other.resting) if each and is_still(each.spot, places[-1].spot)]
            self.resting = min((each for each in rests if away is None or each.seen_at > away), default=places[-1])
        self.last_seen = max(self.last_seen, other.last_seen)
        self.stands += other.stands
        self.sightings += other.sightings
        self.absorbed += [*other.absorbed, *([other.passage_id] if other.passage_id else [])]


#: Whether two known passages were in one picture before the run.
HaveMet = Callable[[Vehicle, Vehicle], bool]


class Association:
    """A run through the pictures of one sequence, or through those of one plate that are none."""

    def __init__(
        self,
        vehicles: Iterable[Vehicle],
        rules: Rules,
        have_met: HaveMet = lambda *_: False,
        *,
        is_sequence: bool = True,
    ) -> None:
        self.vehicles = sorted(vehicles, key=attrgetter("order"))  #: all of them, in the order of their first sight
        self._near = list(self.vehicles)  # those that may be seen again
        self._rules = rules
        self._have_met = have_met
        self._met: set[frozenset[Vehicle]] = set()
        self._is_sequence = is_sequence

    def go_on(self, sightings: Iterable[Sighting]) -> None:
        """Take in pictures, none of them earlier than those before."""
        ordered = sorted(sightings, key=in_order)
        for (now, _), of_frame in groupby(ordered, key=lambda one: (one.seen_at, one.frame_id)):
            self._forget(now)
            plates = plates_of(list(of_frame))
            added = [self._add(plate, taken) for plate, taken in self._assign(plates, now)]
            seen = [vehicle for vehicle in added if vehicle is not None]
            for index, one in enumerate(seen):
                for other in seen[:index]:
                    self._met.add(frozenset((one, other)))
            for one in seen if len(self._near) > 1 else ():
                if one in self._near:  # and not part of another one since
                    self._unite(one, now)

    def may_be_seen(self, until: datetime) -> bool:
        """Whether one of the vehicles may be seen again as late as this."""
        return any(self._is_near(vehicle, until) for vehicle in self._near)

    def _forget(self, now: datetime) -> None:
        self._near = [vehicle for vehicle in self._near if self._is_near(vehicle, now)]

    def _is_near(self, vehicle: Vehicle, now: datetime) -> bool:
        if now - vehicle.last_seen <= self._rules.gap:
            return True
        return any(now - stand.last_seen <= self._rules.parked_gap for stand in vehicle.stands)

    def _assign(self, plates: list[list[Sighting]], now: datetime) -> Iterator[tuple[list[Sighting], Vehicle | None]]:
        """Each plate with its vehicle, those with most evidence first."""
        scores: list[tuple[float, int, int]] = []
        for at, plate in enumerate(plates):
            for number, vehicle in enumerate(self._near):
                score = self._evidence(vehicle, plate[0], now)
                if score > 0:
                    scores.append((-score, number, at))
        taken: dict[int, int] = {}
        for _, number, at in sorted(scores):
            if at not in taken and number not in taken.values():
                taken[at] = number
        near = list(self._near)
        for at, plate in enumerate(plates):
            yield plate, near[taken[at]] if at in taken else None

    def _evidence(self, vehicle: Vehicle, one: Sighting, now: datetime) -> float:
        read = as_text(one.text, one.weights)
        known = vehicle.text
        if not self._is_sequence:
            return 0.0 if surely_differ(known, read) else 1.0 + (known.chars == read.chars)
        if now - vehicle.last_seen > self._rules.gap:
            is_back = one.spot is not None and any(
                is_still(stand.spot, one.spot) and now - stand.last_seen <= self._rules.parked_gap
                for stand in vehicle.stands
            )
            if not is_back or not differ_only_alike(known, read) or surely_differ(known, read):
                return 0.0
            return text_evidence(known, read) - _ENOUGH_PARKED
        motion = self._motion(vehicle, one, now)
        if motion >= _ON_TRACK:
            return text_evidence(known, read) - _ENOUGH + motion
        if surely_differ(known, read):
            return 0.0
        enough = _ENOUGH if differ_only_alike(known, read) else _ENOUGH_OFF_TRACK
        return text_evidence(known, read) - enough + motion

    def _motion(self, vehicle: Vehicle, one: Sighting, now: datetime) -> float:
        if vehicle.last is None or one.spot is None:
            return 0.0
        elapsed_s = (now - vehicle.last.seen_at).total_seconds()
        before, step = vehicle.before, _NOTHING
        if before is not None and (step := vehicle.last.seen_at - before.seen_at) > self._rules.gap:
            before = None
        return motion_evidence(
            one.spot,
            vehicle.last.spot,
            elapsed_s,
            before=before and before.spot,
            step_s=step.total_seconds(),
            is_cut=one.is_cut or vehicle.last.is_cut,
        )

    def _add(self, plate: list[Sighting], vehicle: Vehicle | None) -> Vehicle | None:
        if vehicle is None:
            if not any(one.may_found for one in plate):
                return None
            vehicle = Vehicle(plate[0].seen_at, plate[0].seen_at, plate[0].key)
            self.vehicles.append(vehicle)
            self._near.append(vehicle)
        for one in plate:
            vehicle.add(one)
            if self._is_sequence:
                vehicle.move(one)
        return vehicle

    def _unite(self, vehicle: Vehicle, now: datetime) -> None:
        """Two vehicles that are known by one plate now are one, unless they were seen side by side."""
        folded = fold(vehicle.text.chars)
        for other in self._near:
            if other is vehicle or now - other.last_seen > self._rules.gap or fold(other.text.chars) != folded:
                continue
            if not self._is_same(vehicle.text, other.text) or self._are_two(vehicle, other):
                continue
            first, second = sorted((vehicle, other), key=attrgetter("order"))
            first.join(second)
            self.vehicles.remove(second)
            self._near.remove(second)
            self._met |= {frozenset((first, *(pair - {second}))) for pair in self._met if second in pair}
            return

    def _is_same(self, one: Text, other: Text) -> bool:
        return not surely_differ(one, other) and (not self._is_sequence or text_evidence(one, other) > _ENOUGH_TO_UNITE)

    def _are_two(self, one: Vehicle, other: Vehicle) -> bool:
        return frozenset((one, other)) in self._met or (
            bool(one.passage_id and other.passage_id) and self._have_met(one, other)
        )


def in_order(one: Sighting) -> tuple[datetime, str, int]:
    return one.seen_at, one.frame_id, one.reading_index


def plates_of(of_frame: Sequence[Sighting]) -> list[list[Sighting]]:
    """The readings of a frame by plate, the surest first: boxes that overlap hold the same one."""
    if len(of_frame) == 1:
        return [list(of_frame)]
    plates: list[list[Sighting]] = []
    for one in sorted(of_frame, key=lambda one: (-one.confidence, one.reading_index)):
        same = next((plate for plate in plates if _is_found_twice(plate[0], one)), None)
        if same is None:
            plates.append([one])
        else:
            same.append(one)
    return sorted(plates, key=lambda plate: plate[0].reading_index)


def _is_found_twice(one: Sighting, other: Sighting) -> bool:
    texts = as_text(one.text, one.weights), as_text(other.text, other.weights)
    return is_same_box(one.xyxy, other.xyxy) and text_evidence(*texts) > _TWO_PLATES
