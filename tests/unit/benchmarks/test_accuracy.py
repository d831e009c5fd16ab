"""The arithmetic of the accuracy benchmark against examples computed by hand, and its judgment of photos."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.accuracy.judge import Judged, judge
from benchmarks.accuracy.metrics import (
    Bin,
    calibration_error,
    differences,
    edits,
    error_rate,
    iou,
    overlap,
    reliability,
    wilson,
)
from benchmarks.accuracy.report import figures
from benchmarks.accuracy.truth import Photo, read_photos
from sightline.errors import SettingsError
from sightline.types import Detection, FrameRef, FrameResult, Reading, Xyxy
from storage.plates.text import read_plate
from storage.results.explanations import PassageRef, explain

ON_PLATE, BESIDE, FAR = (100.0, 50.0, 200.0, 80.0), (150.0, 50.0, 250.0, 80.0), (300.0, 200.0, 400.0, 230.0)


def photo(label: str = "AB12CDE", *, country: str = "eu", row: int = 0, unlabeled: tuple[Xyxy, ...] = ()) -> Photo:
    return Photo(Path("car.jpg"), country, row, ON_PLATE, label, label, unlabeled)


def judged(of: Photo, *found: tuple[Xyxy, str, float]) -> Judged:
    """As if the detector had found these boxes and the recognizer these texts."""
    frame = FrameRef(frame_id="frame-00001", source_id="test", captured_at=datetime(2026, 1, 1, tzinfo=UTC))
    detections = tuple(
        Detection(xyxy=xyxy, label="plate", class_id=0, confidence=0.9 - index / 10)
        for index, (xyxy, _, _) in enumerate(found)
    )
    readings = tuple(
        Reading(text=text, confidence=confidence, detection_index=index)
        for index, (_, text, confidence) in enumerate(found)
        if text
    )
    result = FrameResult(frame=frame, width=640, height=480, detections=detections, readings=readings)
    seats = {
        index: PassageRef(f"p{index}", plate.text, reading.confidence, 1)
        for index, reading in enumerate(readings)
        if (plate := read_plate(reading.text, reading.confidence))
    }
    return judge(of, explain(result, seats, min_confidence=0.25, min_reading_confidence=0.5))


def test_wilson() -> None:
    assert wilson(8, 10) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((1.0, 0.7225, 1.0), abs=1e-4)
    assert wilson(0, 0) == (0.0, 0.0, 1.0)


def test_error_rate_is_of_characters_and_its_interval_of_photos() -> None:
    rate = error_rate([0, 0, 0, 7], [7, 7, 7, 7])
    assert rate.value == 0.25
    assert (rate.low, rate.high) == (0.0, 0.75)  # all four photos drawn anew: 1/16 to 15/16 of all draws lie between
    assert error_rate([1, 1], [4, 4]) == (0.25, 0.25, 0.25)
    assert error_rate([], []) == (0.0, 0.0, 1.0)


def test_reliability_and_calibration_error() -> None:
    bins = reliability([0.95, 0.85, 0.85, 0.65, 1.0], [True, True, False, False, True])
    assert [tuple(each) for each in bins] == [
        pytest.approx((0.6, 0.7, 1, 0.65, 0.0)),
        pytest.approx((0.8, 0.9, 2, 0.85, 0.5)),
        pytest.approx((0.9, 1.0, 2, 0.975, 1.0)),
    ]
    assert calibration_error(bins) == pytest.approx((0.65 + 2 * 0.35 + 2 * 0.025) / 5)
    assert calibration_error([Bin(0.5, 0.6, 4, 0.5, 0.5)]) == 0
    assert calibration_error([]) is None


def test_boxes() -> None:
    assert overlap((0, 0, 10, 10), (5, 5, 20, 20)) == 25
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


def test_edits_and_differences() -> None:
    assert edits("AB12", "AB12CD") == 2
    assert edits("", "AB12") == 4
    assert differences("A812CDX", "AB12CD") == "B→8 at 2, added X at 7"
    assert differences("B12", "AB12") == "lost A at 1"


def test_a_real_plate_without_a_label_is_passed_over() -> None:
    both = ((FAR, "XY99ZZZ", 0.99), (ON_PLATE, "AB12CDE", 0.9))
    assert judged(photo(), *both).reason == "another first"
    one = judged(photo(unlabeled=(FAR,)), *both)
    assert (one.plate, one.exact, one.confidence) == ("AB12CDE", True, pytest.approx(0.9))
    alone = judged(photo(unlabeled=(FAR,)), both[0])
    assert (alone.plate, alone.exact, alone.reason) == ("", False, "not detected")


def test_an_exact_plate_is_no_miss() -> None:
    one = judged(photo(), (ON_PLATE, "AB12 CDE", 0.9))
    assert (one.plate, one.exact, one.exact_raw, one.among, one.errors, one.reason) == (
        "AB12CDE",
        True,
        True,
        True,
        0,
        "",
    )
    assert (one.found_first, one.found, one.best_iou) == (True, True, 1.0)
    assert one.confidence == pytest.approx(0.9)


def test_signs_that_a_country_draws_alike_are_equal_for_corrected_labels_only() -> None:
    one = judged(photo("AB10CDE"), (ON_PLATE, "AB1OCDE", 0.9))
    assert (one.exact_raw, one.exact, one.errors) == (False, True, 0)
    for country, exact in (("br", True), ("us", False)):
        assert judged(photo("ABI1234", country=country), (ON_PLATE, "AB11234", 0.9)).exact is exact
    assert not judged(photo("AB10CDE", country="elsewhere"), (ON_PLATE, "AB1OCDE", 0.9)).exact


@pytest.mark.parametrize(
    ("found", "reason", "detail"),
    [
        ([], "not detected", "plate 30 px high"),
        ([(FAR, "XY99ZZZ", 0.9)], "not detected", "plate 30 px high"),
        ([(ON_PLATE, "A812CDE", 0.9)], "misread", "B→8 at 2"),
        ([(ON_PLATE, "", 0.0)], "not read", "30 px high, nothing was read"),
        ([((100, 50, 160, 64), "", 0.0)], "too small", "14 px high, nothing was read"),
        ([((100, 50, 140, 80), "AB12", 0.9)], "box off", "IoU 0.40: lost CDE at 5"),
        ([((100, 50, 140, 80), "AB1", 0.9), ((145, 50, 200, 80), "2CDE", 0.9)], "split", "AB1 + 2CDE"),
        (
            [(ON_PLATE, "AB12CDE", 0.7), (FAR, "XY99ZZZ", 0.9)],
            "another first",
            "read right with 0.70; XY99ZZZ is surer",
        ),
    ],
)
def test_a_miss_has_a_reason(found: list[tuple[Xyxy, str, float]], reason: str, detail: str) -> None:
    one = judged(photo(), *found)
    assert (one.reason, one.detail) == (reason, detail)
    assert not one.exact


def test_a_plate_without_a_digit_is_lost_to_its_form() -> None:
    one = judged(photo("GWAGEN"), (ON_PLATE, "G-WAGEN", 0.9))
    assert (one.plate, one.among, one.errors) == ("", True, 6)
    assert (one.reason, one.detail) == ("format", "'G-WAGEN' refused: no digit, and read with 0.90")


def test_false_boxes_are_told_from_parts_of_the_plate_and_from_real_plates() -> None:
    of = photo(unlabeled=(FAR,))
    one = judged(of, (BESIDE, "XY99ZZZ", 0.9), (FAR, "", 0.0), ((0, 0, 20, 20), "", 0.0), (ON_PLATE, "AB12CDE", 0.8))
    assert (one.false_boxes, one.partial_boxes, one.known_boxes) == (1, 1, 1)
    assert (one.found_first, one.found) == (False, True)


def test_figures_by_country_and_half() -> None:
    right = [judged(photo(row=row), (ON_PLATE, "AB12CDE", 0.9)) for row in (0, 2)]
    wrong = [judged(photo(row=1), (ON_PLATE, "AB12CDF", 0.9)), judged(photo(country="br", row=0))]
    rows = {(row.country, row.half): row for row in figures("x", right + wrong)}
    assert set(rows) == {
        *(("eu", half) for half in ("dev", "test", "all")),
        *(("br", half) for half in ("dev", "all")),
        *(("all", half) for half in ("dev", "test", "all")),
    }
    assert [rows["eu", half].exact.value for half in ("dev", "test", "all")] == [1.0, 0.0, pytest.approx(2 / 3)]
    assert rows["eu", "all"].error_rate.value == pytest.approx(1 / 21)
    assert rows["eu", "all"].calibration_error == pytest.approx(0.9 - 2 / 3)
    assert rows["all", "all"].photos == 4
    assert rows["all", "all"].reasons == {"misread": 1, "not detected": 1}
    assert rows["br", "all"].calibration_error is None


def write_table(folder: Path, *rows: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "truth.tsv").write_text("\n".join(["file\tx\ty\twidth\theight\tplate", *rows]) + "\n")
    for row in rows:
        (folder / row.split("\t")[0]).touch()


def test_photos_of_a_folder_and_of_its_folders(tmp_path: Path) -> None:
    write_table(tmp_path / "eu", "eu5.jpg\t1\t2\t30\t10\tOYO9FEU", "b.jpg\t1\t2\t30\t10\tab-12")
    first, second = read_photos(tmp_path)
    assert (first.xyxy, first.half, first.country) == ((1, 2, 31, 12), "dev", "eu")
    assert (first.label, first.corrected) == ("OYO9FEU", "OY09FEU")  # a known wrong label
    assert (second.half, second.label, second.corrected) == ("test", "AB12", "AB12")
    assert read_photos(tmp_path / "eu") == [first, second]
    write_table(tmp_path / "elsewhere", "eu5.jpg\t1\t2\t30\t10\tOYO9FEU")
    assert read_photos(tmp_path / "elsewhere")[0].corrected == "OYO9FEU"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("file\tx\ty\twidth\theight\n", "columns \\['plate'\\] are missing"),
        (
            "file\tx\ty\twidth\theight\tplate\na.jpg\t1\t2\twide\t4\tAB12\n",
            "row 0: x, y, width, height must be numbers",
        ),
        ("file\tx\ty\twidth\theight\tplate\nnone.jpg\t1\t2\t3\t4\tAB12\n", "row 0: there is no photo"),
    ],
)
def test_a_wrong_table_is_refused_with_its_place(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "truth.tsv").write_text(table)
    (tmp_path / "a.jpg").touch()
    with pytest.raises(SettingsError, match=message):
        read_photos(tmp_path)


def test_a_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no truth\.tsv"):
        read_photos(tmp_path)
