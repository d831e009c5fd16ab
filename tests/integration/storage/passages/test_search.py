"""Plates by wildcards and by likeness, against looking at every plate; and which list a plate is on."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sightline.errors import BadMessageError
from storage.database.engine import Database
from storage.passages import plate_lists
from storage.passages.plate_lists import ListReader, PlateNotListedError, add_plates, new_plate
from storage.passages.search import find_passages
from storage.plates.confusions import confusion_cost
from storage.plates.text import edits, fold, most_errors, plate_distance
from storage.results import queries
from storage.results.store import Store
from storage.sinks.outbox import Outbox, finalize_passages
from tests.integration.storage.bundles import NOON, frame_result, message
from tests.integration.storage.conftest import GAP_S
from tests.integration.storage.test_outbox import later, outbox, sink
from tests.stores import open_store


def plates(count: int) -> list[str]:
    """Of few characters, so that many are alike."""
    chance = random.Random(3)
    found = {"".join(chance.choice("A8B01O") for _ in range(chance.randint(3, 6))) + "7" for _ in range(count)}
    return sorted(found)


@pytest.fixture
def filled(database: Database, store: Store) -> Database:
    results = [frame_result([plate], at_s=number * 60) for number, plate in enumerate(plates(120))]
    for start in range(0, len(results), 60):
        store.store([message(*results[start : start + 60])], ())
    return database


@pytest.mark.parametrize("pattern", ["*234", "?B12*", "A?1?C?"])
def test_wildcards_ask_the_index_of_rotations(filled: Database, pattern: str) -> None:
    asked: list[str] = []
    sa.event.listen(filled.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    queries.list_passages(filled, text=pattern)
    assert "plate_rotations" in asked[-1]


def test_wildcards_find_what_looking_at_every_plate_finds(filled: Database) -> None:
    chance = random.Random(4)
    for _ in range(60):
        plate = chance.choice(plates(120))
        pattern = "".join(chance.choice((char, char, "?", "*")) for char in plate)
        wanted = re.compile(re.sub(r"\*+", ".*", pattern.replace("?", ".")))
        found = {view.text for view in queries.list_passages(filled, text=pattern, limit=1000).items}
        assert found == {each for each in plates(120) if wanted.fullmatch(each)}, pattern


@pytest.mark.parametrize("max_distance", [0, 0.3, 0.5, 1, 1.5, 2])
def test_likeness_finds_what_comparing_with_every_plate_finds(filled: Database, max_distance: float) -> None:
    chance = random.Random(5)
    for _ in range(20):
        plate = chance.choice(plates(120))
        asked = plate.replace(chance.choice(plate), chance.choice("8BX")) + chance.choice(["", "1"])
        found = find_passages(filled, asked, max_distance=max_distance, limit=1000).items
        expected = {each: plate_distance(asked, each) for each in plates(120)}
        errors = most_errors(max_distance)
        assert {view.text: view.distance for view in found} == {
            each: distance
            for each, distance in expected.items()
            if distance <= max_distance and edits(fold(asked), fold(each), errors) <= errors
        }
        assert [view.distance for view in found] == sorted(view.distance for view in found)


def test_the_nearest_comes_first_however_many_are_newer(database: Database, store: Store) -> None:
    texts = ["AB12CD", "A812CD", "AB12CW", "AB12CW", "AB12CW"]
    store.store([message(*(frame_result([text], at_s=number * 60) for number, text in enumerate(texts)))], ())
    found = find_passages(database, "AB12CD", limit=3).items
    assert [view.text for view in found] == ["AB12CD", "A812CD", "AB12CW"]
    assert found[2].first_seen == NOON + timedelta(minutes=4)


def test_likeness_and_other_filters(filled: Database) -> None:
    every = plates(120)
    plate = max(every, key=lambda plate: sum(plate_distance(plate, each) <= 2 for each in every))
    (exact,) = find_passages(filled, plate, max_distance=0).items
    assert exact.first_seen == NOON + timedelta(minutes=every.index(plate))
    assert find_passages(filled, plate, source="yard").items == ()
    assert find_passages(filled, plate, zone="lane").items == ()
    assert find_passages(filled, plate, max_distance=0, since=NOON + timedelta(hours=3)).items == ()
    assert len(find_passages(filled, plate, max_distance=2, limit=3).items) == 3
    bad: list[dict[str, Any]] = [{"limit": 0}, {"max_distance": 3}, {"text": "A*"}, {"text": "--"}]
    for arguments in bad:
        with pytest.raises(BadMessageError) as caught:
            find_passages(filled, **({"text": plate} | arguments))
        assert [caught.value.field] == list(arguments)


def test_a_plate_whose_vote_changes_is_found_under_its_new_text(database: Database, store: Store) -> None:
    for number, reading in enumerate([("A712CD", 0.6), ("AB12CD", 0.99), ("AB12CD", 0.99)]):
        store.store([message(frame_result([reading], at_s=number / 5))], ())
    assert len(queries.list_passages(database, text="?B12C?").items) == 1
    assert queries.list_passages(database, text="?712C?").items == ()


def test_a_match_is_stored_with_the_passage_and_told(database: Database) -> None:
    store = open_store(database, GAP_S, Outbox(sinks_every_s=0), lists=ListReader(every_s=0))
    sink(database)
    store.store([message(frame_result(["KAB4721"]))], ())
    assert add_plates(database, [new_plate("deny", "kab 4727", note="stolen")]) == 1
    store.store([message(frame_result(["KAB4721"], at_s=600))], ())
    match = {"list": "deny", "matched": "KAB4727", "distance": confusion_cost("7", "1")}
    match |= {"text": "KAB4721", "by": "vote"}
    newest, oldest = queries.list_passages(database).items
    assert oldest.match is None
    assert newest.match is not None
    assert newest.match.model_dump() == match
    assert queries.list_passages(database, list_name="deny").items == (newest,)
    finalize_passages(database, timedelta(seconds=GAP_S), later())
    told = [
        (row["topic"], row["payload"]["data"]["match"], row["payload"]["data"]["state"]) for row in outbox(database)
    ]
    assert told[0] == ("passage.new", None, "open")
    assert told[1] == ("passage.new", match, "open")
    assert sorted(map(str, told[2:])) == sorted(
        map(str, [("passage.final", None, "final"), ("passage.final", match, "final")])
    )
    plate_lists.remove_plate(database, "deny", "KAB-4727")
    with pytest.raises(PlateNotListedError):
        plate_lists.remove_plate(database, "deny", "KAB4727")


def test_a_denied_plate_that_was_outvoted_is_a_match_and_said_at_once(database: Database) -> None:
    store = open_store(database, GAP_S, Outbox(sinks_every_s=0), lists=ListReader(every_s=0))
    sink(database)
    add_plates(database, [new_plate("deny", "BA482XY"), new_plate("allow", "BA781XY", tolerance=0)])
    for at_s, reading in enumerate(["BA731XY", "BA731XY", "BA781XY"]):
        store.store([message(frame_result([(reading, 1.0)], at_s=at_s))], ())
    (passage,) = queries.list_passages(database).items
    assert (passage.text, passage.match) == ("BA731XY", None)  # one misread opens no gate
    add_plates(database, [new_plate("deny", "BA78IXY")])
    store.store([message(frame_result([("BA731XY", 1.0)], at_s=3))], ())
    (passage,) = queries.list_passages(database, list_name="deny").items
    assert passage.match is not None
    assert passage.match.model_dump() == {
        "list": "deny",
        "matched": "BA78IXY",
        "distance": confusion_cost("I", "1"),
        "text": "BA781XY",
        "by": "reading",
    }
    store.store([message(frame_result([("BA731XY", 1.0)], at_s=4))], ())
    told = [(row["topic"], row["payload"]["data"]["match"]) for row in outbox(database)]
    assert told == [("passage.new", None), ("passage.update", passage.match.model_dump())]


def test_csv_comes_back_as_it_went(database: Database) -> None:
    known = [new_plate("deny", "KAB4721", tolerance=0.5, note='says "no", twice'), new_plate("allow", "AB12CD")]
    add_plates(database, known)
    text = plate_lists.to_csv(plate_lists.list_plates(database))
    again = [(each.list_name, each.plate, each.tolerance, each.note) for each in plate_lists.from_csv(text)]
    assert again == [("allow", "AB12CD", 1.0, ""), ("deny", "KAB4721", 0.5, 'says "no", twice')]
