"""Clear scenarios: what goes on before a camera, and how many passages that is. Plates are sharp and large enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from benchmarks.passages.fleets import Fleet, any_plate
from benchmarks.passages.lanes import HEIGHT, WIDTH, Lane, Mover, Place, Shown, any_paint, crossing, road
from training.plates.drawing.plate import Plate

#: So far on a car is out of the picture.
_GONE = 1.3


@dataclass
class Street:
    """One clip as it is thought up: vehicles are added, named v0, v1, ..."""

    rng: np.random.Generator
    small: bool
    movers: list[Mover] = field(default_factory=list[Mover])
    taken: set[str] = field(default_factory=set[str])  #: plates, folded
    _count: int = 0

    def shown(self, plate: Plate, shift: tuple[float, float] = (0.0, 0.0)) -> Shown:
        """A plate of which a passage is expected."""
        self._count += 1
        return Shown(f"v{self._count - 1}", plate, shift)

    def add(
        self, lane: Lane, times_s: list[float], progress: list[float], *plates: Shown, is_truck: bool = False
    ) -> None:
        paint = any_paint(self.rng)
        self.movers.append(Mover(lane, tuple(times_s), tuple(progress), plates, paint, is_truck))

    def drive(self, lane: Lane, from_s: float, *plates: Shown, is_truck: bool = False, to: float = _GONE) -> None:
        """Along the lane at one speed."""
        self.add(lane, [from_s, from_s + self.seconds() * to], [0.0, to], *plates, is_truck=is_truck)

    def seconds(self) -> float:
        """What a car needs from one end of a lane to the other."""
        return float(self.rng.uniform(2.0, 4.0))

    def middle(self) -> float:
        return WIDTH * float(self.rng.uniform(0.42, 0.58))


def queue(street: Street) -> None:
    """Cars of a fleet one after the other in one lane, 1 to 5 s apart."""
    _one_after_the_other(street, Fleet(street.rng, street.taken).next)


def any_styles(street: Street) -> None:
    """The same with any plates: no two have much in common."""
    _one_after_the_other(street, lambda: any_plate(street.rng, street.taken))


def _one_after_the_other(street: Street, plate: Callable[[], Plate]) -> None:
    lane, seconds, at_s = road(street.rng, near_x=street.middle(), small=street.small), street.seconds(), 0.0
    for _ in range(int(street.rng.integers(4, 8))):
        street.add(lane, [at_s, at_s + seconds * _GONE], [0.0, _GONE], street.shown(plate()))
        at_s += float(street.rng.uniform(1.0, 5.0))


def two_lanes(street: Street) -> None:
    """Two lanes side by side, a fleet in both."""
    fleet = Fleet(street.rng, street.taken)
    for near_x in (WIDTH * 0.24, WIDTH * 0.76):
        lane, seconds = road(street.rng, near_x=near_x, small=street.small), street.seconds()
        at_s = float(street.rng.uniform(0, 1.5))
        for _ in range(int(street.rng.integers(3, 5))):
            street.add(lane, [at_s, at_s + seconds * _GONE], [0.0, _GONE], street.shown(fleet.next()))
            at_s += float(street.rng.uniform(1.5, 4.0))


def opposite(street: Street) -> None:
    """A fleet that comes in one lane and goes in the other."""
    fleet = Fleet(street.rng, street.taken)
    for near_x, is_going in ((WIDTH * 0.24, False), (WIDTH * 0.76, True)):
        lane, seconds = road(street.rng, near_x=near_x, small=street.small), street.seconds()
        at_s = float(street.rng.uniform(0, 1.5))
        for _ in range(int(street.rng.integers(3, 5))):
            way = [_GONE, 0.0] if is_going else [0.0, _GONE]
            street.add(lane, [at_s, at_s + seconds * _GONE], way, street.shown(fleet.next()))
            at_s += float(street.rng.uniform(1.5, 4.0))


def stop_and_go(street: Street) -> None:
    """Cars stop at a line, the next one stands behind and moves up to the very same place."""
    fleet, rng = Fleet(street.rng, street.taken), street.rng
    lane = road(rng, near_x=street.middle(), small=street.small)
    line, behind = float(rng.uniform(0.85, 0.95)), float(rng.uniform(0.35, 0.45))
    free_s = 0.0  # from when on the line is free
    for _ in range(int(rng.integers(3, 6))):
        arrives_s = max(0.0, free_s - float(rng.uniform(1.5, 4.0)))
        at_line_s = max(arrives_s + 1.6, free_s + 0.8)
        leaves_s = at_line_s + float(rng.uniform(1.5, 5.0))
        street.add(
            lane,
            [arrives_s, arrives_s + 0.8, max(arrives_s + 0.8, at_line_s - 0.8), at_line_s, leaves_s, leaves_s + 0.8],
            [0.0, line - behind, line - behind, line, line, _GONE],
            street.shown(fleet.next()),
        )
        free_s = leaves_s + 0.4


def hidden(street: Street) -> None:
    """A truck before each car for a while; the car is one passage all the same."""
    fleet, rng = Fleet(street.rng, street.taken), street.rng
    size = 1.45 if street.small else 1.0
    back = crossing(rng, y=HEIGHT * 0.38, car_px=size * float(rng.uniform(300, 360)))
    front = crossing(rng, y=HEIGHT * 0.8, car_px=size * float(rng.uniform(420, 480)))
    at_s = 0.0
    for _ in range(int(rng.integers(2, 4))):
        if rng.random() < 0.5:  # it waits while the truck goes by
            stop, wait_s = float(rng.uniform(0.4, 0.6)), float(rng.uniform(4.0, 6.0))
            street.add(
                back,
                [at_s, at_s + 2, at_s + 2 + wait_s, at_s + 4 + wait_s],
                [0.0, stop, stop, 1.0],
                street.shown(fleet.next()),
            )
            from_s, through_s, away_s = at_s + 2.5, float(rng.uniform(2.5, 4.0)), at_s + 4 + wait_s
        else:
            through_s = float(rng.uniform(5.0, 7.0))
            street.add(back, [at_s, at_s + through_s], [0.0, 1.0], street.shown(fleet.next()))
            from_s, away_s = at_s + through_s * 0.15, at_s + through_s
            through_s *= 0.6
        street.add(front, [from_s, from_s + through_s], [0.0, 1.0], street.shown(fleet.next()), is_truck=True)
        at_s = away_s + float(rng.uniform(0.5, 3.0))


def returns(street: Street) -> None:
    """Cars that come again after a minute or more: two passages each."""
    rng, fleet = street.rng, Fleet(street.rng, street.taken)
    lane = road(rng, near_x=street.middle(), small=street.small)
    plates = [fleet.next() for _ in range(int(rng.integers(2, 4)))]
    start_s = 0.0
    for _ in range(2):
        for number, plate in enumerate(plates):
            street.drive(lane, start_s + number * float(rng.uniform(2.0, 5.0)), street.shown(plate))
        start_s += float(rng.uniform(75, 120))


def trailers(street: Street) -> None:
    """Each vehicle has a trailer with a plate of its own: two plates are two passages."""
    fleet = Fleet(street.rng, street.taken)
    _with_second_plates(street, fleet.next, lambda _first: fleet.next())


def same_twice(street: Street) -> None:
    """The trailer has the car's number: two plates at once in two places are two passages."""
    _with_second_plates(street, Fleet(street.rng, street.taken).next, lambda first: first)


