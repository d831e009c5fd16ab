"""What somebody says of a plate stands beside what was read, whatever is read later."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event

from sightline.errors import BadMessageError
from storage.database.engine import Database
from storage.passages.likely import find_likely
from storage.passages.plate_lists import ListReader, add_plates, new_plate
from storage.passages.search import find_passages
from storage.passages.views import PassageView
from storage.results import queries
from storage.results.corrections import PassageNotFoundError, correct_passage
from storage.results.store import Store
from storage.retention.orphans import forgotten_plates, remove_plates
from storage.sinks.outbox import Outbox
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.conftest import GAP_S
from tests.integration.storage.test_outbox import outbox, sink
from tests.stores import open_store


def only(database: Database) -> PassageView:
    (passage,) = queries.list_passages(database).items
    return passage


def see(store: Store, text: str, at_s: float = 0) -> None:
    store.store([message(frame_result([text], at_s=at_s))], ())


def test_both_are_shown_and_found_and_it_can_be_taken_back(database: Database, store: Store) -> None:
    see(store, "KAB4Z2I")
    before = only(database)
    passage = correct_passage(database, before.passage_id, "kab-4721", "gatekeeper")
    assert passage == only(database)
    assert (passage.text, passage.origin, passage.confidence) == ("KAB4721", "corrected", 1)
    assert passage.correction is not None
    assert (passage.correction.read, passage.correction.by) == ("KAB4Z2I", "gatekeeper")
    assert passage.correction.confidence == before.confidence
    for plate in ("KAB4721", "KAB 4Z2I", "KAB4*", "*4721", "K?B4Z2I", "*", "*2*"):
        assert queries.list_passages(database, text=plate).items == (passage,), plate
    for plate, distance in (("KAB4721", 0), ("KAB4Z2I", 0), ("KAB4722", 1)):
        assert [found.distance for found in find_passages(database, plate, max_distance=1).items] == [distance], plate
    assert [found.likelihood for found in find_likely(database, "KA?4721").items] == [1]
    assert queries.list_passages(database, text="XYZ*").items == ()

    assert correct_passage(database, before.passage_id, None, "gatekeeper") == only(database) == before
    assert queries.list_passages(database, text="KAB4721").items == ()


def test_later_readings_change_what_was_read_alone(database: Database, store: Store) -> None:
    for number, text in enumerate(["KAB4Z2I", "KAB4721", "KAB4721"]):
        see(store, text, number / 5)
        if number == 0:
            correct_passage(database, only(database).passage_id, "KAB4729", "gatekeeper")
    passage = only(database)
    assert (passage.text, passage.reading_count) == ("KAB4729", 3)
    assert passage.correction is not None
    assert passage.correction.read == "KAB4721"


def test_passages_that_turn_out_to_be_one_keep_it(database: Database, store: Store) -> None:
    see(store, "KAB4721", 0)
    see(store, "KAB4721", GAP_S * 1.8)
    newest, oldest = queries.list_passages(database).items
    correct_passage(database, oldest.passage_id, "KAB4728", "first")
    correct_passage(database, newest.passage_id, "KAB4729", "second")
    see(store, "KAB4721", GAP_S * 0.9)
    passage = only(database)
    assert passage.text == "KAB4729"
    assert passage.correction is not None
    assert passage.correction.by == "second"


def test_sinks_are_told_of_it_and_of_nothing_that_changes_under_it(database: Database) -> None:
    store = open_store(database, GAP_S, Outbox(sinks_every_s=0))
    sink(database)
    sink(database, "sure", options={"min_confidence": 0.95})
    see(store, "KAB4Z2I")
    correct_passage(database, only(database).passage_id, "KAB4721", "gatekeeper")
    correct_passage(database, only(database).passage_id, "KAB4721", "gatekeeper")  # nothing new
    for number in (1, 2):
        see(store, "KAB4727", number / 5)
    correct_passage(database, only(database).passage_id, None, "gatekeeper")
    told = [(row["topic"], row["payload"]["data"]) for row in outbox(database)]
    assert [(topic, data["text"]) for topic, data in told] == [
        ("passage.new", "KAB4Z2I"),
        ("passage.update", "KAB4721"),
        ("passage.update", "KAB4727"),
    ]
    assert told[1][1]["correction"]["read"] == "KAB4Z2I"
    assert told[2][1]["correction"] is None
    assert outbox(database, "sure")[0]["payload"]["data"]["text"] == "KAB4721"


def test_its_list_and_country_are_those_of_the_plate_that_was_said(database: Database, store: Store) -> None:
    store = open_store(database, GAP_S, lists=ListReader(every_s=0), countries=("es", "sk"))
    add_plates(database, [new_plate("deny", "BA482XY", tolerance=0)])
    see(store, "1234BCD")
    spanish = only(database)
    assert (spanish.country, spanish.match) == ("es", None)
    passage = correct_passage(database, spanish.passage_id, "BA482XY", "gatekeeper", countries="es, sk")
    assert passage.match is not None
    assert (passage.match.list, passage.match.by) == ("deny", "correction")
    assert passage.country == "sk"
    assert queries.list_passages(database, list_name="deny").items == (passage,)
    see(store, "1234BCD", 0.2)
    assert only(database).match == passage.match
    assert only(database).country == passage.country


def test_the_index_of_the_search_keeps_it(database: Database, store: Store) -> None:
    see(store, "KAB4Z2I")
    correct_passage(database, only(database).passage_id, "KAB4721", "gatekeeper")
    forgotten = [plate for page in forgotten_plates(database) for plate in page]
    assert (forgotten, remove_plates(database, ["KA84721"])) == ([], 0)
    correct_passage(database, only(database).passage_id, "KAB4729", "gatekeeper")
    assert [plate for page in forgotten_plates(database) for plate in page] == ["KA84721"]


@pytest.mark.parametrize("text", ["KAB4721", "KAB47*", "*4721"])
def test_searches_use_indexes(database: Database, text: str) -> None:
    asked: list[Any] = []
    event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2:4]))
    queries.list_passages(database, text=text)
    statement, values = asked[-1]
    is_sqlite = database.engine.dialect.name == "sqlite"
    with database.read() as connection:
        if not is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        plan = "\n".join(str(row) for row in connection.exec_driver_sql(f"{explain} {statement}", values))
    assert "ix_passages_corrected" in plan
    assert "Seq Scan on passages" not in plan
    assert "SCAN passages'" not in plan


@pytest.mark.parametrize("plate", ["", "--", "A", "A" * 40])
def test_what_is_no_plate_is_refused(database: Database, store: Store, plate: str) -> None:
    see(store, "KAB4721")
    with pytest.raises(BadMessageError) as caught:
        correct_passage(database, only(database).passage_id, plate, "gatekeeper")
    assert caught.value.field == "text"
    assert only(database).correction is None


def test_a_passage_that_is_not_there_is_named(database: Database) -> None:
    with pytest.raises(PassageNotFoundError, match="'nope'"):
        correct_passage(database, "nope", "KAB4721", "gatekeeper")
