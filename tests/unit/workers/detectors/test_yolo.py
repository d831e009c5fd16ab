"""YOLO: letterbox, decode, every batch size, and the same answers in onnxruntime and OpenVINO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.errors import ModelError
from sightline.settings import Settings
from tests.unit.onnx_models import (
    write_raw_head_model,
    write_raw_rectangle_model,
    write_rectangle_model,
    write_yolox_rectangle_model,
)
from workers.detectors import Detector, open_detector
from workers.detectors.heads import HEADS
from workers.detectors.letterbox import Placement, letterbox, resize
from workers.detectors.nms import thin_out
from workers.detectors.sessions import parse_labels, to_tensor
from workers.detectors.yolo import decode
from workers.models import coco
from workers.pixels.images import BgrImage

RUNTIMES = ("onnxruntime", "openvino")


def picture(width: int, height: int, rectangle: tuple[int, int, int, int] | None) -> BgrImage:
    image = np.full((height, width, 3), 40, np.uint8)
    if rectangle:
        x1, y1, x2, y2 = rectangle
        image[y1:y2, x1:x2] = 255
    return image


def open_model(
    folder: Path, onnx_file: Path, runtime: str, entry: str = 'labels = ["plate"]', kind: str = "yolo26"
) -> Detector:
    models = folder / "models.toml"
    models.write_text(f'[models.own]\nkind = "{kind}"\nsource = "{onnx_file.name}"\ninput_size = 64\n{entry}\n')
    return open_detector("own", Settings(models_file=models, runtime=runtime, threads=1))  # pyright: ignore[reportArgumentType]


@pytest.fixture(
    scope="module",
    params=[
        (runtime, kind, batch)
        for runtime in RUNTIMES
        for kind, batch in (("yolo26", None), ("yolo26", 4), ("yolox", 1), ("yolox", None))
    ],
    ids=str,
)
def detector(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """A real model in a real runtime, with a dynamic and with a fixed batch."""
    runtime, kind, batch = request.param
    folder = tmp_path_factory.mktemp("models")
    write = write_yolox_rectangle_model if kind == "yolox" else write_rectangle_model
    return open_model(folder, write(folder / "own.onnx", batch=batch), runtime, kind=kind)


@pytest.mark.parametrize("count", range(10))
def test_every_batch_size_keeps_length_and_order(detector: Detector, count: int):
    images = [picture(128, 128, (8 * n, 16, 8 * n + 40, 48)) for n in range(count)]
    found = detector.detect(images)
    assert len(found) == count
    for n, detections in enumerate(found):
        assert [detection.xyxy for detection in detections] == [pytest.approx((8 * n, 16, 8 * n + 40, 48), abs=2)]


def test_a_cpu_gets_few_pictures_at_once(detector: Detector, monkeypatch: pytest.MonkeyPatch):
    session, sizes = detector._session, []  # pyright: ignore
    forward = session.forward
    monkeypatch.setattr(session, "forward", lambda batch: sizes.append(len(batch)) or forward(batch))
    assert len(detector.detect([picture(64, 64, None)] * 9)) == 9
    assert sizes in ([4, 4, 1], [4, 4, 4], [1] * 9)


def test_pictures_of_different_shape_share_a_batch(detector: Detector):
    rectangles = [(320, 80, 960, 320), (60, 300, 180, 600), (10, 10, 30, 40)]
    images = [picture(1280, 720, rectangles[0]), picture(240, 960, rectangles[1]), picture(50, 60, rectangles[2])]
    for image, rectangle, (detection,) in zip(images, rectangles, detector.detect(images), strict=True):
        assert detection.xyxy == pytest.approx(rectangle, abs=1.1 * max(image.shape) / 64)
        assert (detection.label, detection.class_id, detection.confidence) == ("plate", 0, 1.0)


def test_nothing_is_found_in_the_dark(detector: Detector):
    assert detector.detect([picture(100, 70, None)]) == [[]]
    detector.warm()


def test_the_model_names_itself(detector: Detector):
    assert detector.model.name == "own"
    assert detector.model.runtime in RUNTIMES
    assert detector.model.input_size == (64, 64)
    assert len(detector.model.sha256) == 64


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_labels_and_size_come_from_the_file_if_nobody_else_names_them(tmp_path: Path, runtime: str):
    file = write_rectangle_model(tmp_path / "own.onnx", size=None, names="{0: 'license plate', 1: 'car'}")
    detector = open_model(tmp_path, file, runtime, entry="")
    assert detector.model.labels == ("license plate", "car")
    assert detector.model.input_size == (64, 64)
    assert detector.detect([picture(64, 64, (8, 8, 24, 24))])[0][0].label == "license plate"


def test_runtimes_agree(tmp_path: Path):
    file = write_rectangle_model(tmp_path / "own.onnx")
    rng = np.random.default_rng(5)
    images = [picture(300, 200, (x, y, x + 60, y + 50)) for x, y in rng.integers(0, 140, (12, 2))]
    one, other = (open_model(tmp_path, file, runtime).detect(images) for runtime in RUNTIMES)
    assert one == other


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_damaged_file_is_a_model_error(tmp_path: Path, runtime: str):
    file = tmp_path / "own.onnx"
    file.write_bytes(write_rectangle_model(file).read_bytes()[:200])
    with pytest.raises(ModelError, match=r"own\.onnx cannot be loaded"):
        open_model(tmp_path, file, runtime)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_model_without_the_end_to_end_head_is_refused(tmp_path: Path, runtime: str):
    detector = open_model(tmp_path, write_raw_head_model(tmp_path / "own.onnx"), runtime)
    with pytest.raises(ModelError, match=r"\(1, 84, 100\) instead of \(1, any, 6\).*export"):
        detector.warm()


def test_letterbox_centers_and_keeps_the_ratio():
    image = np.full((100, 400, 3), 200, np.uint8)
    batch, (placement,) = letterbox([image], (640, 320))
    assert batch.shape == (1, 320, 640, 3)
    assert placement == Placement(left=0, top=80, width=640, height=160)
    assert (batch[0, 80:240] == 200).all()
    assert (batch[0, :80] == 114).all()
    assert (batch[0, 240:] == 114).all()


def test_letterbox_puts_the_picture_into_the_corner_where_the_model_had_it_there():
    image = np.full((100, 400, 3), 200, np.uint8)
    batch, (placement,) = letterbox([image], (640, 320), centered=False)
    assert placement == Placement(left=0, top=0, width=640, height=160)
    assert (batch[0, :160] == 200).all()
    assert (batch[0, 160:] == 114).all()


def test_letterbox_survives_extreme_shapes():
    batch, placements = letterbox([np.zeros((1, 4000, 3), np.uint8), np.zeros((4000, 1, 3), np.uint8)], (64, 64))
    assert batch.shape == (2, 64, 64, 3)
    assert (placements[0].top, placements[1].left) == (31, 31)


@pytest.mark.parametrize(
    ("width", "how"),
    [(64, None), (60, cv2.INTER_LINEAR), (100, cv2.INTER_LINEAR), (38, cv2.INTER_AREA), (16, cv2.INTER_AREA)],
)
def test_what_is_made_clearly_smaller_becomes_the_mean_of_areas(width: int, how: int | None):
    image = np.random.default_rng(1).integers(0, 256, (32, 64, 3), np.uint8)
    expected = image if how is None else cv2.resize(image, (width, width // 2), interpolation=how)
    assert np.array_equal(resize(image, width, width // 2), expected)


def test_thin_strokes_survive_the_letterbox():
    """One pixel in eight is white, wherever it is; what is skipped would show."""
    for first in range(8):
        image = np.zeros((1024, 1024, 3), np.uint8)
        image[:, first::8] = 240
        batch, _ = letterbox([image], (100, 100))
        assert batch.mean() == pytest.approx(30, abs=1)


def test_decode_scales_clips_sorts_and_drops():
    rows = np.array(
        [
            [10, 20, 30, 40, 0.5, 1],
            [-50, 0, 1000, 64, 0.9, 0],
            [10, 20, 30, 40, 0.2, 0],  # below min_confidence
            [200, 20, 300, 40, 0.8, 0],  # outside the image
            [30, 20, 10, 40, 0.8, 0],  # inside out
            [np.nan, 20, 30, 40, 0.8, 0],
            [10, 20, 30, 40, np.nan, 0],
            [12, 22, 30, 40, 1.0005, 7],  # half precision may exceed 1
        ],
        np.float32,
    )
    found = decode(rows, Placement(left=4, top=8, width=60, height=50), (100, 120), ("car", "plate"), 0.25)
    assert [(d.xyxy, d.label, d.class_id) for d in found] == [
        ((16, 28, 52, 64), "class 7", 7),
        ((0, 0, 120, 100), "car", 0),
        ((12, 24, 52, 64), "plate", 1),
    ]
    assert found[0].confidence == 1.0


def test_to_tensor_is_rgb_between_0_and_1():
    batch = np.zeros((2, 5, 7, 3), np.uint8)
    batch[1, 2, 3] = (255, 51, 0)
    tensor = to_tensor(batch)
    assert tensor.shape == (2, 3, 5, 7)
    assert tensor[1, :, 2, 3] == pytest.approx([0, 0.2, 1])
    assert cv2.countNonZero(tensor[0].reshape(15, 7)) == 0


@pytest.mark.parametrize("names", ["", "nonsense(", "['a']", "{1: 'a'}", "3"])
def test_labels_that_make_no_sense_are_no_labels(names: str):
    assert parse_labels(names) == ()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_raw_head_gives_one_box_for_each_object(tmp_path: Path, runtime: str):
    detector = open_model(tmp_path, write_raw_rectangle_model(tmp_path / "own.onnx"), runtime, "", kind="yolo-raw")
    wide, tall = (20, 10, 90, 40), (30, 100, 70, 180)
    images = [picture(128, 72, wide), picture(96, 256, tall), picture(128, 72, None), picture(128, 72, wide)]
    found = detector.detect(images)
    assert [len(detections) for detections in found] == [1, 1, 0, 1]
    assert found[0][0].xyxy == pytest.approx(wide, abs=2.1)
    assert found[1][0].xyxy == pytest.approx(tall, abs=4.1)
    assert (found[3][0].label, found[3][0].confidence) == ("plate", 1.0)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_yolox_is_given_blue_first(tmp_path: Path, runtime: str):
    detector = open_model(tmp_path, write_yolox_rectangle_model(tmp_path / "own.onnx"), runtime, kind="yolox")
    blue, red = picture(64, 64, None), picture(64, 64, None)
    blue[8:24, 16:40] = (255, 0, 0)
    red[8:24, 16:40] = (0, 0, 255)
    found = detector.detect([blue, red])
    assert [[one.xyxy for one in seen] for seen in found] == [[(16, 8, 40, 24)], []]


def test_the_three_grids_of_a_yolox_say_the_same_of_one_box():
    """Each of their cells sees it; what is left after thinning is the surest."""
    said = np.zeros((84, 5 + 80), np.float32)
    for cell, stride, column, row, score in ((43, 8, 3, 5, 0.6), (73, 16, 1, 2, 0.9), (81, 32, 1, 0, 0.5)):
        center, size = np.array([30, 20]) / stride - (column, row), np.log(np.array([24, 16]) / stride)
        said[cell, :5] = (*center, *size, 0.8)
        said[cell, 5 + 7] = score
    (row,) = HEADS["yolox"].rows(said, (64, 64), 0.25)
    assert row == pytest.approx([18, 12, 42, 28, 0.72, 7], abs=1e-4)
    assert HEADS["yolox"].rows(said, (64, 64), 0.75).shape == (0, 6)


def test_a_yolox_that_says_nonsense_finds_nothing_wrong():
    said = np.full((84, 6), np.nan, np.float32)
    said[10] = (0, 0, 1e9, 1e9, 1, 1)
    rows = HEADS["yolox"].rows(said, (64, 64), 0.25)
    (found,) = decode(rows, Placement(left=0, top=0, width=64, height=64), (64, 64), ("all",), 0.25)
    assert found.xyxy == (0, 0, 64, 64)


def test_a_wide_yolox_has_wide_grids():
    said = np.zeros((8 * 4 + 4 * 2 + 2 * 1, 6), np.float32)
    said[8 * 3 + 7] = (0.5, 0.5, 0, 0, 1, 1)  # the last cell of the first grid, 8 x 4
    (row,) = HEADS["yolox"].rows(said, (64, 32), 0.25)
    assert row == pytest.approx([56, 24, 64, 32, 1, 0])


def test_a_yolox_without_labels_has_those_of_coco_or_says_that_it_needs_its_own(tmp_path: Path):
    detector = open_model(tmp_path, write_yolox_rectangle_model(tmp_path / "own.onnx"), "onnxruntime", "", "yolox")
    assert detector.model.labels == coco.LABELS
    assert (len(set(coco.LABELS)), coco.LABELS[2], coco.LABELS[7], coco.LABELS[79]) == (
        80,
        "car",
        "truck",
        "toothbrush",
    )
    with pytest.raises(ModelError, match=r"\(1, 84, 6\) instead of \(1, 84, 85\).*`labels` must name all .*\(now 80\)"):
        detector.warm()


def test_what_is_no_detector_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="'ppocr-rec' has the kind `text-recognition` and is no detector"):
        open_detector("ppocr-rec", Settings())


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_second_look_confirms_the_first(tmp_path: Path, runtime: str):
    file = write_raw_rectangle_model(tmp_path / "own.onnx")
    detector = open_model(tmp_path, file, runtime, "second_look = 128", kind="yolo-raw")
    wide, tall = (20, 10, 90, 40), (30, 100, 70, 180)
    found = detector.detect([picture(128, 72, wide), picture(96, 256, tall), picture(128, 72, None)])
    assert [len(detections) for detections in found] == [1, 1, 0]
    assert found[0][0].xyxy == pytest.approx(wide, abs=2.1)
    assert found[1][0].xyxy == pytest.approx(tall, abs=4.1)
    assert found[0][0].confidence == pytest.approx(1.0)


def test_where_two_looks_find_nothing_a_last_one_looks_for_what_fills_the_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_raw_rectangle_model(tmp_path / "own.onnx")
    detector = open_model(tmp_path, file, "openvino", "second_look = 128\nlast_look = 192", kind="yolo-raw")
    look, asked = detector._look, list[tuple[int, int]]()

    def look_from_afar(images: Any, small: Any, longest: int) -> Any:
        asked.append((longest, len(images)))
        found = look(images, small, longest)
        is_seen = [longest == 192 or image.shape[1] == 96 for image in images]
        return [each if seen else [] for seen, each in zip(is_seen, found, strict=True)]

    monkeypatch.setattr(detector, "_look", look_from_afar)
    large, usual, nothing = (20, 10, 90, 40), (30, 100, 70, 180), None
    found = detector.detect([picture(128, 72, large), picture(96, 256, usual), picture(128, 72, nothing)])
    assert [len(detections) for detections in found] == [1, 1, 0]
    assert found[0][0].xyxy == pytest.approx(large, abs=2.1)
    assert asked == [(64, 3), (128, 3), (192, 2)]


@pytest.mark.parametrize("size", [(1280, 720), (1000, 1500), (511, 333)])
def test_both_looks_place_their_boxes_in_a_large_picture(tmp_path: Path, size: tuple[int, int]):
    file = write_raw_rectangle_model(tmp_path / "own.onnx")
    detector = open_model(tmp_path, file, "openvino", "second_look = 128", kind="yolo-raw")
    width, height = size
    rectangle = (width // 4, height // 4, width // 2, height // 2)
    (found,) = detector.detect([picture(width, height, rectangle)])
    assert [one.xyxy for one in found] == [pytest.approx(rectangle, abs=1.1 * max(size) / 64)]
    assert detector.model.input_size == (128, 128)


def test_a_wrong_kind_says_which_is_right(tmp_path: Path):
    detector = open_model(tmp_path, write_raw_rectangle_model(tmp_path / "own.onnx"), "onnxruntime", "")
    with pytest.raises(ModelError, match="or `yolo-raw` without"):
        detector.detect([picture(64, 64, None)])
    (tmp_path / "other").mkdir()
    file = write_rectangle_model(tmp_path / "other" / "own.onnx")
    detector = open_model(tmp_path / "other", file, "onnxruntime", kind="yolo-raw")
    with pytest.raises(ModelError, match=r"instead of \(1, 5, any\)"):
        detector.detect([picture(64, 64, None)])


def test_thinning_keeps_the_most_confident_of_boxes_that_overlap():
    boxes = [
        (50, 50, 40, 20, 0.6, 0.0),
        (52, 50, 40, 20, 0.9, 0.0),
        (50, 50, 40, 20, 0.1, 0.8),
        (150, 50, 40, 20, 0.3, 0),
    ]
    rows = thin_out(np.array([*boxes, (90, 90, 10, 10, 0.2, 0.1)], np.float32).T, 0.25)
    assert rows[np.argsort(-rows[:, 4])] == pytest.approx(
        np.array([[32, 40, 72, 60, 0.9, 0], [30, 40, 70, 60, 0.8, 1], [130, 40, 170, 60, 0.3, 0]])
    )
    assert thin_out(np.zeros((5, 7), np.float32), 0.25).shape == (0, 6)
