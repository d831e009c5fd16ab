"""One suite over every recognizer: the stub, RapidOCR in both runtimes, and PaddleOCR where it is installed."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.errors import ModelError
from sightline.settings import Settings
from sightline.testing import make_picture
from workers.pixels.images import BgrImage, decode
from workers.recognizers import Recognizer, open_recognizer

TEXTS = ["AB123CD", "K", "B-MW 1972", "7H8J9", "LONG TEXT 0123456789", "XYZ"]
#: A folder made by `python -m workers.recognizers.paddle_folder`, for the environment of PaddleOCR.
PADDLE_FOLDER = os.environ.get("SIGHTLINE_PADDLEOCR_DIR")

Draw = Callable[[str], BgrImage]


def sign(text: str, *, height: int = 64) -> BgrImage:
    """Black letters on white."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.5, 3)
    image = np.full((64, width + 24, 3), 255, np.uint8)
    cv2.putText(image, text, (12, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.5, (0, 0, 0), 3, cv2.LINE_AA)
    return np.asarray(cv2.resize(image, None, fx=height / 64, fy=height / 64), np.uint8)


def plate(text: str) -> BgrImage:
    """What the stub can read."""
    return decode(make_picture(text), max_mpx=1)


def is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def only_with(library: str, *marks: pytest.MarkDecorator) -> list[Any]:
    return [pytest.mark.skipif(not is_installed(library), reason=f"{library} is not installed"), *marks]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("stub", "auto"), id="stub"),
        pytest.param(("rapidocr", "onnxruntime"), id="rapidocr-onnxruntime", marks=only_with("rapidocr")),
        pytest.param(("rapidocr", "openvino"), id="rapidocr-openvino", marks=only_with("rapidocr")),
        pytest.param(
            ("paddleocr", "auto"),
            id="paddleocr",
            marks=[*only_with("paddleocr", pytest.mark.paddle), pytest.mark.filterwarnings("default")],
        ),
    ],
)
def subject(request: pytest.FixtureRequest) -> tuple[Recognizer, Draw]:
    name, runtime = request.param
    folder = Path(PADDLE_FOLDER) if PADDLE_FOLDER else None
    settings = Settings(recognizer=name, runtime=runtime, paddleocr_dir=folder, threads=2, max_batch_size=4)
    return open_recognizer(settings), plate if name == "stub" else sign


def test_one_reading_per_crop_in_order(subject: tuple[Recognizer, Draw]):
    recognizer, draw = subject
    readings = recognizer.recognize([draw(text) for text in TEXTS])
    assert [reading.text.replace(" ", "") for reading in readings] == [text.replace(" ", "") for text in TEXTS]
    assert all(0.5 < reading.confidence <= 1 for reading in readings)
    assert all(reading.detection_index is None for reading in readings)


def test_no_crops_give_no_readings(subject: tuple[Recognizer, Draw]):
    assert subject[0].recognize([]) == []


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 9])
def test_every_batch_size(subject: tuple[Recognizer, Draw], count: int):
    recognizer, draw = subject
    texts = [f"AB{digit}CD" for digit in "23456789K"[:count]]
    assert [reading.text for reading in recognizer.recognize([draw(text) for text in texts])] == texts


def test_a_reading_does_not_depend_on_its_neighbors(subject: tuple[Recognizer, Draw]):
    recognizer, draw = subject
    together = recognizer.recognize([draw(text) for text in TEXTS])
    alone = [recognizer.recognize([draw(text)])[0] for text in TEXTS]
    assert [reading.text for reading in together] == [reading.text for reading in alone]
    assert [r.confidence for r in together] == pytest.approx([r.confidence for r in alone], abs=0.02)


def test_it_may_be_called_by_as_many_threads_as_it_says(subject: tuple[Recognizer, Draw]):
    recognizer, draw = subject
    crops = [draw(text) for text in TEXTS]
    alone = [recognizer.recognize([crop])[0].text for crop in crops]
    with ThreadPoolExecutor(recognizer.model.calls_at_once) as pool:
        found = list(pool.map(lambda crop: recognizer.recognize([crop])[0].text, crops * 5))
    assert found == alone * 5


def test_blank_crops_read_as_nothing(subject: tuple[Recognizer, Draw]):
    blank = np.full((48, 200, 3), 90, np.uint8)
    recognizer, draw = subject
    first, second, third = recognizer.recognize([blank, draw("AB123CD"), blank])
    assert (first.text, first.confidence, first.char_confidences) == ("", 0.0, ())
    assert second.text == "AB123CD"
    assert third == first


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (900, 2), (3, 7)])
def test_odd_shapes_are_survived(subject: tuple[Recognizer, Draw], shape: tuple[int, int]):
    odd = np.full((*shape, 3), 128, np.uint8)
    recognizer, draw = subject
    readings = recognizer.recognize([odd, draw("AB123CD")])
    assert len(readings) == 2
    assert readings[1].text == "AB123CD"


