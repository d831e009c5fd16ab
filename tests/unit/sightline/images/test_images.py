"""`check_image`: what is accepted, what is refused, and that no bytes at all make it fail otherwise."""

from __future__ import annotations

import random
import struct
from functools import cache

import cv2
import numpy as np
import pytest

from sightline.errors import BadImageError
from sightline.images.header import ImageInfo, check_image
from tests.png import png, png_chunk

WIDTH, HEIGHT = 64, 48


@cache
def encoded(suffix: str) -> bytes:
    image = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    progressive = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if suffix == ".progressive.jpg" else []
    return cv2.imencode(suffix.removeprefix(".progressive"), image, progressive)[1].tobytes()


def check(data: bytes) -> ImageInfo:
    return check_image(data, max_mb=1, max_mpx=1)


def with_thumbnail() -> bytes:
    """A JPEG with a smaller one inside its EXIF segment, as cameras write it."""
    thumbnail = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    return encoded(".jpg")[:2] + segment + encoded(".jpg")[2:]


@pytest.mark.parametrize(
    ("suffix", "name"), [(".jpg", "jpeg"), (".progressive.jpg", "jpeg"), (".png", "png"), (".webp", "webp")]
)
class TestEveryFormat:
    def test_is_recognized_with_its_size(self, suffix: str, name: str) -> None:
        assert check(encoded(suffix)) == (name, WIDTH, HEIGHT)

    def test_is_refused_wherever_it_is_cut_off(self, suffix: str, name: str) -> None:
        whole = encoded(suffix)
        for length in [*range(0, 700, 7), *range(700, len(whole), 61), len(whole) - 1]:
            with pytest.raises(BadImageError):
                check(whole[:length])

    def test_may_be_followed_by_something_else(self, suffix: str, name: str) -> None:
        assert check(encoded(suffix) + b"\xff\xda a film as phones append it").format == name


def test_the_thumbnail_of_a_jpeg_is_not_taken_for_the_picture() -> None:
    data = with_thumbnail()
    assert check(data) == ("jpeg", WIDTH, HEIGHT)
    for length in range(len(data) - len(encoded(".jpg")), len(data), 37):
        with pytest.raises(BadImageError):
            check(data[:length])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"hello, I am a text", "b'hello, I', which is no JPEG, PNG or WebP"),
        (b"GIF89a" + bytes(50), "no JPEG, PNG or WebP; convert it first"),
        (png(60_000, 60_000), "60000 x 60000 are 3600 megapixels, at most 1 are accepted"),
        (png(1_001, 1_000), "at most 1 are accepted"),
        (png(0, 10), "has no size"),
        (encoded(".jpg") + bytes(1_000_000), "1.0 MB, at most 1 MB are accepted"),
        (encoded(".png")[:-1], "cut off"),
    ],
)
def test_a_refusal_names_value_limit_and_cure(data: bytes, says: str) -> None:
    with pytest.raises(BadImageError) as refused:
        check(data)
    assert says in str(refused.value)


def test_limits_are_inclusive() -> None:
    assert check(png(1_000, 1_000)).width == 1_000


def test_files_of_nothing_but_segments_are_refused_quickly() -> None:
    with pytest.raises(BadImageError):
        check(b"\xff\xd8\xff\xc0\x00\x11\x08\x00\x10\x00\x10\x03" + b"\xff\x01" * 400_000)
    with pytest.raises(BadImageError):
        check(png(10, 10)[:-12] + png_chunk(b"abcd", b"") * 80_000)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_damaged_headers_raise_nothing_unexpected(suffix: str) -> None:
    chance = random.Random(7)
    for _ in range(1_500):
        data = bytearray(encoded(suffix))
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(60)] = chance.randrange(256)
        try:
            info = check(bytes(data))
        except BadImageError:
            continue
        assert 0 < info.width * info.height <= 1_000_000
