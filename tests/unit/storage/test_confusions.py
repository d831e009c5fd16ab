"""What the reader confuses: counting it, and what storage makes of the counts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from storage.plates import confusions
from storage.plates.confusions import (
    CHARACTERS,
    confusion_cost,
    monotone,
    p_char_right,
    p_gained,
    p_lost,
    p_misread,
    p_read_as,
    p_text_right,
)
from training.plates.measuring.confusion_counts import Counts
from training.plates.measuring.measure_confusions import to_json

pytestmark = pytest.mark.unit
_ROOT = Path(__file__).parents[3]
_WIDE = (0.15, 0.15)


def counted(true: str, read: str, confidences: list[float] | None = None) -> Counts:
    counts = Counts()
    counts.add(true, read, confidences or [0.9] * len(read), _WIDE)
    return counts


def test_the_counts_are_those_of_the_weights_that_come_with_sightline():
    made = json.loads((_ROOT / "storage" / "plates" / "reader_confusions.json").read_text("ascii"))["made"]
    weights = (_ROOT / "weights" / "plates-recognizer.onnx").read_bytes()
    assert made["recognizer"]["sha256"] == hashlib.sha256(weights).hexdigest(), (
        "new weights: python -m training.plates.measuring.measure_confusions"
    )
    assert made["plates"]["read"] > 15_000


def test_what_a_misread_character_becomes_adds_up():
    for true in CHARACTERS:
        assert sum(p_read_as(true, read) for read in CHARACTERS if read != true) == pytest.approx(1)
        assert 0 < p_misread(true) < 0.7


@pytest.mark.parametrize(("true", "read"), [("O", "0"), ("0", "O"), ("I", "1"), ("1", "I"), ("B", "8")])
def test_look_alikes_are_what_a_misread_character_becomes_most_often(true: str, read: str):
    assert max((p_read_as(true, other), other) for other in CHARACTERS if other != true)[1] == read


def test_the_surer_the_reader_the_likelier_it_is_right():
    for curve in (p_char_right, p_text_right):
        steps = [curve(step / 100) for step in range(101)]
        assert steps == sorted(steps)
        assert 0.02 <= steps[0] < 0.5 < 0.85 < steps[-1] <= 0.998
        assert curve(-1) == steps[0]
        assert curve(7) == steps[-1]


def test_readers_lose_more_than_they_gain_and_most_at_the_end():
    assert p_lost("last") > p_lost("first") > p_lost() > p_gained() > p_gained("last")


def test_what_is_confused_often_costs_little_and_what_never_is_costs_all():
    assert confusion_cost("0", "0") == 0
    assert 0 < confusion_cost("O", "0") < confusion_cost("B", "8") < confusion_cost("8", "9") < 1
    assert confusion_cost("7", "W") == confusion_cost("W", "?") == 1


def test_nothing_is_read_before_somebody_asks():
    confusions._measured.cache_clear()
    assert confusions._measured.cache_info().currsize == 0
    p_lost()
    assert confusions._measured.cache_info().currsize == 1


@pytest.mark.parametrize(
    ("values", "rising"),
    [
        ([1, 2, 3], [1, 2, 3]),
        ([3, 2, 1], [2, 2, 2]),
        ([1, 3, 2, 4], [1, 2.5, 2.5, 4]),
        ([2, 3, 1], [2, 2, 2]),
        ([], []),
    ],
)
def test_neighbors_in_the_wrong_order_become_their_mean(values: list[float], rising: list[float]):
    assert monotone([(1, value) for value in values]) == rising


def test_the_larger_bin_counts_more():
    assert monotone([(3, 2.0), (1, 0.0)]) == [1.5, 1.5]


def test_a_misread_character_is_counted_with_its_look_alike():
    table = counted("AB0123", "ABO123", [0.9, 0.9, 0.55, 0.9, 0.9, 0.9]).table()
    assert table["misread"]["0"] == {"of": 1, "as": {"O": 1}}
    assert [(row["from"], row["of"], row["right"], row["looks_alike"]) for row in table["char_confidence"]] == [
        (0.5, 1, 0, 1),
        (0.9, 5, 5, 0),
    ]
    assert table["lost"]["first"] == {"of": 1, "lost": 0}
    assert table["text_by_least"] == [{"from": 0.5, "mean": 0.55, "of": 1, "right": 0}]


@pytest.mark.parametrize(
    ("read", "part", "place"),
    [
        ("B0123", "lost", "first"),
        ("AB013", "lost", "inside"),
        ("AB012", "lost", "last"),
        ("XAB0123", "gained", "first"),
        ("AB0X123", "gained", "inside"),
        ("AB0123X", "gained", "last"),
    ],
)
def test_lost_and_gained_characters_are_counted_by_place(read: str, part: str, place: str):
    table = counted("AB0123", read).table()
    assert {name: its[part] for name, its in table[part].items()} == {
        name: int(name == place) for name in ("first", "inside", "last")
    }
    assert not any(its["as"] for its in table["misread"].values())
    ends = [(row["of"], row["right"]) for row in table["ends_kept_by_room"]]
    assert ends == [(2, 2 - (part == "lost" and place != "inside"))]


def test_a_garbled_reading_says_how_sure_readers_are_but_not_what_they_confuse():
    counts = counted("AB0123", "7Q8Z5K")
    table = counts.table()
    assert counts.readings["garbled"] == 1
    assert table["misread"] == {}
    assert table["char_confidence"][0] | {"mean": 0} == {"from": 0.9, "mean": 0, "of": 6, "right": 0}


def test_the_file_has_a_line_for_each_entry():
    table = {"made": {"by": "x"}, "rows": [{"a": 1}, {"a": 2}]}
    text = to_json(table)
    assert json.loads(text) == table
    assert text.splitlines()[4:7] == ['"rows": [', '  {"a": 1},', '  {"a": 2}']
