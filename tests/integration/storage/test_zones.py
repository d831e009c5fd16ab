"""What stands in a zone of its camera says so: in rows, to who asks, and to sinks."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from sightline.errors import StoreUnavailableError
from storage.cameras import Camera, add_camera, update_camera
from storage.database.engine import Database
from storage.passages.likely import find_likely
from storage.passages.search import find_passages
from storage.results import queries
from storage.results.store import Store
from storage.sinks.outbox import Outbox
from storage.zones import Zone, ZoneReader
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.conftest import GAP_S
from tests.integration.storage.test_outbox import outbox, sink
from tests.stores import open_store

WEST, EAST = (
    Zone(name=name, polygon=polygon)
    for name, polygon in (
        ("west", ((0, 0), (0.1, 0), (0.1, 1), (0, 1))),
        ("east", ((0.1, 0), (1, 0), (1, 1), (0.1, 1))),
    )
)  # the plates of `frame_result` are at 60, 260, … of 1280 pixels


def gate(*zones: Zone) -> Camera:
    return Camera(camera_id="gate", url=SecretStr("rtsp://10.0.0.5/s"), zones=zones)


def with_mode(zone: Zone, mode: Any) -> Zone:
    return zone.model_copy(update={"mode": mode})


@pytest.fixture
def store(database: Database) -> Store:
    return open_store(database, GAP_S, Outbox(sinks_every_s=0))


@pytest.fixture
def zones(database: Database) -> ZoneReader:
    return ZoneReader(database, every_s=0)


def test_zones_come_back_as_they_were_given(database: Database) -> None:
    add_camera(database, gate(WEST, EAST))
    assert update_camera(database, "gate", fps=2.0).zones == (WEST, EAST)
    assert update_camera(database, "gate", zones=[]).zones == ()


def test_rows_carry_their_zone_and_are_found_by_it(database: Database, store: Store, zones: ZoneReader) -> None:
    add_camera(database, gate(WEST, EAST))
    store.store([zones.apply(message(frame_result(["AB 12 CD", "XY 99 ZZ"])))], ())
    store.store([zones.apply(message(frame_result(["KA 11 KA"], source="yard")))], ())  # no camera
    for zone, text in (("west", "AB12CD"), ("east", "XY99ZZ")):
        (passage,) = queries.list_passages(database, zone=zone).items
        (reading,) = queries.list_readings(database, zone=zone).items
        (detection,) = queries.list_detections(database, zone=zone).items
        assert (passage.text, passage.zones) == (text, (zone,))
        assert [found.text for found in find_passages(database, text, zone=zone).items] == [text]
        assert [found.text for found in find_likely(database, text, zone=zone).items] == [text]
        assert (
            find_passages(database, "KA11KA", zone=zone).items == find_likely(database, "KA11KA", zone=zone).items == ()
        )
        assert (reading.zone, detection.zone) == (zone, zone)
    assert queries.list_passages(database, zone="we").items == ()
    assert queries.list_passages(database, source="yard").items[0].zones == ()
    (frame,) = queries.list_frames(database, source="gate").items
    result: Any = queries.get_frame(database, frame.frame_id)
    assert [each.zone for each in result.readings] == ["west", "east"]


def test_what_is_outside_leaves_no_row(database: Database, store: Store, zones: ZoneReader) -> None:
    add_camera(database, gate(with_mode(EAST, "report")))
    (stored,) = store.store([zones.apply(message(frame_result(["AB 12 CD", "XY 99 ZZ"])))], ())
    assert [passage.text for passage in queries.list_passages(database).items] == ["XY99ZZ"]
    assert [reading.text for reading in queries.list_readings(database).items] == ["XY 99 ZZ"]
    assert queries.list_detections(database).items[0].detection_index == 0
    (frame,) = queries.list_frames(database).items
    assert frame.outside == 1
    explained = queries.explain_frame(database, frame.frame_id)
    assert explained is not None
    assert (explained.plate, "1 more found outside" in explained.why) == ("XY99ZZ", True)
    assert stored.counts["gate"]["stored"] == 1


def test_a_vehicle_that_enters_another_zone_is_news_and_sinks_choose_by_zone(
    database: Database, store: Store, zones: ZoneReader
) -> None:
    add_camera(database, gate(WEST, EAST))
    sink(database)
    sink(database, "exit", options={"zones": ["east"]})
    for at_s, texts in ((0, ["AB 12 CD"]), (0.5, ["AB 12 CD"]), (1, ["", "AB 12 CD"]), (1.5, ["", "AB 12 CD"])):
        store.store([zones.apply(message(frame_result(texts, at_s=at_s)))], ())
    (passage,) = queries.list_passages(database).items
    assert passage.zones == ("east", "west")
    told = [(row["topic"], tuple(row["payload"]["data"]["zones"])) for row in outbox(database)]
    assert told == [("passage.new", ("west",)), ("passage.update", ("east", "west"))]
    assert [row["topic"] for row in outbox(database, "exit")] == ["passage.update"]


def test_frames_are_chosen_by_zone_too(database: Database, store: Store, zones: ZoneReader) -> None:
    add_camera(database, gate(WEST, EAST))
    sink(database, "frames", events=("frame.stored",), options={"zones": ["east"]})
    store.store(
        [zones.apply(message(frame_result(["AB 12 CD"]))), zones.apply(message(frame_result(["", "XY 99 ZZ"])))], ()
    )
    (row,) = outbox(database, "frames")
    assert [found["zone"] for found in row["payload"]["data"]["detections"]] == ["west", "east"]


def test_zones_that_were_read_hold_while_the_database_is_away(
    database: Database, zones: ZoneReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_camera(database, gate(WEST))

    def down() -> None:
        raise StoreUnavailableError("away")

    one = message(frame_result(["AB 12 CD"]))
    with monkeypatch.context() as patched:
        patched.setattr(database, "read", down)
        with pytest.raises(StoreUnavailableError):
            zones.apply(one)
    assert zones.apply(one).results[0].detections[0].zone == "west"  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setattr(database, "read", down)
    assert zones.apply(one).results[0].detections[0].zone == "west"  # pyright: ignore[reportAttributeAccessIssue]
