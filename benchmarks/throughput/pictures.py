"""What every entry is given: drawn cars with plates as JPEG files, 1280 x 720 and 1920 x 1080 in turn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import cv2
import numpy as np

from demo.scene import draw_photo
from training.plates.drawing.fonts import check_fonts
from training.plates.drawing.scene import BgrImage, PlateTruth, draw_scene
from workers.pixels.images import encode_jpeg

SIZES = ((1280, 720), (1920, 1080))
_SEED = 20
_JPEG_QUALITY = 90  #: as the camera process publishes
_DRAWN_PX, _STRIP_PX = 640, 360  #: side of a drawn square, height of what is cut from it
_LEAST_HEIGHT_PX = 12  #: of a plate as drawn; smaller ones are not read


def draw_pictures(count: int, plates: int = 1) -> list[bytes]:
    """The same pictures every time; each shows so many whole plates, one of `PLATES`.

    Without the generator's fonts those with one plate are the demo's cars.

    Raises:
        FileNotFoundError: there are no fonts; says how to get them.
    """
    try:
        check_fonts()
    except FileNotFoundError:
        if plates != 1:
            raise
        images = (draw_photo(f"KAB{number:04}", number) for number in range(count))
    else:
        images = itertools.islice(_SCENES[plates](_SEED), count)
    return [_encode(image, SIZES[number % 2]) for number, image in enumerate(images)]


def numbered(jpeg: bytes, number: int) -> bytes:
    """The same picture as another file: a comment behind its first marker. Equal files would be one frame."""
    comment = str(number).encode()
    return jpeg[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + jpeg[2:]


def _scenes(seed: int) -> Iterator[BgrImage]:
    """Landscapes cut from the generator's squares, so that the plate is in them."""
    for index in itertools.count():
        scene = draw_scene(seed, index, _DRAWN_PX)
        if len(scene.plates) == 1 and (top := _top(scene.plates[0])) is not None:
            yield scene.image[top : top + _STRIP_PX]


def _empty_scenes(seed: int) -> Iterator[BgrImage]:
    for index in itertools.count():
        scene = draw_scene(seed, index, _DRAWN_PX)
        if not scene.plates:  # they are rare: each gives four pictures
            for strip in (scene.image[:_STRIP_PX], scene.image[-_STRIP_PX:]):
                yield from (strip, strip[:, ::-1])


def _crowds(seed: int) -> Iterator[BgrImage]:
    """Four landscapes in one."""
    scenes = _scenes(seed)
    while True:
        first, second, third, fourth = itertools.islice(scenes, 4)
        yield np.vstack([np.hstack([first, second]), np.hstack([third, fourth])])


#: By the number of plates on each picture.
_SCENES = {0: _empty_scenes, 1: _scenes, 4: _crowds}
PLATES = tuple(_SCENES)


def _top(plate: PlateTruth) -> int | None:
    """Where a strip of the square begins that holds the plate near its middle; None if there is no whole plate."""
    left, first, right, last = plate.xyxy(_DRAWN_PX)
    is_whole = all(0 <= value <= _DRAWN_PX for corner in plate.corners for value in corner)
    if not is_whole or last - first < _LEAST_HEIGHT_PX or right - left > _DRAWN_PX / 2:
        return None
    return int(min(max((first + last - _STRIP_PX) / 2, 0), _DRAWN_PX - _STRIP_PX))


def _encode(image: BgrImage, size: tuple[int, int]) -> bytes:
    """Enlarged: the generator takes seconds for a picture of this size."""
    large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
    return encode_jpeg(np.asarray(large, np.uint8), quality=_JPEG_QUALITY)
