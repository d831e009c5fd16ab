"""Damaged and malicious pictures through all that workers do before a model sees them.

`make fuzz` does the same with more of them (`FUZZ_PICTURES`, `FUZZ_SEED`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from sightline.errors import BadImageError
from tests.fuzz.pictures import good, odd_pictures, pictures
from workers.pixels.images import BgrImage, decode, decode_small

ROOT = Path(__file__).parents[4]
COUNT = int(os.environ.get("FUZZ_PICTURES", "1000"))
SEED = int(os.environ.get("FUZZ_SEED", "1"))
MAX_MPX = 1.0
#: What one picture may take above what the process has: pixels three times over, as decoders of progressive and
#: turned pictures need them, and some slack of the allocator.
MAX_PEAK_MB = 3 * 3 * MAX_MPX + 25


def test_each_is_decoded_or_refused_in_words_and_the_next_good_one_is_read() -> None:
    ends: Counter[str] = Counter()
    for number, picture in enumerate(pictures(COUNT, SEED)):
        image, said = _decoded(picture.data)
        ends["refused" if image is None else "decoded"] += 1
        if image is None:
            assert len(said) > 20, picture.kind
        else:
            assert image.ndim == 3, picture.kind
            assert image.shape[2] == 3, picture.kind
            assert image.shape[0] * image.shape[1] <= MAX_MPX * 1e6, picture.kind
        if number % 20 == 0:
            assert decode(good(), max_mpx=MAX_MPX).shape == (120, 160, 3)
    print(f"{sum(ends.values())} pictures from seed {SEED}: {dict(ends)}")
    assert min(ends["refused"], ends["decoded"]) > COUNT / 10


def test_decoded_smaller_each_is_refused_in_the_same_words() -> None:
    for picture in pictures(COUNT // 4, SEED):
        image, said = _decoded(picture.data)
        if image is None:
            with pytest.raises(BadImageError) as refused:
                decode_small(picture.data, least_px=20, max_mpx=MAX_MPX, max_mb=1)
            assert str(refused.value) == said, picture.kind
        else:
            small = decode_small(picture.data, least_px=20, max_mpx=MAX_MPX, max_mb=1)
            assert (small.height, small.width) == image.shape[:2], picture.kind


def _decoded(data: bytes) -> tuple[BgrImage | None, str]:
    """The pixels, or why there are none."""
    try:
        return decode(data, max_mpx=MAX_MPX, max_mb=1), ""
    except BadImageError as refused:
        return None, str(refused)


def test_the_same_seed_gives_the_same_files() -> None:
    assert list(pictures(200, 7)) == list(pictures(200, 7))
    assert list(pictures(200, 7)) != list(pictures(200, 8))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_ends_upright(orientation: int) -> None:
    data = next(item.data for item in odd_pictures() if item.kind == f"jpeg orientation {orientation}")
    shape = (120, 160, 3) if orientation < 5 else (160, 120, 3)
    assert decode(data, max_mpx=MAX_MPX).shape == shape


def test_no_picture_takes_more_memory_than_its_pixels_may() -> None:
    """In a process of its own, whose peak is reset before each picture."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.memory", str(MAX_MPX)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )
    measured = json.loads(done.stdout.splitlines()[-1])
    print(measured)
    assert measured["peak_mb"] <= MAX_PEAK_MB, measured
    assert measured["grown_mb"] <= 30, measured
    assert measured["pictures"] == len(odd_pictures())
