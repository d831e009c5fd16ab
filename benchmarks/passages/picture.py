"""Draw one moment of a street, and say what can be seen of each plate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.accuracy.clips import box_around, draw_car, put_plate
from benchmarks.accuracy.metrics import overlap
from benchmarks.passages.lanes import HEIGHT, WIDTH, Mover, Paint, Place
from sightline.types import Xyxy
from training.plates.drawing.plate import Plate
from workers.pixels.images import BgrImage

_CAR_ABOVE, _CAR_BELOW = 0.4, 0.32  #: of the plate's center, in car widths
_TRUCK_ABOVE = 1.5


class Seen(NamedTuple):
    """A plate in a picture. `share` of it is inside the picture and covered by nobody."""

    vehicle: str
    text: str
    xyxy: Xyxy
    share: float


def draw_moment(
    rng: np.random.Generator, street: BgrImage, movers: Sequence[Mover], time_s: float
) -> tuple[BgrImage, list[Seen]]:
    """Far vehicles first, near ones over them. Without a vehicle the picture is the street."""
    here = [(place, mover) for mover in movers if (place := mover.at(time_s))]
    image = street.copy()
    seen: list[Seen] = []
    for place, mover in sorted(here, key=lambda each: each[0].y):
        outline = _outline(place, is_truck=mover.is_truck)
        seen = [one._replace(share=one.share - _covered(one.xyxy, outline)) for one in seen]
        seen += _draw(rng, image, place, mover)
    return image, [one._replace(share=max(0.0, one.share)) for one in seen]


def _draw(rng: np.random.Generator, image: BgrImage, place: Place, mover: Mover) -> list[Seen]:
    found: list[Seen] = []
    for number, shown in enumerate(mover.plates):
        center = place.x + shown.shift[0] * place.car_px, place.y + shown.shift[1] * place.car_px
        size = plate_size(shown.plate, place.car_px)
        if number == 0:
            if mover.is_truck:
                _draw_truck(image, place, mover.paint)
            draw_car(image, np.array(mover.paint), center, size)
        else:  # on a low trailer beside it
            trailer = np.array(box_around(center, (size[0] * 1.5, size[1] * 3))).round().astype(int)
            cv2.rectangle(image, trailer[:2].tolist(), trailer[2:].tolist(), (70, 74, 78), -1)
        box = box_around(center, size)
        inside = overlap(box, (0.0, 0.0, WIDTH, HEIGHT)) / (size[0] * size[1])
        if inside > 0:
            put_plate(rng, image, shown.plate, center, size)
            found.append(Seen(shown.vehicle, shown.plate.text, box, inside))
    return found


def plate_size(plate: Plate, car_px: float) -> tuple[float, float]:
    """Of a plate on a car of this width: a long one fills more of it."""
    width = car_px / (3.6 if plate.width_mm > 3 * plate.height_mm else 5.4)
    return width, width * plate.height_mm / plate.width_mm


def _draw_truck(image: BgrImage, place: Place, paint: Paint) -> None:
    x1, y1, x2, _ = _outline(place, is_truck=True)
    color = tuple(float(part) * 0.8 for part in paint)
    cv2.rectangle(image, (round(x1), round(y1)), (round(x2), round(place.y)), color, -1)


def _outline(place: Place, *, is_truck: bool) -> Xyxy:
    half, above = place.car_px / 2, _TRUCK_ABOVE if is_truck else _CAR_ABOVE
    return (
        place.x - half,
        place.y - above * place.car_px,
        place.x + half,
        place.y + _CAR_BELOW * place.car_px,
    )


def _covered(box: Xyxy, outline: Xyxy) -> float:
    return overlap(box, outline) / ((box[2] - box[0]) * (box[3] - box[1]))


def photograph(rng: np.random.Generator, image: BgrImage, noise: BgrImage, *, small: bool) -> BgrImage:
    """As a good camera takes it: a little noise. `noise` is a picture of it, used anew each time by shifting it."""
    if small:
        image = np.asarray(cv2.resize(image, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA), np.uint8)
    shift = int(rng.integers(noise.shape[0])), int(rng.integers(noise.shape[1]))
    grain = np.roll(noise, shift, (0, 1))[: image.shape[0], : image.shape[1]]
    return np.asarray(cv2.addWeighted(image, 1.0, grain, 1.0, -128.0), np.uint8)


def make_noise(rng: np.random.Generator) -> BgrImage:
    """Around 128."""
    return np.clip(rng.standard_normal((HEIGHT, WIDTH, 3), np.float32) * rng.uniform(2, 6) + 128, 0, 255).astype(
        np.uint8
    )
