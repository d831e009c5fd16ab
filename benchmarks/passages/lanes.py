"""Where vehicles are: lanes of a street as a camera sees them, and who drives on them when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from training.plates.drawing.plate import Plate

#: Pictures are drawn in this size, and made smaller where a camera gives less.
WIDTH, HEIGHT = 1280, 720


Paint = tuple[float, float, float]  #: blue, green, red


class Place(NamedTuple):
    """Of a plate: its center, and how wide the car around it is, in pixels."""

    x: float
    y: float
    car_px: float


class Lane(NamedTuple):
    """From one place (0) to another (1) and straight on. Who drives steadily comes nearer as perspective has it."""

    start: Place
    end: Place

    def at(self, progress: float) -> Place:
        """Raises ValueError where a vehicle would be behind the camera."""
        a, b = self.start, self.end
        depth = (1 - progress) / a.car_px + progress / b.car_px
        if depth <= 0:
            raise ValueError(f"progress: {progress} is behind the camera")
        car_px = 1 / depth
        share = progress if a.car_px == b.car_px else (car_px - a.car_px) / (b.car_px - a.car_px)
        return Place(a.x + (b.x - a.x) * share, a.y + (b.y - a.y) * share, car_px)

    def turned(self) -> Lane:
        """The same for who drives the other way."""
        return Lane(self.end, self.start)


class Shown(NamedTuple):
    """A plate on a vehicle. `vehicle` names the passage expected of it, `shift` is in car widths from the vehicle."""

    vehicle: str
    plate: Plate
    shift: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Mover:
    """A vehicle on its way. It is on the street from the first to the last of `times_s` and drives steadily between."""

    lane: Lane
    times_s: tuple[float, ...]
    progress: tuple[float, ...]
    plates: tuple[Shown, ...]
    paint: Paint
    is_truck: bool = False

    def at(self, time_s: float) -> Place | None:
        if not self.times_s[0] <= time_s <= self.times_s[-1]:
            return None
        return self.lane.at(float(np.interp(time_s, self.times_s, self.progress)))


def any_paint(rng: np.random.Generator) -> Paint:
    return float(rng.uniform(20, 220)), float(rng.uniform(20, 220)), float(rng.uniform(20, 220))


def road(rng: np.random.Generator, *, near_x: float, small: bool) -> Lane:
    """A lane on which cars come nearer. `small`: for a picture of half the size, on which plates must be larger."""
    near = float(rng.uniform(690, 800) if small else rng.uniform(470, 600))
    far = near * float(rng.uniform(0.5, 0.6))
    near_y = HEIGHT * float(rng.uniform(0.78, 0.86))
    far_y = max(0.1 * HEIGHT, near_y - float(rng.uniform(1.4, 1.8)) * (near - far))
    far_x = WIDTH / 2 + (near_x - WIDTH / 2) * far / near
    return Lane(Place(far_x, far_y, far), Place(near_x, near_y, near))


def crossing(rng: np.random.Generator, *, y: float, car_px: float) -> Lane:
    """A lane from one side of the picture to the other."""
    left, right = Place(-0.2 * WIDTH, y, car_px), Place(1.2 * WIDTH, y + float(rng.uniform(-20, 20)), car_px)
    lane = Lane(left, right)
    return lane if rng.random() < 0.5 else lane.turned()
