"""The benchmark of passages: what is drawn, and how passages are judged by it."""

from __future__ import annotations

from datetime import timedelta

import cv2
import numpy as np
import pytest

from benchmarks.passages.before import of_before
from benchmarks.passages.clips import draw, kind_of, scenarios
from benchmarks.passages.fleets import Fleet
from benchmarks.passages.judge import judge
from benchmarks.passages.lanes import Lane, Mover, Place, Shown
from benchmarks.passages.picture import draw_moment
from benchmarks.passages.readings import START, ReadClip, ReadFrame, TruePlate
from benchmarks.passages.report import figures
from benchmarks.passages.rules import Passage
from benchmarks.passages.tracker import tracked
from sightline.settings import load_settings
from sightline.types import Detection, FrameRef, FrameResult, Reading, Xyxy
from storage.plates.text import fold
from tests.fonts import needs_fonts
from training.plates.drawing.plate import Plate

Seen = tuple[str, str, str, float]  # vehicle, its plate, what was read ("": nothing), how far it is on its way


def clip_of(*frames: list[Seen]) -> ReadClip:
    """A film of two pictures a second with plates 100 px wide."""
    read = [_frame(number, seen) for number, seen in enumerate(frames)]
    return ReadClip(scenario="queue", number=0, kind="clear", fps=2, frames=tuple(read))


def _frame(number: int, seen: list[Seen]) -> ReadFrame:
    time_s = number / 2
    boxes: list[Xyxy] = [(x, 50.0, x + 100, 75.0) for *_, x in seen]
    heard = [(text, index) for index, (_, _, text, _) in enumerate(seen) if text]
    result = FrameResult(
        frame=FrameRef(
            frame_id=f"frame-{number:04}", source_id="clip-0", captured_at=START + timedelta(seconds=time_s)
        ),
        detections=tuple(Detection(xyxy=box, label="plate", class_id=0, confidence=0.9) for box in boxes),
        readings=tuple(Reading(text=text, confidence=0.99, detection_index=index) for text, index in heard),
    )
    plates = tuple(
        TruePlate(vehicle=vehicle, text=plate, xyxy=box, share=1.0)
        for (vehicle, plate, _, _), box in zip(seen, boxes, strict=True)
    )
    return ReadFrame(time_s=time_s, plates=plates, result=result)


def passage(text: str, *numbers: int, index: int = 0) -> Passage:
    return Passage(text, 0.9, frozenset((f"frame-{number:04}", index) for number in numbers))


ONE = ("v0", "AB10CD", "AB10CD", 0.0)
OTHER = ("v1", "AB12CD", "AB12CD", 300.0)


def test_one_passage_with_its_plate_is_right_whatever_looks_alike() -> None:
    one = judge(clip_of([ONE], [ONE], [ONE]), [passage("ABIOCD", 0, 1, 2)])
    assert one.is_perfect
    assert one.said == [(0.9, True)]


def test_a_vehicle_without_a_passage_of_its_own_is_swallowed() -> None:
    one = judge(clip_of([ONE], [ONE], [OTHER], [OTHER], [ONE]), [passage("AB10CD", 0, 1, 2, 3, 4)])
    assert [(each.name, each.is_right, each.is_swallowed) for each in one.vehicles] == [
        ("v0", True, False),
        ("v1", False, True),
    ]


def test_the_same_plate_on_two_vehicles_is_two_passages() -> None:
    twin = ("v1", "AB10CD", "AB10CD", 300.0)
    clip = clip_of([ONE, twin], [ONE, twin])
    both = [passage("AB10CD", 0, 1), passage("AB10CD", 0, 1, index=1)]
    assert judge(clip, both).is_perfect
    merged = [Passage("AB10CD", 0.9, both[0].readings | both[1].readings)]
    assert [each.is_right for each in judge(clip, merged).vehicles].count(True) == 1


def test_split_false_and_invented_passages_are_told_apart() -> None:
    misread = ("v0", "AB10CD", "AB19CD", 0.0)
    one = judge(
        clip_of([ONE], [ONE], [misread], [ONE]),
        [passage("AB10CD", 0, 1), passage("AB19CD", 2), passage("XY1234", 3)],
    )
    (vehicle,) = one.vehicles
    assert (vehicle.is_split, vehicle.is_swallowed, vehicle.is_right) == (True, False, False)
    assert [each.text for each in one.false] == ["AB19CD"]
    assert [each.text for each in one.invented] == ["XY1234"]
    assert [right for _, right in one.said] == [True, False, False]


