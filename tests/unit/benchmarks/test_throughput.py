"""The arithmetic of the throughput benchmark against examples computed by hand, and its pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.throughput.pace import Pace
from benchmarks.throughput.pictures import SIZES, draw_pictures, numbered
from benchmarks.throughput.report import cells_of
from benchmarks.throughput.samples import Sample, quantile, rows_of
from sightline.settings import load_settings
from tests.fonts import needs_fonts
from workers.detectors import open_detector
from workers.pixels.images import decode


def sample(name: str, value: float, **changes: object) -> Sample:
    return Sample(**({"name": name, "value": value, "unit": "frames/s", "baseline": "limit"} | changes))  # pyright: ignore


def test_a_ratio_is_to_the_baseline_of_its_own_round() -> None:
    """The machine was twice as fast in the second round; medians of the values alone would hide the ratio."""
    rounds = [
        [sample("limit", 10), sample("queued", 9)],
        [sample("limit", 20), sample("queued", 16)],
        [sample("limit", 40), sample("queued", 20)],
    ]
    limit, queued = rows_of(rounds)
    assert (limit.value, limit.ratio, limit.lowest, limit.highest) == (20, 1.0, 1.0, 1.0)
    assert (queued.value, queued.ratio, queued.lowest, queued.highest) == (16, 0.8, 0.5, 0.9)


def test_cpu_time_and_plates_are_medians_too() -> None:
    costs = [{"detect": 10.0, "write": 1.0}, {"detect": 30.0}, {"detect": 20.0, "write": 3.0}]
    rounds = [
        [sample("queued", 5, cpu_ms=cost, readings=plates)] for cost, plates in zip(costs, (1, 0.5, 1), strict=True)
    ]
    (row,) = rows_of(rounds)
    assert row.cpu_ms == {"detect": 20.0, "write": 1.0}
    assert row.readings == 1


def test_without_its_baseline_a_figure_has_no_ratio() -> None:
    (row,) = rows_of([[sample("queued", 5)]])
    assert (row.ratio, row.lowest, row.highest, row.readings) == (None, None, None, None)
    assert cells_of(row) == ["queued", "5.00", "frames/s", "", "", "limit", "", "", ""]


def test_a_line_of_the_table() -> None:
    rounds = [[sample("limit", 50.0), sample("queued", 40.0, cpu_ms={"detect": 30.26, "write": 1.234}, readings=1.0)]]
    limit, queued = rows_of(rounds)
    assert cells_of(limit)[:6] == ["limit", "50.0", "frames/s", "1.00", "1.00 to 1.00", "itself"]
    assert cells_of(queued) == [
        *("queued", "40.0", "frames/s", "0.80", "0.80 to 0.80", "limit"),
        *("31.5", "detect 30.3, write 1.23", "1.00"),
    ]


def test_quantiles() -> None:
    assert quantile([4, 1, 3, 2], 0.5) == 2
    assert quantile(range(1, 101), 0.99) == 99
    assert quantile([7], 0.99) == 7
    with pytest.raises(ValueError, match="none given"):
        quantile([], 0.5)


def test_pictures_are_the_same_every_time_and_of_both_sizes() -> None:
    pictures = draw_pictures(2)
    assert pictures == draw_pictures(2)
    images = [cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR) for picture in pictures]
    assert [image.shape[1::-1] for image in images] == list(SIZES)


@needs_fonts
def test_pictures_may_show_nothing_to_read_or_more_than_one_plate() -> None:
    images = [decode(draw_pictures(1, plates)[0], max_mpx=1) for plates in (0, 1, 4)]
    empty, one, crowd = open_detector("plates-detector", load_settings()).detect(images)
    assert (len(empty), len(one), 1 < len(crowd) <= 4) == (0, 1, True)


def test_a_numbered_picture_is_another_file_of_the_same_pixels() -> None:
    (picture,) = draw_pictures(1)
    first, second = (numbered(picture, number) for number in (1, 2))
    assert len({picture, first, second}) == 3
    same = [cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR) for file in (picture, second)]
    assert np.array_equal(*same)


def test_what_the_baseline_was_at_the_same_moment_counts() -> None:
    rounds = [[sample("limit", 10), sample("queued", 4, base=5)], [sample("limit", 10), sample("queued", 4, base=8)]]
    _, queued = rows_of(rounds)
    assert (queued.ratio, queued.lowest, queued.highest) == (pytest.approx(0.65), 0.5, 0.8)


def test_the_pace_is_the_mean_of_before_and_after() -> None:
    speeds = iter([40.0, 60.0])
    pace = Pace(lambda: next(speeds))
    assert pace.base() == 50
    assert Pace(None).base() is None