def test_confidences_of_characters_belong_to_the_text(subject: tuple[Recognizer, Draw]):
    recognizer, draw = subject
    for reading in recognizer.recognize([draw(text) for text in TEXTS]):
        if recognizer.model.runtime == "paddleocr":
            assert reading.char_confidences == ()
        else:
            assert len(reading.char_confidences) == len(reading.text)
            assert sum(reading.char_confidences) / len(reading.text) == pytest.approx(reading.confidence)


def test_the_recognizer_names_itself(subject: tuple[Recognizer, Draw]):
    model = subject[0].model
    assert model.name
    assert model.runtime in ("stub", "onnxruntime", "openvino", "paddleocr")
    assert len(model.sha256) == (0 if model.name == "stub" else 64)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((48, 100), 320), ((48, 320), 320), ((48, 321), 400), ((24, 200), 400), ((48, 9000), 3200), ((900, 1), 320)],
)
def test_widths_come_in_steps(shape: tuple[int, int], expected: int):
    from workers.recognizers.rapid import _padded_width

    assert _padded_width(np.zeros((*shape, 3), np.uint8)) == expected


@pytest.mark.skipif(is_installed("paddleocr"), reason="PaddleOCR is installed")
def test_missing_paddleocr_says_what_to_install(tmp_path: Path):
    (tmp_path / "inference.onnx").touch()
    (tmp_path / "inference.yml").write_text("Global: {model_name: PP-OCRv6_small_rec}")
    with pytest.raises(ModelError, match=r"pip install -e '\.\[paddle\]'"):
        open_recognizer(Settings(recognizer="paddleocr", paddleocr_dir=tmp_path))


def test_a_missing_paddleocr_folder_says_how_to_make_it(tmp_path: Path):
    with pytest.raises(ModelError, match=r"SIGHTLINE_PADDLEOCR_DIR must name a folder.*paddle_folder"):
        open_recognizer(Settings(recognizer="paddleocr"))
    with pytest.raises(ModelError, match=r"inference\.onnx is missing.*paddle_folder"):
        open_recognizer(Settings(recognizer="paddleocr", paddleocr_dir=tmp_path))


@pytest.mark.skipif(not is_installed("rapidocr"), reason="rapidocr is not installed")
def test_the_paddleocr_folder_holds_weights_and_characters(tmp_path: Path):
    import yaml

    from workers.recognizers.paddle_folder import make_paddle_folder

    folder = make_paddle_folder(tmp_path / "paddle", Settings())
    config = yaml.safe_load((folder / "inference.yml").read_text("utf-8"))
    characters = config["PostProcess"]["character_dict"]
    assert {"A", "Z", "0", "9", "Ä"} <= set(characters)
    assert len(characters) == 18_708  # with blank and space 18,710: the last dimension of the model's output
    assert (folder / "inference.onnx").stat().st_size > 10_000_000


class _Lent(np.ndarray):
    """Scores that are looked at a moment after they were lent."""

    def argmax(self, *arguments: Any, **named: Any) -> Any:
        time.sleep(0.05)
        return np.asarray(self).argmax(*arguments, **named)


@pytest.mark.skipif(not is_installed("rapidocr"), reason="rapidocr is not installed")
def test_two_threads_that_share_it_read_what_each_alone_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """For text and for doubtful plates it is one, and OpenVINO lends its output until the next call."""
    recognizer: Any = open_recognizer(Settings(recognizer="rapidocr", runtime="openvino", threads=1))
    rapid = recognizer._free.get_nowait()  # the only one
    session, lent = rapid.session, list[Any]()

    def lend(tensor: Any) -> Any:
        scores = session(tensor)
        lent[:] = lent or [np.empty_like(scores)]
        lent[0][:] = scores
        return lent[0].view(_Lent)

    monkeypatch.setattr(rapid, "session", lend)
    recognizer._free.put(rapid)
    crops = [sign("AB123CD"), sign("XYZ")]
    alone = [recognizer.recognize([crop])[0].text for crop in crops]
    assert alone == ["AB123CD", "XYZ"]
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda crop: recognizer.recognize([crop])[0].text, crops)) == alone


@pytest.mark.skipif(not is_installed("rapidocr"), reason="rapidocr is not installed")
def test_it_reads_four_lines_in_a_call_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each number of lines is a shape, and a shape costs time and memory when it is new."""
    recognizer: Any = open_recognizer(Settings(recognizer="rapidocr", runtime="openvino", threads=1))
    rapid = recognizer._free.get_nowait()
    session, sizes = rapid.session, list[int]()

    def count(tensor: Any) -> Any:
        sizes.append(len(tensor))
        return session(tensor)

    monkeypatch.setattr(rapid, "session", count)
    recognizer._free.put(rapid)
    assert [reading.text for reading in recognizer.recognize([sign("AB123CD")] * 9)] == ["AB123CD"] * 9
    assert sizes == [4, 4, 1]
