"""Drawn plates and crops: the same state draws the same picture, and its text is that of the plate."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.fonts import needs_fonts
from training.plates import make_recognizer
from training.plates.drawing.crops import draw_crop
from training.plates.drawing.plate import draw_plate
from training.plates.drawing.signs import SIGNS, draw_sign
from training.plates.drawing.styles import STYLES
from training.plates.measuring.measure_confusions import Overhang, draw_cuts
from workers.recognizers.plates import HEIGHT_PX, WIDTH_PX

pytestmark = [pytest.mark.unit, needs_fonts]


@pytest.mark.parametrize("style", sorted(STYLES))
def test_every_style_draws_what_it_says(style: str):
    plate = draw_plate(np.random.default_rng(7), style)
    assert re.fullmatch("[A-Z0-9]{1,12}", plate.text)
    assert plate.text == "".join(plate.lines)
    assert plate.style == style
    assert plate.image.shape == (96, round(96 * plate.width_mm / plate.height_mm), 4)
    assert plate.image[48, plate.image.shape[1] // 2, 3] == 255


def test_the_same_state_draws_the_same_picture():
    first, again = (draw_plate(np.random.default_rng(3)) for _ in range(2))
    assert first.text == again.text
    assert np.array_equal(first.image, again.image)
    one, two = (draw_crop(np.random.default_rng([3, 4])) for _ in range(2))
    assert np.array_equal(one.image, two.image)


def test_a_plate_does_not_depend_on_those_drawn_before():
    """A border once cut pieces out of the outline that later plates of the same size share."""
    first = [draw_plate(np.random.default_rng(seed)).image for seed in range(26)]
    again = [draw_plate(np.random.default_rng(seed)).image for seed in range(26)]
    assert [seed for seed in range(26) if not np.array_equal(first[seed], again[seed])] == []


def test_crops_have_the_size_of_the_network_and_some_show_no_plate():
    crops = [draw_crop(np.random.default_rng([1, index])) for index in range(120)]
    assert {crop.image.shape for crop in crops} == {(HEIGHT_PX, WIDTH_PX)}
    assert 0 < sum(not crop.text for crop in crops) < 30
    assert all((crop.text == "") == (crop.style == "none") for crop in crops)


def test_stacked_characters_count_only_where_the_pattern_says_so(monkeypatch: pytest.MonkeyPatch):
    style = STYLES["any/any"]._replace(name="stacked", patterns=("[aa]99999{bbb}",))
    monkeypatch.setitem(STYLES, "stacked", style)
    assert re.fullmatch("AA[0-9]{5}", draw_plate(np.random.default_rng(1), "stacked").text)


@pytest.mark.parametrize("kind", sorted(SIGNS))
def test_a_sign_of_another_script_is_drawn_and_is_no_part_of_the_text(monkeypatch: pytest.MonkeyPatch, kind: str):
    monkeypatch.setitem(STYLES, "signs", STYLES["any/any"]._replace(name="signs", patterns=(f"{kind}9999{kind}",)))
    plate = draw_plate(np.random.default_rng(1), "signs")
    assert re.fullmatch("[0-9]{4}", plate.text)
    masks = {draw_sign(np.random.default_rng(seed), kind).tobytes() for seed in range(40)}
    assert len(masks) > 8


def test_the_steps_of_making_weights_are_there():
    """They run in processes of their own, so nobody imports them: two were once moved, and `make weights` ended."""
    folder = Path(make_recognizer.__file__).parent
    named = [name for file in folder.glob("make_*.py") for name in re.findall(r'_run\("([\w.]+)"', file.read_text())]
    assert len(named) == 4
    assert [name for name in named if find_spec(f"training.plates.{name}") is None] == []


def test_a_crop_is_cut_as_a_detector_boxes_plates_of_its_size():
    boxes = [Overhang(height_px, (0.5, 0.0, 0.0, 0.0)) for height_px in (20.0, 40.0, 60.0)]
    cuts = list(draw_cuts(5, range(12), boxes, margin=0.1))
    again = list(draw_cuts(5, range(12), boxes, margin=0.1))
    assert [cut.text for cut in cuts] == [cut.text for cut in again]
    assert all(np.array_equal(one.image, other.image) for one, other in zip(cuts, again, strict=True))
    assert {cut.room for cut in cuts} == {(0.6, 0.1)}
    assert all(len(cut.text) >= 4 and cut.image.shape[2] == 3 for cut in cuts)
    assert len({cut.image.shape[0] for cut in cuts}) > 3  # of many sizes
