"""Pictures of kinds that workers do not read: what becomes of them, and what is refused in words."""

from __future__ import annotations

import random
import struct
import sys
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from sightline.errors import BadImageError
from sightline.images.conversion import Converted, to_jpeg
from sightline.images.header import ImageLimits, check_image
from sightline.images.kinds import HEAD_BYTES, name_kind
from sightline.submission.jobs import NewFrame
from tests.exif import photo
from tests.picture_kinds import (
    DATED,
    KINDS,
    SIZE,
    animated,
    dated,
    drawn,
    encoded,
    look,
    looks_drawn,
    saved,
    swapping_profile,
)

LIMITS = ImageLimits(max_mb=5, max_mpx=10)
every_kind = pytest.mark.parametrize("suffix", KINDS)


def convert(data: bytes, limits: ImageLimits = LIMITS) -> Converted:
    kind = name_kind(data[:HEAD_BYTES])
    assert kind is not None
    return to_jpeg(data, kind, limits)


@every_kind
def test_it_shows_the_same_as_a_jpeg(suffix: str) -> None:
    converted = convert(encoded(suffix))
    assert check_image(converted.jpeg, max_mb=5, max_mpx=10) == ("jpeg", *SIZE)
    assert looks_drawn(converted.jpeg)
    assert (converted.taken_at, converted.note) == (None, "")


@every_kind
def test_wherever_it_is_cut_off_it_is_a_bad_image_or_whole(suffix: str) -> None:
    whole = encoded(suffix)
    for length in [*range(64, 700, 37), *range(700, len(whole), max(1, len(whole) // 40)), len(whole) * 9 // 10]:
        with suppress(BadImageError):
            converted = convert(whole[:length])
            assert check_image(converted.jpeg, max_mb=5, max_mpx=10) == ("jpeg", *SIZE)
            assert length > len(whole) * 0.9 or suffix == ".jp2"  # which may end anywhere, with a coarser picture


@every_kind
def test_pixels_are_counted_before_they_are_decoded(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: Any) -> None:
        pytest.fail("decoded")

    monkeypatch.setattr("sightline.images.conversion._plain", decode)
    with pytest.raises(BadImageError, match=r"image: 320 x 200 are 0 megapixels, at most 0\.01 are accepted"):
        convert(encoded(suffix), ImageLimits(max_mb=5, max_mpx=0.01))


@every_kind
def test_bytes_are_counted_before_anything_else(suffix: str) -> None:
    with pytest.raises(BadImageError, match=r"MB, at most 0\.0001 MB are accepted"):
        convert(encoded(suffix), ImageLimits(max_mb=0.0001, max_mpx=10))


def test_a_header_that_promises_too_much_allocates_nothing() -> None:
    bomb = bytearray(encoded(".bmp"))
    bomb[18:26] = struct.pack("<ii", 60_000, 60_000)
    with pytest.raises(BadImageError, match="60000 x 60000 are 3600 megapixels"):
        convert(bytes(bomb))


@pytest.mark.parametrize("suffix", DATED)
def test_it_was_taken_when_its_camera_says(suffix: str) -> None:
    made = dated(suffix, "2024:05:06 07:08:09", offset="+02:00", fraction="25")
    assert convert(made).taken_at == datetime(2024, 5, 6, 5, 8, 9, 250_000, UTC)
    frame = NewFrame.photo(made, "a", limits=LIMITS, modified_at=datetime(2025, 1, 1, tzinfo=UTC))
    assert (frame.captured_at, frame.time_from) == (datetime(2024, 5, 6, 5, 8, 9, 250_000, UTC), "exif")


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".tif"])
def test_it_is_upright(suffix: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it right to see it upright
    converted = convert(saved(drawn().transpose(Image.Transpose.ROTATE_90), KINDS[suffix], exif=exif.tobytes()))
    assert check_image(converted.jpeg, max_mb=5, max_mpx=10) == ("jpeg", *SIZE)
    assert looks_drawn(converted.jpeg)


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".tif"])
def test_what_is_transparent_is_white(suffix: str) -> None:
    image = drawn("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, SIZE[0], 40))
    assert looks_drawn(convert(saved(image, KINDS[suffix])).jpeg)


def test_so_it_is_in_a_palette() -> None:
    image = drawn("P")
    white = image.getpixel((10, 10))
    assert look(convert(saved(image, "GIF", transparency=white)).jpeg)[2] == (255, 255, 255)


@pytest.mark.parametrize("suffix", [".heic", ".avif", ".tif"])
def test_colors_are_those_of_the_profile(suffix: str) -> None:
    red, green, blue = drawn().split()
    stored = Image.merge("RGB", (green, red, blue))
    assert looks_drawn(convert(saved(stored, KINDS[suffix], icc_profile=swapping_profile())).jpeg)


def test_a_profile_of_garbage_is_left_aside() -> None:
    assert looks_drawn(convert(saved(drawn(), "TIFF", icc_profile=b"garbage" * 50)).jpeg)


@pytest.mark.parametrize("mode", ["CMYK", "P", "YCbCr"])
def test_other_colors_become_rgb(mode: str) -> None:
    assert looks_drawn(convert(saved(drawn(mode), "TIFF")).jpeg, within=25)


@pytest.mark.parametrize(("bits", "stored"), [(8, np.uint8), (10, np.uint16), (12, np.uint16), (16, np.uint16)])
def test_gray_has_its_brightness_whatever_its_depth(bits: int, stored: Any) -> None:
    gray = np.asarray(drawn("L"), np.uint32) * (2**bits - 1) // 255
    seen = look(convert(saved(Image.fromarray(gray.astype(stored)), "TIFF")).jpeg)
    wanted = look(saved(drawn("L"), "JPEG", quality=95))
    assert all(abs(a[0] - b[0]) <= 2 for a, b in zip(seen, wanted, strict=True))


def test_black_and_white_too() -> None:
    assert look(convert(saved(drawn("1"), "TIFF", compression="group4")).jpeg)[2] == (255, 255, 255)


def test_values_of_32_bits_mean_nothing_that_is_known() -> None:
    with pytest.raises(BadImageError, match="values of 32 bits; save it with 8 or 16"):
        convert(saved(Image.fromarray(np.zeros((20, 20), np.float32)), "TIFF"))


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "AVIF"])
def test_of_several_pictures_the_first_is_taken_and_that_is_said(kind: str) -> None:
    converted = convert(animated(kind))
    assert looks_drawn(converted.jpeg)
    assert converted.note == f"{kind} of several pictures, of which the first was taken"


