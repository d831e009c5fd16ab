"""Our own plate recognizer: its output as text, the vote with PP-OCR, and that the weights read plates."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sightline.errors import SettingsError
from sightline.settings import Settings
from sightline.types import Reading
from sightline.wire.models import LoadedModel
from training.plates.drawing.strokes import draw_letter
from workers.pixels.images import BgrImage
from workers.recognizers import open_plates_recognizer
from workers.recognizers.ctc import CHARACTERS, Probabilities, decode
from workers.recognizers.formats import Formats
from workers.recognizers.lines import LineReader, probabilities_of
from workers.recognizers.plates import HEIGHT_PX, WIDTH_PX, prepare, reading_of
from workers.recognizers.voted import VotedRecognizer, decide, open_voted_recognizer

pytestmark = pytest.mark.unit


def steps(*wanted: tuple[str, float] | None) -> npt.NDArray[np.float32]:
    """One step a piece: a character with its probability, or a blank; the rest goes to the blank or to 0."""
    found = np.zeros((len(wanted), len(CHARACTERS) + 1), np.float32)
    for row, one in zip(found, wanted, strict=True):
        row[0] = 1.0 if one is None else 0.0
        if one is not None:
            row[CHARACTERS.index(one[0]) + 1] = one[1]
            row[CHARACTERS.index("0") + 1] += 1 - one[1]
    return found


def said(text: str, *confidences: float) -> Probabilities:
    """(steps, classes) of a text, as surely as given, or with 0.9; the rest goes to the blank."""
    each = confidences or (0.9,) * len(text)
    return probabilities_of(Reading(text=text, confidence=0.9, char_confidences=each))


def or_else(steps: Probabilities, place: int, char: str) -> Probabilities:
    """The same, but where it is not sure of this character it thinks of that one."""
    steps = steps.copy()
    at = 2 * place + 1
    steps[at, CHARACTERS.index(char) + 1], steps[at, 0] = steps[at, 0], 0
    return steps


def views(*each: Probabilities) -> Probabilities:
    return np.stack(each)


def drawn(*lines: str) -> BgrImage:
    """A plain plate in the letters of one die."""
    image = np.full((30 + 80 * len(lines), 40 + 56 * max(map(len, lines)), 3), 235, np.uint8)
    for number, line in enumerate(lines):
        x = 24
        for char in line:
            mask = draw_letter(5, char)
            y = 22 + 80 * number
            image[y : y + mask.shape[0], x : x + mask.shape[1]][mask > 127] = 25
            x += mask.shape[1] + 14
    return image


def test_runs_are_one_character_and_blanks_part_equal_ones():
    decoded = decode(steps(None, ("A", 0.6), ("A", 0.9), None, ("A", 0.8), ("7", 0.7), None))
    assert decoded.text == "AA7"
    assert decoded.confidences == pytest.approx((0.9, 0.8, 0.7))
    assert decoded.alternatives[2][:2] == (("7", pytest.approx(0.7)), ("0", pytest.approx(0.3)))


def test_only_blanks_read_as_nothing():
    assert reading_of(decode(steps(None, None)), Formats()) == Reading(text="", confidence=0.0)


def test_a_character_that_a_format_decides_has_the_confidence_of_both():
    decoded = decode(steps(("R", 0.9), ("K", 0.9), ("O", 0.6), ("1", 0.9), ("2", 0.9), ("A", 0.9), ("B", 0.9)))
    reading = reading_of(decoded, Formats(["sk"]))
    assert reading.text == "RK012AB"
    assert reading.char_confidences[2] == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(64, 160, 3), (20, 90, 3), (300, 200, 3), (1, 1, 3), (40, 120)])
def test_every_crop_gets_the_size_of_the_network(shape: tuple[int, ...]):
    assert prepare(np.zeros(shape, np.uint8)).shape == (HEIGHT_PX, WIDTH_PX)


@pytest.mark.parametrize(
    ("own", "other", "read"),
    [
        (or_else(said("AB12CD", 0.9, 0.5, 0.9, 0.9, 0.9, 0.9), 1, "8"), [said("A812CD")], "A812CD"),
        (said("AB12CD", 0.9, 0.95, 0.9, 0.9, 0.9, 0.9), [said("A812CD", *(0.5,) * 6)], "AB12CD"),
        (said("AB12C", 0.9, 0.9, 0.9, 0.9, 0.4), [said("AB12CD")], "AB12CD"),  # the last one is not in the crop
        (said("AB12CD", *(0.6,) * 6), [said("VOLKSWAGEN"), said("AB12CD", *(0.7,) * 6)], "AB12CD"),
        (said("AB12CD"), [], "AB12CD"),
        (said("", 1), [said("FIAT")], ""),  # a badge
        (said("", 1), [], ""),
        (said("", 1), [said("VOLKSWAGENBUS")], ""),
    ],
)
def test_the_likeliest_text_by_both_is_read(own: Probabilities, other: list[Probabilities], read: str) -> None:
    assert decide(views(own, own, own), other, Formats()).text == read


def test_what_both_say_is_surer_than_what_they_differ_in() -> None:
    own = said("AB12CD", 0.9, 0.9, 0.9, 0.6, 0.9, 0.9)
    agreed = decide(views(own), [said("AB12CD")], Formats())
    differ = decide(views(own), [said("AB17CD")], Formats())
    assert agreed.least > differ.least
    assert {char for char, _ in differ.alternatives[3]} == {"2", "7"}
    assert sum(p for _, p in differ.alternatives[3]) <= 1 + 1e-6


class _Own:
    """Is in doubt about dark crops and sure of all others."""

    def __init__(self) -> None:
        self.model = LoadedModel(name="own", sha256="", runtime="stub")

    def look(self, crops: list[BgrImage]) -> list[Probabilities]:
        dark, bright = said("XY98K", 0.9, 0.9, 0.9, 0.9, 0.6), said("AB1234", *(1.0,) * 6)
        return [views(dark if crop.mean() < 100 else bright) for crop in crops]


class _Other(_Own):
    seen = 0

    def recognize(self, crops: list[BgrImage]) -> list[Reading]:
        self.seen += len(crops)
        return [Reading(text="XY98K7", confidence=0.95) for _ in crops]


def test_the_second_recognizer_sees_only_what_the_first_is_in_doubt_about():
    other = _Other()
    dark, bright = np.zeros((9, 9, 3), np.uint8), np.full((9, 9, 3), 255, np.uint8)
    recognizer = VotedRecognizer(_Own(), LineReader(None, other), Formats())  # pyright: ignore[reportArgumentType]
    assert [reading.text for reading in recognizer.recognize([bright, dark, bright])] == ["AB1234", "XY98K7", "AB1234"]
    assert other.seen == 1


def test_in_doubt_what_reads_all_text_is_asked() -> None:
    """PaddleOCR too, which lives where RapidOCR is not installed. A stub reads nothing that is real."""

    class Other:
        model = LoadedModel(name="other", sha256="", runtime="paddleocr")

        def recognize(self, crops: object) -> list[Reading]:
            raise AssertionError("not asked here")

    voted = open_voted_recognizer(Settings(recognizer="paddleocr"), Other())
    assert voted.model.name == "plates-recognizer+other"
    assert open_voted_recognizer(Settings(recognizer="stub"), Other()).model.name == "plates-recognizer+ppocr-rec"


@pytest.mark.parametrize("name", ["plates", "voted"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_our_weights_read_plates_of_one_and_two_lines(name: str, runtime: str):
    pytest.importorskip(runtime)
    pytest.importorskip("rapidocr")
    recognizer = open_plates_recognizer(
        Settings(plates_recognizer=name, runtime=runtime, threads=2, max_batch_size=2)  # pyright: ignore[reportArgumentType]
    )
    assert recognizer is not None
    crops = [drawn("KX47HDE"), drawn("BP93", "TWL"), np.full((40, 120, 3), 90, np.uint8)]
    if name == "voted":  # which wants to see more around a box
        crops = [cv2.copyMakeBorder(crop, *(len(crop) // 4,) * 4, borderType=cv2.BORDER_REPLICATE) for crop in crops]
    readings = recognizer.recognize(crops)
    assert [reading.text for reading in readings] == ["KX47HDE", "BP93TWL", ""]
    assert all(len(reading.char_confidences) == len(reading.text) for reading in readings)
    assert recognizer.recognize([]) == []
    with ThreadPoolExecutor(recognizer.model.calls_at_once) as pool:
        side_by_side = [pool.submit(recognizer.recognize, crops) for _ in range(10)]
        assert all(call.result(30) == readings for call in side_by_side)


def test_a_country_without_formats_is_refused_before_anything_is_loaded():
    with pytest.raises(SettingsError, match="no formats of 'xx'"):
        open_plates_recognizer(Settings(plates_recognizer="plates", plate_countries="sk, xx"))
