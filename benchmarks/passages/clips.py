"""Everything that is shown to a camera, as encoded pictures with their truth. The same seed draws the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from benchmarks.accuracy.clips import FPS, draw_clip, draw_street
from benchmarks.passages.fleets import Fleet, any_plate
from benchmarks.passages.lanes import HEIGHT, WIDTH, Lane, Mover, Place, Shown, any_paint
from benchmarks.passages.picture import Seen, draw_moment, make_noise, photograph
from benchmarks.passages.scenarios import CLEAR, Street
from workers.pixels.images import encode_jpeg

Kind = Literal["clear", "hard", "photos"]
#: Frames a second: 2 is what `sightline submit` takes from a video, cameras give more.
RATES, _RATE_SHARES = (2, 5, 10), (0.45, 0.35, 0.2)


@dataclass(frozen=True)
class Shot:
    """One picture: when it was taken, the JPEG file, and the plates on it."""

    time_s: float
    jpeg: bytes
    plates: tuple[Seen, ...]


@dataclass(frozen=True)
class Clip:
    """Pictures of one source. Photos have no order: each shows another vehicle."""

    scenario: str
    number: int
    kind: Kind
    fps: int  #: 0 for photos
    shots: tuple[Shot, ...]


def scenarios() -> list[str]:
    """All there are; clip n shows the n-th, over and over."""
    return [*CLEAR, *_HARD, *_PHOTOS]


def kind_of(scenario: str) -> Kind:
    return "clear" if scenario in CLEAR else "hard" if scenario in _HARD else "photos"


def draw(seed: int, number: int) -> Clip:
    """Clip `number` of this seed."""
    names = scenarios()
    scenario = names[number % len(names)]
    rng = np.random.default_rng((seed, number))
    kind = kind_of(scenario)
    fps = 0
    if kind == "clear":
        fps = int(rng.choice(RATES, p=_RATE_SHARES))
        shots = list(_watch(rng, scenario, fps))
    elif kind == "hard":
        fps = FPS
        shots = list(_HARD[scenario](rng, seed, number))
    else:
        shots = list(_PHOTOS[scenario](rng))
    return Clip(scenario, number, kind, fps, tuple(shots))


def _watch(rng: np.random.Generator, scenario: str, fps: int) -> Iterator[Shot]:
    """A camera's pictures, but for those of an empty street."""
    street = Street(rng, small=bool(rng.random() < 0.5))
    CLEAR[scenario](street)
    ground, noise = draw_street(rng), make_noise(rng)
    quality = int(rng.integers(60, 93))
    end_s = max(mover.times_s[-1] for mover in street.movers)
    for step in range(int(end_s * fps) + 1):
        image, plates = draw_moment(rng, ground, street.movers, step / fps)
        if plates:
            image = photograph(rng, image, noise, small=street.small)
            yield Shot(step / fps, encode_jpeg(image, quality=quality), _scaled(plates, small=street.small))


def _bad(rng: np.random.Generator, seed: int, number: int, *, cars: int, of_fleet: bool) -> Iterator[Shot]:
    """The bad clips of `benchmarks.accuracy`, one alone or some one after the other."""
    taken: set[str] = set()
    fleet = Fleet(rng, taken) if of_fleet else None
    start_s = 0.0
    for car in range(cars):
        plate = fleet.next() if fleet else any_plate(rng, taken, one_line=True)
        clip = draw_clip(seed, 1000 * number + 2 * car + int(rng.integers(2)), plate)
        for step, (jpeg, box) in enumerate(zip(clip.frames, clip.boxes, strict=True)):
            yield Shot(start_s + step / FPS, jpeg, (Seen(f"v{car}", clip.text, box, 1.0),))
        start_s += round(len(clip.frames) + float(rng.uniform(0.4, 3.0)) * FPS) / FPS


def _photos(rng: np.random.Generator, *, of_fleet: bool, apart: bool) -> Iterator[Shot]:
    """Each of another vehicle in another street, in any order: at one moment, or some seconds from each other."""
    taken: set[str] = set()
    fleet = Fleet(rng, taken) if of_fleet else None
    count = int(rng.integers(10, 21))
    times_s = np.cumsum(rng.uniform(0.5, 8.0, count)).round(1) if apart else np.zeros(count)
    for number, time_s in enumerate(rng.permutation(times_s)):
        small = bool(rng.random() < 0.5)
        plate = fleet.next() if fleet else any_plate(rng, taken)
        car_px = float(rng.uniform(450, 700) if small else rng.uniform(300, 560))
        place = Place(WIDTH * float(rng.uniform(0.3, 0.7)), HEIGHT * float(rng.uniform(0.4, 0.75)), car_px)
        mover = Mover(Lane(place, place), (0.0, 0.0), (0.0, 0.0), (Shown(f"v{number}", plate),), any_paint(rng))
        image, plates = draw_moment(rng, draw_street(rng), [mover], 0.0)
        image = photograph(rng, image, make_noise(rng), small=small)
        yield Shot(float(time_s), encode_jpeg(image, quality=int(rng.integers(60, 93))), _scaled(plates, small=small))


def _scaled(plates: list[Seen], *, small: bool) -> tuple[Seen, ...]:
    if not small:
        return tuple(plates)
    return tuple(
        one._replace(xyxy=(one.xyxy[0] / 2, one.xyxy[1] / 2, one.xyxy[2] / 2, one.xyxy[3] / 2)) for one in plates
    )


_HARD = {
    "bad, alone": partial(_bad, cars=1, of_fleet=False),
    "bad, queue": partial(_bad, cars=4, of_fleet=False),
    "bad, fleet": partial(_bad, cars=4, of_fleet=True),
}
_PHOTOS = {
    "photos, any": partial(_photos, of_fleet=False, apart=False),
    "photos, fleet": partial(_photos, of_fleet=True, apart=False),
    "photos, any, apart": partial(_photos, of_fleet=False, apart=True),
    "photos, fleet, apart": partial(_photos, of_fleet=True, apart=True),
}
