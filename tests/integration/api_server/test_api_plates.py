"""Known plates and the search for plates over HTTP and on the page, on SQLite."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from storage.access.keys import Role, create_key
from storage.database.engine import Database
from storage.passages.plate_lists import new_plate, to_csv
from storage.plates.confusions import confusion_cost
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store

DENIED = {"list": "deny", "plate": "kab 4721", "note": "stolen"}
DENIED_MATCH = {"list": "deny", "matched": "KAB4721", "by": "vote"}
ALIKE = confusion_cost("B", "8")


def test_plates_come_and_go(client: TestClient, database: Database) -> None:
    made = client.post("/v1/plates", json=DENIED)
    assert (made.status_code, made.json()["plate"], made.json()["tolerance"]) == (201, "KAB4721", 1)
    client.post("/v1/plates", json=DENIED | {"tolerance": 0})
    (listed,) = client.get("/v1/plates", params={"list": "deny"}).json()["items"]
    assert (listed["tolerance"], listed["note"]) == (0, "stolen")
    imported = client.post("/v1/plates/import", json={"csv": "plate,note\nAB12CD,=boss\n", "list": "allow"})
    assert imported.json() == {"count": 1}
    exported = client.get("/v1/plates/export")
    assert exported.text.splitlines() == ["list,plate,tolerance,note", "allow,AB12CD,1,'=boss", "deny,KAB4721,0,stolen"]
    viewer = {"X-API-Key": create_key(database, "viewer", Role.VIEWER)}
    assert client.get("/v1/plates", headers=viewer).status_code == 200
    assert client.post("/v1/plates", json=DENIED, headers=viewer).status_code == 403
    assert client.delete("/v1/plates/deny/KAB4721", headers=viewer).status_code == 403
    assert client.delete("/v1/plates/deny/kab-4721").status_code == 204
    missing = client.delete("/v1/plates/deny/KAB4721")
    assert (missing.status_code, missing.json()["type"]) == (404, "urn:sightline:plate_not_listed")


def test_a_letter_with_a_mark_is_its_letter_and_nothing_comes_off_a_list_by_half_a_plate(client: TestClient) -> None:
    assert client.post("/v1/plates", json={"list": "deny", "plate": "MÜ XY 77"}).json()["plate"] == "MUXY77"
    refused = client.delete("/v1/plates/deny/MUXY77*")
    assert (refused.status_code, refused.json()["field"]) == (422, "plate")
    assert client.delete("/v1/plates/deny/mü-xy-77").status_code == 204


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("", {"list": "Deny!", "plate": "AB12"}, "list"),
        ("", {"list": "deny", "plate": "--"}, "no letter"),
        ("", {"list": "deny", "plate": "AB12", "tolerance": 9}, "tolerance"),
        ("/import", {"csv": "name\nAB12\n"}, "first line"),
        ("/import", {"csv": "list,plate\ndeny,AB12CD\ndeny,--\n"}, "line 3: plate: '--' has no letter"),
        ("/import", {"csv": "list,plate\ndeny,AB12CD\ndeny,K?B*\n"}, "line 3: plate: 'K?B*' has '?'"),
        ("", {"list": "deny", "plate": "京A 12345"}, "plate: '京A 12345' has '京'"),
    ],
)
def test_what_is_wrong_is_named(client: TestClient, path: str, body: dict[str, object], words: str) -> None:
    refused = client.post(f"/v1/plates{path}", json=body)
    assert refused.status_code == 422
    assert words in refused.json()["detail"]
    assert client.get("/v1/plates").json() == {"items": []}


def test_passages_tell_their_list_and_are_found_by_likeness(client: TestClient, database: Database) -> None:
    client.post("/v1/plates", json=DENIED)
    store = open_store(database, passage_gap_s=10)
    for number, plate in enumerate(["KAB4721", "KA84721", "XY99ZZ"]):
        store.store([message(frame_result([plate], at_s=number * 60))], ())
    denied = client.get("/v1/passages", params={"list": "deny"}).json()["items"]
    assert [(each["text"], each["match"]) for each in denied] == [
        ("KA84721", DENIED_MATCH | {"distance": ALIKE, "text": "KA84721"}),
        ("KAB4721", DENIED_MATCH | {"distance": 0.0, "text": "KAB4721"}),
    ]
    like = client.get("/v1/passages/like", params={"text": "kab 4727", "max_distance": 2}).json()
    assert [(each["text"], each["distance"]) for each in like["items"]] == [
        ("KAB4721", confusion_cost("7", "1")),
        ("KA84721", round(confusion_cost("7", "1") + ALIKE, 2)),
    ]
    assert like["next_cursor"] is None
    assert client.get("/v1/passages/like", params={"text": "KAB*"}).status_code == 422
    page = client.get("/plates", params={"text": "KA?4721"}).text
    assert page.count("KA84721") == 1
    assert f"deny: KAB4721 ({ALIKE:g})" in page
    assert "must be a plate" in client.get("/plates", params={"text": "KA*", "like": 1}).text
    assert "deny: KAB4721" in client.get("/live").text


def test_the_page_says_which_reading_showed_a_plate_that_was_outvoted(client: TestClient, database: Database) -> None:
    client.post("/v1/plates", json=DENIED)
    store = open_store(database, passage_gap_s=10)
    for number, plate in enumerate(["KAB4727", "KAB4721", "KAB4727"]):
        store.store([message(frame_result([(plate, 1.0)], at_s=number / 5))], ())
    (passage,) = client.get("/v1/passages", params={"list": "deny"}).json()["items"]
    assert passage["text"] == "KAB4727"
    assert passage["match"] == DENIED_MATCH | {"distance": 0.0, "text": "KAB4721", "by": "reading"}
    assert "deny: KAB4721, read as KAB4721" in client.get("/live").text


@pytest.mark.parametrize("csv", [f"plate,note\nAB12CD,{'x' * 140_000}\n", f"plate,{'x' * 140_000}\nAB12CD,\n"])
def test_a_field_too_long_for_csv_is_refused(client: TestClient, csv: str) -> None:
    refused = client.post("/v1/plates/import", json={"csv": csv, "list": "allow"})
    assert (refused.status_code, refused.json()["field"]) == (422, "csv")


@pytest.mark.parametrize("note", ["=1+1", "\n=1+1", " \t=1+1", "\u200b@sum(a1)", "\ufeff-1", "＝1+1"])
def test_no_note_is_a_formula_in_a_spreadsheet(note: str) -> None:
    assert to_csv([new_plate("deny", "AB12CD", note=note)]).splitlines()[1].split(",")[3].strip('"').startswith("'")
