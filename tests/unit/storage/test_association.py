"""Which readings are of one vehicle, told by their texts and places."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from sightline.types import Xyxy
from storage.passages.association import Association, Vehicle, in_order, plates_of
from storage.plates.sightings import Sighting
from tests.unit.sightings import GAP, HERE, NOON, PARKING, RULES, THERE, moved, photo, sighting, vehicles_of

#: Left end of the plate outside of the picture.
EDGE: Xyxy = (0.0, 400.0, 60.0, 425.0)


def drive(*texts: str, box: Xyxy = HERE, at_s: float = 0, sure: float = 0.99, x: float = 60) -> list[Sighting]:
    """A vehicle that is read five times a second, `x` pixels farther each time."""
    return [
        sighting(text, moved(box, number * x), at_s=at_s + number * 0.2, sure=sure) for number, text in enumerate(texts)
    ]


# A sequence: by texts alone.


def test_equal_sure_texts_are_one_vehicle() -> None:
    assert vehicles_of([sighting("AB12CD"), sighting("AB12CD", at_s=5)]) == [["AB12CD", "AB12CD"]]


def test_the_gap_is_inclusive() -> None:
    at_s = GAP.total_seconds()
    assert len(vehicles_of([sighting("AB12CD"), sighting("AB12CD", at_s=at_s)])) == 1
    assert len(vehicles_of([sighting("AB12CD"), sighting("AB12CD", at_s=at_s + 0.01)])) == 2


def test_the_gap_is_from_the_last_reading_on() -> None:
    assert len(vehicles_of([sighting("AB12CD", at_s=at_s) for at_s in (0, 8, 16, 24)])) == 1


def test_sure_different_characters_are_two_vehicles() -> None:
    assert vehicles_of([sighting("AB12CD"), sighting("AB12CE", at_s=3)]) == [["AB12CD"], ["AB12CE"]]


@pytest.mark.parametrize(("one", "other"), [("BA832XY", "BA833XY"), ("8ZUB504", "BZUB504"), ("45XAHPM", "4SXAHPM")])
@pytest.mark.parametrize("pause_s", [1.5, 4, 8])
def test_sure_characters_that_readers_confuse_are_two_vehicles_of_a_fleet(one: str, other: str, pause_s: float) -> None:
    """They follow each other on the same way, and are read once or several times."""
    assert len(vehicles_of([sighting(one, HERE), sighting(other, HERE, at_s=pause_s)])) == 2
    assert len(vehicles_of([*drive(*[one] * 4, x=120), *drive(*[other] * 4, x=120, at_s=pause_s)])) == 2


def coming_closer(text: str, sure: list[float], at_s: float) -> list[Sighting]:
    """A car of a queue: read fifteen times while it comes, from the same place as the one before it."""
    return [
        sighting(
            text,
            moved((498.0, 370.0, 586.0, 390.0), step * 3, step * 9.5, 1 + step * 0.115),
            at_s=at_s + step * 0.2,
            sure=sure,
        )
        for step in range(15)
    ]


@pytest.mark.parametrize("doubt", [0.75, 0.82, 0.9, 0.96])
@pytest.mark.parametrize("others", ["8", "1", "3", "6", "2"])
def test_a_zero_that_may_be_an_o_is_no_doubt_about_other_digits(others: str, doubt: float) -> None:
    """Readers divide what they know of a 0 between 0 and O: they are sure all the same that it is no 8."""
    first = coming_closer(f"HK520{others}L", [1, 1, 1, 1, 0.97, 1, 1], 0)
    second = coming_closer("HK5200L", [1, 1, 1, 1, 0.95, doubt, 1], 4)
    assert [set(texts) for texts in vehicles_of([*first, *second], PARKING)] == [{f"HK520{others}L"}, {"HK5200L"}]


def test_who_stops_where_another_one_stood_is_not_that_one() -> None:
    stood = [sighting("HN4318A", HERE, at_s=at_s, sure=1.0) for at_s in (0, 1, 2)]
    zero = [1, 1, 1, 1, 1, 0.82, 1]
    stops = [sighting("HN4310A", HERE, at_s=at_s, sure=zero) for at_s in (22, 23)]
    weak = [sighting("HN4378A", HERE, at_s=44, sure=[1, 1, 1, 1, 0.8, 1, 1])]
    assert [set(texts) for texts in vehicles_of([*stood, *stops, *weak], PARKING)] == [
        {"HN4318A"},
        {"HN4310A"},
        {"HN4378A"},
    ]


def test_who_was_side_by_side_once_stays_two_however_late() -> None:
    both = [sighting("KA111BC", box, at_s=0, frame="both", index=at) for at, box in enumerate((HERE, THERE))]
    later = [sighting("KA111BC", HERE, at_s=at_s) for at_s in (8, 16, 24)]
    others = [sighting("KA111BC", THERE, at_s=at_s) for at_s in (9, 17, 25)]
    assert sorted(map(len, vehicles_of([*both, *later, *others]))) == [4, 4]


def test_two_plates_of_which_each_has_what_the_other_lacks_are_two_vehicles() -> None:
    assert len(vehicles_of([sighting("BA322XY", HERE), sighting("BA832XY", HERE, at_s=3)])) == 2


@pytest.mark.parametrize("torn", ["B12CD", "AB1CD", "AB12C"])
def test_who_lost_a_character_is_the_same_vehicle(torn: str) -> None:
    assert len(vehicles_of([sighting("AB12CD"), sighting(torn, at_s=3)])) == 1


# A sequence: by places too.


@pytest.mark.parametrize("misread", ["AB12CE", "A812CD", "AB12C", "XY99Z"])
def test_a_misread_on_the_way_stays_with_its_vehicle(misread: str) -> None:
    track = drive("AB12CD", "AB12CD", "AB12CD", "AB12CD")
    track[2] = sighting(misread, track[2].xyxy, at_s=0.4, sure=0.9)
    assert len(vehicles_of(track)) == 1


def test_a_garbled_reading_in_a_track_is_of_the_track() -> None:
    garbled = sighting("QX7Q1", moved(HERE, 180), at_s=0.6, sure=0.4)
    assert len(vehicles_of([*drive("AB12CD", "AB12CD", "AB12CD"), garbled])) == 1
    elsewhere = sighting("QX7Q1", moved(THERE, 180), at_s=0.6, sure=0.4)
    assert len(vehicles_of([*drive("AB12CD", "AB12CD", "AB12CD"), elsewhere])) == 2


def test_near_then_suddenly_far_is_another_vehicle() -> None:
    track = drive("AB12CD", "AB12CD", "AB12CD", "AB12CD")
    on_track, far = moved(HERE, 240), THERE
    assert len(vehicles_of([*track, sighting("AB12CE", on_track, at_s=0.8)])) == 1
    assert vehicles_of([*track, sighting("AB12CE", far, at_s=0.8)]) == [["AB12CD"] * 4, ["AB12CE"]]


def test_two_vehicles_side_by_side_keep_their_own_readings() -> None:
    """In the third picture one is not read, in the fifth it is read as the other one."""
    left, right = drive(*["AB12CD"] * 6, x=20), drive(*["AB12CE"] * 6, box=THERE, x=20)
    right[4] = sighting("AB12CD", moved(THERE, 80), at_s=0.8)
    found = vehicles_of([*left, *right[:2], *right[3:]])
    assert sorted(found) == [["AB12CD"] * 6, ["AB12CE", "AB12CE", "AB12CE", "AB12CD", "AB12CE"]]


def test_the_same_plate_twice_at_once_is_two_vehicles() -> None:
    left, right = drive(*["AB12CD"] * 4), drive(*["AB12CD"] * 4, box=THERE)
    assert vehicles_of([*left, *right]) == [["AB12CD"] * 4, ["AB12CD"] * 4]


def test_a_truck_hides_a_car_for_some_seconds() -> None:
    """It comes out where it would be by now, and is not read well at first."""
    hidden_s, speed = 2.4, 300
    out = moved(HERE, 180 + hidden_s * speed)
    again = drive("AB12C", "A812CD", "AB12CD", box=out, at_s=0.6 + hidden_s, sure=0.8)
    assert len(vehicles_of([*drive(*["AB12CD"] * 4), *again])) == 1


def test_another_car_comes_out_behind_the_truck() -> None:
    out = drive("XY99ZZ", "XY99ZZ", box=moved(HERE, 900), at_s=3)
    assert len(vehicles_of([*drive(*["AB12CD"] * 4), *out])) == 2


# The edge of the picture.


def test_a_plate_cut_off_by_the_edge_founds_no_vehicle() -> None:
    assert vehicles_of([sighting("12CD", EDGE, sure=0.8)]) == []


def test_a_plate_cut_off_by_the_edge_joins_a_vehicle() -> None:
    leaving = drive(*["AB12CD"] * 4, box=moved(HERE, 140), x=-60)
    assert vehicles_of([*leaving, sighting("12CD", EDGE, at_s=0.8, sure=0.8)]) == [["AB12CD"] * 4 + ["12CD"]]


def test_a_plate_at_the_edge_that_seems_to_be_whole_founds_a_vehicle() -> None:
    assert vehicles_of([sighting("AB12CD", EDGE)]) == [["AB12CD"]]


# Two boxes of one frame.


def test_two_boxes_of_one_frame_are_two_plates() -> None:
    plates = plates_of([sighting("AB12CD", HERE), sighting("AB12CD", THERE, index=1)])
    assert [[one.reading_index for one in plate] for plate in plates] == [[0], [1]]


def test_boxes_that_overlap_are_one_plate_found_twice_and_the_surest_first() -> None:
    twice = [sighting("AB12C", HERE, sure=0.8), sighting("AB12CD", moved(HERE, 3), index=1)]
    assert [[one.reading_index for one in plate] for plate in plates_of(twice)] == [[1, 0]]
    assert vehicles_of(twice) == [["AB12CD", "AB12C"]]


def test_boxes_that_overlap_with_wholly_different_sure_texts_are_two_plates() -> None:
    assert len(plates_of([sighting("AB12CD", HERE), sighting("XY99ZZ", moved(HERE, 3), index=1)])) == 2


def test_two_plates_of_one_frame_never_go_to_one_vehicle() -> None:
    both = [sighting("AB12CD", HERE, at_s=0.2, frame="f"), sighting("AB12CD", moved(HERE, 150), at_s=0.2, frame="f")]
    both[1] = both[1]._replace(reading_index=1)
    assert vehicles_of([sighting("AB12CD", HERE), *both]) == [["AB12CD", "AB12CD"], ["AB12CD"]]


# What stood still.


def stop(*, at_s: float = 0) -> list[Sighting]:
    return [sighting("AB12CD", moved(HERE, number), at_s=at_s + number) for number in range(3)]


@pytest.mark.parametrize("misread", ["AB12CD", "A812CD", "AB12C"])
def test_parked_and_read_again(misread: str) -> None:
    again = sighting(misread, moved(HERE, 2, 2), at_s=40, sure=0.8)
    assert len(vehicles_of([*stop(), again], PARKING)) == 1
    assert len(vehicles_of([*stop(), again], RULES)) == 2, "without a time for what is parked"


@pytest.mark.parametrize(
    ("text", "box", "at_s"),
    [
        ("AB12CD", THERE, 40),  # not where it stood
        ("AB12CD", HERE, 63),  # too late
        ("XY99ZZ", HERE, 40),
        ("AB12CE", HERE, 40),
    ],
)
def test_parked_and_another_one(text: str, box: Xyxy, at_s: float) -> None:
    assert len(vehicles_of([*stop(), sighting(text, box, at_s=at_s)], PARKING)) == 2


def test_parked_gone_and_back_at_the_same_place() -> None:
    away = drive("AB12CD", "AB12CD", box=moved(HERE, 300), at_s=3)
    assert len(vehicles_of([*stop(), *away, *stop(at_s=40)], PARKING)) == 1
    assert len(vehicles_of([*stop(), *away, *stop(at_s=80)], PARKING)) == 2


def test_who_only_passed_and_comes_again_is_another_one() -> None:
    assert len(vehicles_of([*drive(*["AB12CD"] * 5), *drive(*["AB12CD"] * 5, at_s=40)], PARKING)) == 2


def test_a_day_at_one_place_is_one_stand() -> None:
    association = Association([], PARKING)
    association.go_on(
        [*stop(), *(sighting("AB12CD", moved(HERE, at_s % 3), at_s=at_s) for at_s in range(3, 86400, 50))]
    )
    (vehicle,) = association.vehicles
    (stand,) = vehicle.stands
    assert (stand.first_seen, stand.last_seen) == (vehicle.first_seen, vehicle.last_seen)


# Two that turn out to be one.


def test_two_vehicles_that_are_known_by_one_plate_become_one() -> None:
    """Both were misread at first, in different ways."""
    first = sighting("AB12CW", HERE, sure=0.7)
    second = sighting("AX17CD", THERE, at_s=4, sure=0.7)
    assert len(vehicles_of([first, second])) == 2
    right = [sighting("AB12CD", moved(HERE, 30), at_s=0.2), *drive("AB12CD", "AB12CD", box=THERE, at_s=4.2)]
    assert len(vehicles_of([first, second, *right])) == 1


def test_two_vehicles_that_were_seen_side_by_side_stay_two() -> None:
    apart = [sighting("AB12CD", HERE, frame="f"), sighting("AX17CW", THERE, frame="f", index=1, sure=0.7)]
    later = drive("AB12CD", "AB12CD", box=THERE, at_s=0.2, x=0)
    assert len(vehicles_of([*apart, *later])) == 2


def test_what_a_vehicle_knew_goes_over_to_the_one_it_becomes_part_of() -> None:
    association = Association([], RULES)
    association.go_on([*stop(), *stop(at_s=20)])
    first, second = association.vehicles
    first.passage_id, second.passage_id = "first", "second"
    first.join(second)
    assert (len(first.sightings), first.absorbed, first.votes["AB12CD"]["count"]) == (6, ["second"], 6)
    assert first.last_seen == second.last_seen
    assert first.last is not None
    assert first.last.seen_at == second.last_seen
    assert first.resting is not None
    assert first.resting.seen_at == first.first_seen


# Pictures that are no sequence.


def test_photos_of_the_same_plate_within_the_gap_are_one_passage() -> None:
    assert len(vehicles_of([photo("AB12CD"), photo("AB12CD", at_s=10)])) == 1
    assert len(vehicles_of([photo("AB12CD"), photo("AB12CD", at_s=10.01)])) == 2


def test_photos_that_differ_in_what_is_drawn_alike_are_one_passage() -> None:
    assert len(vehicles_of([photo("ABO2CD"), photo("AB02CD", frame="other")])) == 1
    assert len(vehicles_of([photo("ABI2CD"), photo("AB12CD", frame="other")])) == 1


def test_photos_that_surely_differ_are_two_though_readers_confuse_it() -> None:
    assert len(vehicles_of([photo("AB12CD"), photo("A812CD", frame="other")])) == 2
    assert len(vehicles_of([photo("AB12CD", sure=0.9), photo("A812CD", frame="other")])) == 1


def test_a_photo_goes_to_the_same_text_before_one_that_is_alike() -> None:
    photos = [photo("ABO2CD", frame="1"), photo("AB02CD", frame="2")]
    apart = Association([known(each) for each in photos], RULES, is_sequence=False)
    apart.go_on([photo("AB02CD", at_s=1)])
    assert [vehicle.votes for vehicle in apart.vehicles if vehicle.votes.get("AB02CD", {"count": 0})["count"] == 2]


def test_a_photo_of_the_edge_is_a_passage_too() -> None:
    assert len(vehicles_of([sighting("12CD", EDGE, sure=0.7, sequence=None)])) == 1


# Order.


def test_pictures_of_one_time_have_an_order() -> None:
    of_one_time = [
        sighting(text, box, frame=frame, sure=sure)
        for text, box, frame, sure in (
            ("AB12CD", HERE, "a", 0.9),
            ("A812CD", moved(HERE, 200), "b", 0.7),
            ("AB12CO", moved(HERE, 400), "c", 0.6),
            ("AB12C", moved(HERE, 30), "d", 0.95),
        )
    ]
    found = {tuple(map(tuple, vehicles_of(order))) for order in itertools.permutations(of_one_time)}
    assert len(found) == 1
    assert [one.frame_id for one in sorted(set(of_one_time), key=in_order)] == ["a", "b", "c", "d"]


def test_a_run_may_go_on_from_what_is_known() -> None:
    film = [*drive(*["AB12CD"] * 4), *drive("AB12CE", "A812CE", box=THERE, at_s=0.4), *stop(at_s=5)]
    film.sort(key=in_order)
    for pause in range(1, len(film)):
        association = Association([], PARKING)
        association.go_on(film[:pause])
        association = Association(association.vehicles, PARKING)
        association.go_on(film[pause:])
        assert [[one.text for one in each.sightings] for each in association.vehicles] == vehicles_of(film, PARKING)


def test_who_may_be_seen_again() -> None:
    association = Association([], PARKING)
    association.go_on(stop())
    last = NOON + timedelta(seconds=2)
    assert association.may_be_seen(last + PARKING.parked_gap)
    assert not association.may_be_seen(last + PARKING.parked_gap + timedelta(seconds=1))


def known(one: Sighting) -> Vehicle:
    vehicle = Vehicle(one.seen_at, one.seen_at, one.key, one.key)
    vehicle.add(one)
    return vehicle
