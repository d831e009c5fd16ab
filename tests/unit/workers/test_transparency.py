"""Pictures that are transparent show what they show on white, whoever decodes them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from producers.api.drawing import annotate
from sightline.images.conversion import opaque
from sightline.images.header import ImageLimits
from tests.picture_kinds import saved
from workers.deliver.pictures import _cut
from workers.pixels.images import BgrImage, decode, decode_small

LIMITS = ImageLimits(max_mb=5, max_mpx=10)
SIZE = (40, 24)
BLACK = ((5, 4), (14, 9))


def letters(mode: str = "RGBA") -> Image.Image:
    """Black on nothing, and that nothing is black too."""
    image = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (*BLACK[0], *BLACK[1]))
    return image.convert(mode)


def one_shade(mode: str) -> Image.Image:
    """Black on a shade that is to be transparent."""
    image = Image.new(mode, SIZE, 1 if mode == "1" else 90)
    image.paste(0, (*BLACK[0], *BLACK[1]))
    return image


def of_16_bits() -> bytes:
    image = np.zeros((SIZE[1], SIZE[0], 4), np.uint16)
    image[BLACK[0][1] : BLACK[1][1], BLACK[0][0] : BLACK[1][0], 3] = 65535
    return cv2.imencode(".png", image)[1].tobytes()


FILES: dict[str, bytes] = {
    "colors": saved(letters(), "PNG"),
    "gray": saved(letters("LA"), "PNG"),
    "palette": saved(letters().quantize(8), "PNG"),
    "color of colors": saved(Image.merge("RGB", [one_shade("L")] * 3), "PNG", transparency=(90, 90, 90)),
    "shade of gray": saved(one_shade("L"), "PNG", transparency=90),
    "shade of two": saved(one_shade("1"), "PNG", transparency=1),
    "16 bits": of_16_bits(),
    "animated": saved(letters(), "PNG", save_all=True, append_images=[Image.new("RGBA", SIZE, "red")]),
    "webp": saved(letters(), "WEBP"),
    "webp without loss": saved(letters(), "WEBP", lossless=True),
    "webp animated": saved(letters(), "WEBP", save_all=True, append_images=[Image.new("RGBA", SIZE, "red")]),
}
every_file = pytest.mark.parametrize("name", FILES)


def is_black_on_white(image: np.ndarray[Any, Any]) -> bool:
    (left, top), (right, bottom) = BLACK
    inside = image[top + 1 : bottom - 1, left + 1 : right - 1]
    beside = np.delete(image, slice(top - 1, bottom + 1), axis=0)
    return bool(inside.max() < 40 and beside.min() > 215)


def loaded(jpeg: bytes) -> BgrImage:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(image, np.uint8)


@every_file
def test_a_worker_sees_letters_on_white(name: str) -> None:
    image = decode(FILES[name], max_mpx=1)
    assert (image.shape, image.dtype) == ((SIZE[1], SIZE[0], 3), np.uint8)
    assert is_black_on_white(image)
    assert is_black_on_white(decode_small(FILES[name], least_px=10, max_mpx=1).image)


@every_file
def test_so_do_the_page_and_receivers_of_events(name: str) -> None:
    assert is_black_on_white(annotate.decode(FILES[name]))
    assert is_black_on_white(loaded(_cut(FILES[name], (0, 0, *SIZE))))


def test_half_is_mixed() -> None:
    image = Image.new("RGBA", SIZE, (200, 0, 100, 128))
    mixed = decode(saved(image, "PNG"), max_mpx=1)
    assert mixed[3, 3].tolist() == [177, 127, 227]
    assert (mixed == mixed[0, 0]).all()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_it_is_upright(kind: str, turn: int) -> None:
    """As OpenCV turns pictures that are not transparent."""
    image = Image.fromarray(np.random.default_rng(3).integers(0, 256, (24, 40, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"exif": exif.tobytes(), **({"lossless": True, "exact": True} if kind == "WEBP" else {})}
    wanted = decode(saved(image, kind, **options), max_mpx=1)
    image.putalpha(254)
    assert np.abs(decode(saved(image, kind, **options), max_mpx=1).astype(int) - wanted).max() <= 1


def test_what_is_not_transparent_stays_as_it_is() -> None:
    for kind in ("PNG", "WEBP", "JPEG"):
        data = saved(letters("RGB"), kind)
        assert opaque(data, LIMITS) is data
