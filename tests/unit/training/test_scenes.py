"""Drawn scenes for the plate detector: repeatable, with a truth that fits the picture; and how photos are counted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline.types import Detection
from tests.fonts import needs_fonts
from training.plates.drawing.scene import draw_scene
from training.plates.make_scenes import make_scenes
from training.plates.measuring.measure_detector import Photo, load_photos, overlap, report, shares

_PLATE = (100.0, 100.0, 200.0, 130.0)
_ASIDE = (300.0, 300.0, 400.0, 330.0)


@needs_fonts
def test_a_picture_depends_on_seed_and_index_alone():
    """Whatever was drawn before it, in this process or in another."""
    alone = [draw_scene(1, index, 160) for index in (0, 3, 5)]
    for index in range(4):
        draw_scene(2, index, 160)
    again = [draw_scene(1, index, 160) for index in (5, 3, 0)][::-1]
    for one, other in zip(alone, again, strict=True):
        assert np.array_equal(one.image, other.image)
        assert one.plates == other.plates
    assert len({hashlib.sha256(scene.image.tobytes()).hexdigest() for scene in alone}) == 3
    assert not np.array_equal(draw_scene(2, 0, 160).image, alone[0].image)


@needs_fonts
def test_the_data_do_not_depend_on_the_number_of_processes(tmp_path: Path):
    count = 17  # processes take 16 at a time: both get some
    one = make_scenes(tmp_path / "one", count=count, seed=4, processes=1)
    two = make_scenes(tmp_path / "two", count=count, seed=4, processes=2)
    assert one == two
    (tmp_path / "two" / "truth" / "000003.tsv").unlink()  # as if it had been interrupted there
    (tmp_path / "two" / "images" / "000003.jpg").write_bytes(b"half a picture")
    assert make_scenes(tmp_path / "two", count=count, seed=4, processes=1) == one
    assert (tmp_path / "one" / "truth.tsv").read_text("utf-8") == (tmp_path / "two" / "truth.tsv").read_text("utf-8")


@needs_fonts
def test_truth_lies_in_the_picture_and_some_pictures_have_no_plate():
    scenes = [draw_scene(1, index, 160) for index in range(60)]
    counts = [len(scene.plates) for scene in scenes]
    assert 0 < counts.count(0) < 20
    assert max(counts) > 1
    for truth in (truth for scene in scenes for truth in scene.plates):
        left, top, right, bottom = truth.xyxy(160)
        assert 0 <= left < right <= 160
        assert 0 <= top < bottom <= 160
        assert truth.text


def test_photos_are_counted_by_group_and_half():
    blank = np.zeros((8, 8, 3), np.uint8)
    photos = [Photo(group, "a.jpg", dev, _PLATE, blank) for group in ("eu", "us") for dev in (True, False)]
    found = [
        [_box(_PLATE, 0.9)],
        [_box(_ASIDE, 0.8), _box(_PLATE, 0.2)],  # the plate comes second
        [_box((140, 100, 240, 130), 0.9)],  # near, but neither on the plate nor beside it
        [],
    ]
    assert shares(photos, found, group="eu", half="dev") == (1, 1.0, 1.0, 0.0)
    assert shares(photos, found, group="eu", half="test") == (1, 0.0, 1.0, 1.0)
    assert shares(photos, found, group="us", half="both") == (2, 0.0, 0.0, 0.0)
    assert shares(photos, found, group="all", half="both") == (4, 0.25, 0.5, 0.25)
    assert "all   both    4  0.250  0.500   0.25" in report(photos, found)
    assert overlap(_PLATE, _ASIDE) == 0


def test_a_table_of_photos_gives_boxes_and_halves(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"no folder with a truth\.tsv"):
        load_photos(tmp_path)
    (tmp_path / "eu").mkdir()
    cv2.imwrite(str(tmp_path / "eu" / "a.png"), np.zeros((20, 30, 3), np.uint8))
    rows = ["file\tx\ty\twidth\theight\tplate", "a.png\t1\t2\t10\t4\tA1", "a.png\t3\t4\t10\t4\tB2"]
    (tmp_path / "eu" / "truth.tsv").write_text("\n".join(rows) + "\n", "utf-8")
    photos = load_photos(tmp_path)
    assert [(photo.group, photo.is_dev, photo.xyxy) for photo in photos] == [
        ("eu", True, (1, 2, 11, 6)),
        ("eu", False, (3, 4, 13, 8)),
    ]
    (tmp_path / "eu" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a\.png: cannot be read"):
        load_photos(tmp_path)


def _box(xyxy: tuple[float, float, float, float], confidence: float) -> Detection:
    return Detection(xyxy=xyxy, label="plate", class_id=0, confidence=confidence)
