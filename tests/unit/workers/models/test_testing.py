"""The shipped doubles: what is drawn is found and read, through JPEG, scaling and cropping."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.settings import Settings
from sightline.testing import (
    MemoryFrameStore,
    StubDetector,
    StubRecognizer,
    make_frame_refs,
    make_picture,
)
from workers.detectors import open_detector
from workers.pixels.images import crop, decode, encode_jpeg


@pytest.mark.parametrize("text", ["A", "AB123CD", "B-MW 1972", "0123456789"])
@pytest.mark.parametrize("scale", [1, 1.7])
def test_what_is_drawn_is_found_and_read(text: str, scale: float):
    image = decode(make_picture(text), max_mpx=1)
    image = decode(encode_jpeg(np.asarray(cv2.resize(image, None, fx=scale, fy=scale), np.uint8)), max_mpx=1)
    ((detection,),) = StubDetector().detect([image])
    cut = decode(encode_jpeg(crop(image, detection, margin=0.1)), max_mpx=1)
    (reading,) = StubRecognizer().recognize([cut])
    assert reading.text == text
    assert len(reading.char_confidences) == len(text)


def test_nothing_is_found_where_nothing_is():
    empty = decode(make_picture(""), max_mpx=1)
    assert empty.shape == (240, 320, 3)
    assert StubDetector().detect([empty]) == [[]]
    noise = np.random.default_rng(3).integers(0, 256, (48, 160, 3), np.uint8)
    assert [reading.text for reading in StubRecognizer().recognize([empty, noise])] == ["", ""]


def test_a_stub_can_take_its_time(tmp_path: Path):
    """As long for many images as for one, as if a GPU worked on them."""
    file = tmp_path / "models.toml"
    file.write_text('[models.slow]\nkind = "stub"\ncall_ms = 60\n')
    detector = open_detector("slow", Settings(models_file=file))
    assert detector.model.name == "slow"  # by which the detect stage tells it from a quick one beside it
    image = decode(make_picture("AB1"), max_mpx=1)
    began_at = time.perf_counter()
    assert len(detector.detect([image] * 3)) == 3
    assert time.perf_counter() - began_at >= 0.06


def test_too_long_a_text_is_refused():
    with pytest.raises(ValueError, match="too few"):
        make_picture("X" * 200)


def test_memory_frame_store():
    store = MemoryFrameStore()
    store.put_many({"a": b"1", "b.c0": b"2"})
    assert store.get_many(["b.c0", "x", "a"]) == [b"2", None, b"1"]
    store.delete_many(["a", "x"])
    assert store.pixels == {"b.c0": b"2"}
    with pytest.raises(ValueError, match="key"):
        store.put_many({"../etc": b""})


def test_frame_refs_are_distinct_and_in_order():
    refs = make_frame_refs(3, source_id="gate")
    assert len({ref.frame_id for ref in refs}) == 3
    assert [ref.seq for ref in refs] == [0, 1, 2]
    assert refs[0].captured_at < refs[1].captured_at


def test_importing_the_doubles_is_cheap():
    code = "import sys, sightline.testing as t; t.make_picture('A'); print(sorted({'numpy', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