def test_a_plate_put_together_from_readings_is_not_invented() -> None:
    part = ("v0", "AB10CD", "AB10", 0.0)
    one = judge(clip_of([part], [part]), [passage("AB10CD", 0, 1)])
    assert one.is_perfect
    assert not one.vehicles[0].was_read


def test_who_could_not_be_read_twice_does_not_count() -> None:
    assert judge(clip_of([ONE]), []).vehicles == []
    assert [vehicle.is_right for vehicle in judge(clip_of([ONE], [ONE]), []).vehicles] == [False]


def test_figures_count_by_scenario_and_together() -> None:
    clip = clip_of([ONE], [ONE], [OTHER], [OTHER])
    rows = {row.part: row for row in figures("x", [judge(clip, [passage("AB10CD", 0, 1, 2, 3)])])}
    assert set(rows) == {"queue", "all clear", "clear, 2 fps", "all"}
    assert (rows["queue"].vehicles, rows["queue"].right.value, rows["queue"].swallowed) == (2, 0.5, 1)
    assert rows["all"].perfect.value == 0


def test_the_rules_of_before_swallow_a_car_that_follows_and_the_tracker_does_not() -> None:
    clip = clip_of([ONE], [ONE], [ONE], [OTHER], [OTHER])
    settings = load_settings()
    (before,), (track,) = of_before([clip], settings), tracked([clip], settings)
    assert [each.text for each in before] == ["AB10CD"]
    assert sorted(each.text for each in track) == ["AB10CD", "AB12CD"]


def test_a_lane_goes_from_end_to_end_and_near_cars_go_faster() -> None:
    lane = Lane(Place(600, 100, 200), Place(640, 560, 500))
    assert lane.at(0) == Place(600, 100, 200)
    assert lane.at(1) == pytest.approx(Place(640, 560, 500))
    assert lane.at(0.5).car_px - 200 < 500 - lane.at(0.5).car_px
    assert lane.turned().at(1) == pytest.approx(lane.at(0))


def test_a_plate_behind_a_nearer_car_is_not_seen() -> None:
    rng = np.random.default_rng(0)
    plate = Plate(np.full((24, 96, 4), 255, np.uint8), "AB10CD", ("AB10CD",), "eu/de", 520, 112)

    def stands(name: str, x: float, y: float) -> Mover:
        place = Place(x, y, 300)
        return Mover(Lane(place, place), (0.0, 1.0), (0.0, 0.0), (Shown(name, plate),), (90, 90, 90))

    street = np.zeros((720, 1280, 3), np.uint8)
    movers = [stands("near", 400, 400), stands("behind", 400, 320), stands("beside", 900, 320)]
    image, seen = draw_moment(rng, street, movers, 0.5)
    assert {one.vehicle: round(one.share, 2) for one in seen} == {"near": 1.0, "behind": 0.0, "beside": 1.0}
    assert image.any()
    assert draw_moment(rng, street, movers, 2.0)[1] == [], "they are gone by then"


@needs_fonts
def test_plates_of_a_fleet_share_most_characters_and_are_told_apart_by_any_reader() -> None:
    fleet = Fleet(np.random.default_rng(3), set())
    texts = [fleet.next().text for _ in range(8)]
    assert len({fold(text) for text in texts}) == 8
    assert len({len(text) for text in texts}) == 1
    for text in texts[1:]:
        assert sum(a != b for a, b in zip(texts[0], text, strict=True)) <= 6


@needs_fonts
@pytest.mark.parametrize("scenario", scenarios())
def test_every_scenario_is_drawn_and_its_seed_draws_it_again(scenario: str) -> None:
    number = scenarios().index(scenario)
    clip = draw(7, number)
    assert (clip.scenario, clip.kind) == (scenario, kind_of(scenario))
    assert draw(7, number) == clip
    image = cv2.imdecode(np.frombuffer(clip.shots[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    height, width = image.shape[:2]
    for one in clip.shots[0].plates:
        assert one.share > 0
        x1, y1, x2, y2 = one.xyxy
        assert -width < x1 < width
        assert -height < y1 < height
        assert x2 > max(0, x1)
        assert y2 > max(0, y1)
    vehicles = {one.vehicle for shot in clip.shots for one in shot.plates}
    assert len(vehicles) >= (1 if scenario == "bad, alone" else 3)
