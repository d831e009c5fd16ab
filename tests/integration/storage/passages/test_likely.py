"""Plates by a pattern, by what was read and what else was thought of; and by country."""

from __future__ import annotations

import pytest

from sightline.errors import BadMessageError
from sightline.types import FrameResult, Reading
from storage.database.engine import Database
from storage.passages.likely import find_likely
from storage.results import queries
from storage.results.store import Store
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store

Thoughts = tuple[tuple[tuple[str, float], ...], ...]


def read(text: str, *, at_s: float, thoughts: dict[int, tuple[tuple[str, float], ...]] | None = None) -> FrameResult:
    """One picture with a plate; `thoughts`: of some of its characters, what was thought of beside them."""
    result = frame_result([text], at_s=at_s, source="photos", sequence=None)
    alternatives: Thoughts = tuple(((char, 0.98), *(thoughts or {}).get(place, ())) for place, char in enumerate(text))
    reading = Reading(
        text=text,
        confidence=0.98,
        char_confidences=(0.98,) * len(text),
        detection_index=0,
        alternatives=alternatives,
        country="sk",
        country_confidence=0.25,
    )
    return result.model_copy(update={"readings": (reading,)})


def test_the_likeliest_plate_comes_first_and_second_thoughts_count(database: Database, store: Store) -> None:
    results = [
        read("AB123C", at_s=0),
        read("A8723C", at_s=100, thoughts={1: (("B", 0.3),)}),
        read("AK423C", at_s=200, thoughts={1: (("X", 0.01),)}),
        read("XB923C", at_s=300),
        read("AB123CD", at_s=400),
    ]
    store.store([message(*results)], ())
    found = find_likely(database, "ab?23c").items
    assert [view.text for view in found] == ["AB123C", "A8723C"]
    assert found[0].likelihood == pytest.approx(0.98**5, abs=1e-3)
    assert found[1].likelihood == pytest.approx(0.98**4 * 0.3, abs=1e-3)
    assert find_likely(database, "ab?23c", zone="lane").items == ()


def test_of_older_rows_the_confidences_count(database: Database, store: Store) -> None:
    """Readers that tell no alternatives are known by what they confuse."""
    results = [frame_result([("A8123C", 0.9)], sequence=None), frame_result([("AX123C", 0.9)], at_s=100)]
    store.store([message(*results)], ())
    found = {view.text: view.likelihood for view in find_likely(database, "AB123C").items}
    assert "A8123C" in found
    assert found.get("AX123C", 0.0) < found["A8123C"]


@pytest.mark.parametrize(("pattern", "limit"), [("A*23C", 100), ("A?", 100), ("A??1?", 100), ("AB123C", 0)])
def test_a_pattern_that_fits_nearly_everything_is_refused(database: Database, pattern: str, limit: int) -> None:
    with pytest.raises(BadMessageError):
        find_likely(database, pattern, limit=limit)


def test_alternatives_and_country_are_stored_and_read_back(database: Database, store: Store) -> None:
    result = read("AB123C", at_s=0, thoughts={1: (("8", 0.01),)})
    store.store([message(result)], ())
    (reading,) = queries.list_readings(database).items
    assert reading.alternatives is not None
    assert reading.alternatives[1] == (("B", 0.98), ("8", 0.01))
    assert (reading.country, reading.country_confidence) == ("sk", 0.25)


def test_passages_of_a_country(database: Database, store: Store) -> None:
    """The country is that of the voted plate; a part of a country is found as the country, too."""
    plates = ["EGB626AA", "MH12DE1433", "KMBORAK1X"]
    store.store([message(*(read(plate, at_s=100 * number) for number, plate in enumerate(plates)))], ())
    views = {view.text: view for view in queries.list_passages(database).items}
    assert (views["EGB626AA"].country, views["MH12DE1433"].country) == ("ng", "in")
    assert (views["EGB626AA"].country_confidence or 0) > 0.5
    assert views["KMBORAK1X"].country is None
    assert [view.text for view in queries.list_passages(database, country="in").items] == ["MH12DE1433"]


def test_whose_plates_are_seen_can_be_said(database: Database) -> None:
    open_store(database, countries=("us-ca", "us-tx")).store([message(read("7EAV033", at_s=0))], ())
    (found,) = queries.list_passages(database, country="us").items
    assert found.country == "us-ca"
