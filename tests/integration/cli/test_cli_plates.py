"""`sightline plates` and `sightline passages --like` as one types them, against a real server on SQLite."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.cli import main
from storage.database.engine import Database
from storage.plates.confusions import confusion_cost
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store

Type = Callable[..., tuple[int, str, str]]


@pytest.fixture
def sightline(
    api_url: str, operator_key: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Type:
    """Types a command: its exit code, what it printed and what it complained of."""
    monkeypatch.setenv("SIGHTLINE_API_URL", api_url)
    monkeypatch.setenv("SIGHTLINE_API_KEY", operator_key)

    def type_(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["sightline", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return type_


def test_a_plate_goes_on_a_list_and_off_it(sightline: Type) -> None:
    assert sightline("plates", "list")[1] == "no known plates; add one: sightline plates add deny KAB4721\n"
    assert sightline("plates", "list", "deny")[1] == "no plates on this list\n"
    assert sightline("plates", "add", "deny", "kab 4721", "--note", "stolen")[1] == "KAB4721 is on the list deny\n"
    _, row, _ = sightline("plates", "list", "deny", "--json")
    assert {name: json.loads(row)[name] for name in ("list_name", "plate", "tolerance", "note")} == {
        "list_name": "deny",
        "plate": "KAB4721",
        "tolerance": 1,
        "note": "stolen",
    }
    assert sightline("plates", "remove", "deny", "KAB-4721")[1] == "KAB-4721 is off the list deny\n"
    code, _, complaint = sightline("plates", "remove", "deny", "KAB4721")
    assert code == 2
    assert "KAB4721" in complaint


def test_lists_go_out_as_csv_and_come_back(sightline: Type, tmp_path: Path) -> None:
    given, taken = tmp_path / "given.csv", tmp_path / "taken.csv"
    given.write_text("\ufeffplate,note\nAB12CD,the boss\nXY99ZZ,\n", "utf-8")
    assert sightline("plates", "import", str(given), "--list", "allow")[1] == "2 plates imported\n"
    sightline("plates", "add", "deny", "KAB4721", "--tolerance", "0")
    allowed = ["list,plate,tolerance,note", "allow,AB12CD,1,the boss", "allow,XY99ZZ,1,"]
    assert sightline("plates", "export", "--list", "allow")[1].splitlines() == allowed
    assert sightline("plates", "export", str(taken))[0] == 0
    assert taken.read_text("utf-8").splitlines() == [*allowed, "deny,KAB4721,0,"]


def test_a_file_that_is_wrong_changes_nothing_and_says_where(sightline: Type, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("list,plate\ndeny,AB12CD\ndeny,??\n", "utf-8")
    code, _, complaint = sightline("plates", "import", str(wrong))
    assert (code, "line 3" in complaint) == (2, True)
    code, _, complaint = sightline("plates", "import", str(tmp_path / "missing.csv"))
    assert (code, "missing.csv" in complaint) == (2, True)
    assert sightline("plates", "list", "--json")[1] == ""


def test_passages_are_found_by_likeness_nearest_first(sightline: Type, database: Database) -> None:
    sightline("plates", "add", "deny", "KAB4721")
    store = open_store(database, passage_gap_s=10)
    for number, plate in enumerate(["KA84721", "KAB4721", "XY99ZZ"]):
        store.store([message(frame_result([plate], at_s=number * 60))], ())
    alike = confusion_cost("B", "8")
    _, rows, _ = sightline("passages", "KAB4721", "--like", "1", "--json")
    found = [json.loads(row) for row in rows.splitlines()]
    assert [(each["text"], each["distance"]) for each in found] == [("KAB4721", 0.0), ("KA84721", alike)]
    _, table, _ = sightline("passages", "--list", "deny")
    assert f"deny: KAB4721 ({alike:g})" in " ".join(table.split())
    assert "XY99ZZ" not in table


@pytest.mark.parametrize("arguments", [["--like", "1"], ["KAB4721", "--like", "1", "--list", "deny"]])
def test_likeness_wants_one_plate_and_no_list(sightline: Type, arguments: list[str]) -> None:
    code, _, complaint = sightline("passages", *arguments)
    assert (code, "--like: give the plate" in complaint) == (2, True)