@pytest.mark.parametrize("tag", [{254: 1}, {50706: b"\1\4\0\0"}])
def test_the_thumbnail_of_a_raw_file_is_not_taken_for_the_picture(tag: dict[int, Any]) -> None:
    with pytest.raises(BadImageError, match="a camera's raw file, or a TIFF that begins with a thumbnail"):
        convert(saved(drawn(), "TIFF", tiffinfo=tag))


def test_a_jpeg_that_does_not_fit_is_made_worse_and_then_refused() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8))
    data = saved(noise, "HEIF", quality=30)
    best = len(convert(data).jpeg) / 1e6
    assert len(convert(data, ImageLimits(best * 0.8, 10)).jpeg) / 1e6 < best * 0.8
    with pytest.raises(BadImageError, match="as a JPEG it has more than"):
        convert(data, ImageLimits(len(data) / 1e6, 10))


def test_no_bytes_at_all_make_it_fail_otherwise() -> None:
    """Those that are whole by chance become a JPEG; none takes the process with it."""
    chance = random.Random(7)
    for suffix in KINDS:
        for _ in range(60):
            data = bytearray(encoded(suffix))
            for _ in range(chance.choice((1, 3, 20))):
                data[chance.randrange(32, len(data))] = chance.randrange(256)
            with suppress(BadImageError):
                assert convert(bytes(data)).jpeg.startswith(b"\xff\xd8\xff")


def test_without_pillow_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    with pytest.raises(BadImageError, match=r"image: HEIC; to read it: pip install 'sightline\[pictures\]'"):
        convert(encoded(".heic"))


def test_a_jpeg_does_not_load_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.submission.jobs.to_jpeg", None)
    data = photo("2024:05:06 07:08:09", offset="Z")
    frame = NewFrame.photo(data, limits=LIMITS)
    assert (frame.data, frame.original, frame.time_from) == (data, None, "exif")


@every_kind
def test_ids_come_from_the_file_and_not_from_what_was_made_of_it(suffix: str) -> None:
    given = encoded(suffix)
    made, untouched = NewFrame.photo(given, limits=LIMITS), NewFrame.photo(given)
    assert made.data != untouched.data == made.original
    assert made.frame_id("a", "plates") == untouched.frame_id("a", "plates")


def test_of_a_burst_the_main_picture_is_read_and_the_others_are_counted() -> None:
    burst = pillow_heif.HeifFile()
    for image in (Image.new("RGB", SIZE, "green"), drawn(), Image.new("RGB", SIZE, "black")):
        burst.add_from_pillow(image)
    file = BytesIO()
    burst.save(file, primary_index=1)
    converted = convert(file.getvalue())
    assert looks_drawn(converted.jpeg)
    assert converted.note == "HEIC of 3 pictures, of which the main one was taken"


def test_colors_of_a_palette_are_those_of_the_profile() -> None:
    red, green, blue = drawn().split()
    stored = Image.merge("RGB", (green, red, blue)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert looks_drawn(convert(saved(stored, "TIFF", icc_profile=swapping_profile())).jpeg)