def _with_second_plates(street: Street, first: Callable[[], Plate], second: Callable[[Plate], Plate]) -> None:
    rng, at_s = street.rng, 0.0
    lane, seconds = road(rng, near_x=street.middle(), small=street.small), street.seconds()
    for _ in range(int(rng.integers(2, 4))):
        plate = first()
        shift = float(rng.uniform(0.55, 0.62)) * (1 if rng.random() < 0.5 else -1), float(rng.uniform(0.0, 0.12))
        both = street.shown(plate), street.shown(second(plate), shift)
        street.add(lane, [at_s, at_s + seconds * _GONE], [0.0, _GONE], *both)
        at_s += float(rng.uniform(3.0, 6.0))


def parked(street: Street) -> None:
    """A car of a fleet stands all the time while others of it pass, some of them before it."""
    fleet, rng = Fleet(street.rng, street.taken), street.rng
    size = 1.45 if street.small else 1.0
    place = Place(WIDTH * float(rng.uniform(0.3, 0.7)), HEIGHT * 0.34, size * float(rng.uniform(290, 340)))
    front = crossing(rng, y=HEIGHT * 0.82, car_px=size * float(rng.uniform(360, 430)))
    at_s = float(rng.uniform(1, 3))
    stands = street.shown(fleet.next())
    for _ in range(int(rng.integers(3, 6))):
        street.drive(front, at_s, street.shown(fleet.next()), to=1.0)
        at_s += float(rng.uniform(2.0, 5.0))
    street.add(Lane(place, place), [0.0, at_s + 4], [0.0, 0.0], stands)


CLEAR: dict[str, Callable[[Street], None]] = {
    "queue": queue,
    "any styles": any_styles,
    "two lanes": two_lanes,
    "opposite": opposite,
    "stop and go": stop_and_go,
    "hidden": hidden,
    "returns": returns,
    "trailers": trailers,
    "same twice": same_twice,
    "parked": parked,
}
