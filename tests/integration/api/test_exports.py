"""Passages as files for spreadsheets: complete, however many; with zones; and nothing in them is a formula."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from producers.api.spreadsheets import excel
from producers.api.spreadsheets.csv import write_csv
from producers.api.spreadsheets.passages import COLUMNS
from sightline.cli import app as commands
from sightline.errors import BadMessageError
from storage.access.keys import Role
from storage.database.engine import Database
from storage.results import queries
from storage.results.corrections import correct_passage
from tests.integration.api.uploading import Key
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store

EXPORT = "/v1/passages/export"
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


@pytest.fixture
def cars(database: Database) -> Database:
    """Five, a minute apart each; the newest is corrected by a key with a name that is a formula."""
    frames = (frame_result([f"KAB472{number}"], at_s=number * 60) for number in range(5))
    open_store(database, passage_gap_s=10).store([message(*frames)], ())
    newest = queries.list_passages(database, limit=1).items[0]
    correct_passage(database, newest.passage_id, "XY99ZZ", '=HYPERLINK("http://example.org")')
    return database


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def cells_of(content: bytes) -> list[list[str | float]]:
    """As Excel reads them: texts from the table of texts, times as days since 1899."""
    book = zipfile.ZipFile(io.BytesIO(content))
    assert b"<f>" not in book.read("xl/worksheets/sheet1.xml"), "a formula"
    sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    return [
        [
            "".join(cell.itertext()) if cell.get("t") == "inlineStr" else float(cell.findtext(f"{_MAIN}v") or "nan")
            for cell in row
        ]
        for row in sheet.iter(f"{_MAIN}row")
    ]


def test_all_that_match_as_csv(client: TestClient, cars: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.api.spreadsheets.export.MAX_LIMIT", 2)  # three pages
    answer = client.get(EXPORT)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="passages-')
    rows = rows_of(answer.text)
    assert list(rows[0]) == list(COLUMNS)
    assert [row["plate"] for row in rows] == ["XY99ZZ", "KAB4723", "KAB4722", "KAB4721", "KAB4720"]
    assert (rows[0]["read"], rows[0]["origin"]) == ("KAB4724", "corrected")
    assert rows[0]["first_seen"] == "2026-05-01T12:04:00.000+00:00"
    assert rows[0]["corrected_by"] == '\'=HYPERLINK("http://example.org")'
    asked = {"text": "KAB47*", "since": "2026-05-01T12:01:00Z", "until": "2026-05-01T12:03:00Z", "source": "gate"}
    assert [row["plate"] for row in rows_of(client.get(EXPORT, params=asked).text)] == ["KAB4722", "KAB4721"]
    assert len(rows_of(client.get(EXPORT, params={"limit": 3}).text)) == 3
    assert client.get(EXPORT, params={"list": "deny"}).text.split() == [",".join(COLUMNS)]


def test_excel_has_texts_and_true_times(client: TestClient, cars: Database) -> None:
    for answer in (
        client.get(EXPORT, params={"format": "xlsx"}),
        client.get(EXPORT, headers={"Accept": excel.MEDIA_TYPE}),
    ):
        assert answer.headers["content-type"] == excel.MEDIA_TYPE
        heading, *rows = cells_of(answer.content)
        assert heading[:5] == ["plate", "read", "source", "first_seen (UTC)", "last_seen (UTC)"]
        assert [row[0] for row in rows] == ["XY99ZZ", "KAB4723", "KAB4722", "KAB4721", "KAB4720"]
        assert '=HYPERLINK("http://example.org")' in rows[0]
        assert isinstance(rows[0][3], float)
        at = datetime(1899, 12, 30, tzinfo=UTC) + timedelta(days=rows[0][3])
        assert abs(at - datetime(2026, 5, 1, 12, 4, tzinfo=UTC)) < timedelta(seconds=1)


def test_what_is_wrong_is_said_before_the_file_begins(client: TestClient, cars: Database) -> None:
    for query, field in (({"format": "pdf"}, "format"), ({"text": "a" * 65}, "text"), ({"since": "soon"}, "since")):
        answer = client.get(EXPORT, params=query)
        assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_more_rows_than_a_sheet_has_are_refused() -> None:
    with pytest.raises(BadMessageError, match="an Excel sheet has 2 rows at most"):
        excel.write_excel(["n"], ([number] for number in range(3)), max_rows=2)
    with excel.write_excel(["n"], ([number] for number in range(2)), max_rows=2) as file:
        assert cells_of(file.read()) == [["n"], [0], [1]]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"])
def test_no_text_is_a_formula(text: str) -> None:
    assert rows_of("".join(write_csv(["a"], [[text]]))) == [{"a": f"'{text}"}]
    with excel.write_excel(["a"], [[text]]) as file:
        (_, ((cell,))) = cells_of(file.read())
    assert str(cell).replace("_x000D_", "\r").strip() == text.strip()


def test_rows_are_written_as_they_come() -> None:
    made = 0

    def rows():
        nonlocal made
        while True:
            made += 1
            yield [made]

    written = write_csv(["n"], rows())
    assert next(written) == "n\r\n"
    assert next(written).startswith("1\r\n2\r\n")
    assert made <= 1000


def test_by_the_command(
    api_url: str, cars: Database, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_API_URL", api_url)
    monkeypatch.setenv("SIGHTLINE_API_KEY", key(Role.VIEWER)["X-API-Key"])
    folder = tmp_path / "files"
    folder.mkdir()
    file = folder / "cars.csv"
    done = CliRunner().invoke(commands, ["passages", "KAB*", "--csv", str(file)])
    assert (done.exit_code, done.stderr) == (0, f"written to {file}\n")
    assert len(rows_of(file.read_text())) == 5  # one was read so
    assert len(rows_of(CliRunner().invoke(commands, ["passages", "--csv", "-", "--limit", "2"]).stdout)) == 2
    book = folder / "cars.xlsx"
    assert CliRunner().invoke(commands, ["passages", "--xlsx", str(book)]).exit_code == 0
    assert len(cells_of(book.read_bytes())) == 6
    for arguments in (["--csv", str(file), "--json"], ["KAB4721", "--like", "1", "--xlsx", str(book)]):
        refused = CliRunner().invoke(commands, ["passages", *arguments])
        assert isinstance(refused.exception, BadMessageError)
    before = file.read_bytes()
    nowhere = CliRunner().invoke(commands, ["passages", "--csv", str(folder / "no" / "cars.csv")])
    assert "cannot be written" in str(nowhere.exception)
    for there in (".", "..", "/", str(folder)):
        asked = CliRunner().invoke(commands, ["passages", "--csv", there])
        assert "is a folder; name a file in it" in str(asked.exception)
    assert isinstance(
        CliRunner().invoke(commands, ["passages", "--since", "soon", "--csv", str(file)]).exception, BadMessageError
    )
    assert file.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["cars.csv", "cars.xlsx"]


def test_the_page_offers_them_with_its_filters(client: TestClient, cars: Database) -> None:
    page = client.get("/plates", params={"text": "KAB*", "source": "gate"}).text
    for form in ("csv", "xlsx"):
        assert f'href="/v1/passages/export?format={form}&text=KAB%2A&source=gate"'.replace("&", "&amp;") in page
    assert "format=csv" not in client.get("/plates", params={"text": "KAB4721", "like": 1}).text
