"""An operator corrects a plate: over HTTP, on the page, with the command and from Python."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from producers.api.app import create_app
from sightline import AsyncSightline, Sightline
from sightline.cli import app as commands
from sightline.errors import BadMessageError
from sightline.settings import Settings
from sightline.types import FrameResult
from storage.access.audit_log import list_entries
from storage.access.keys import Role
from storage.database.engine import Database
from storage.results import queries
from tests.integration.api.uploading import Key

PASSAGE = "frame-0001.0"
PATH = f"/v1/passages/{PASSAGE}"
FORM = f"/passages/{PASSAGE}/plate"


@pytest.fixture
def browser(settings: Settings, stored: FrameResult) -> Iterator[TestClient]:
    """From another machine, without a key."""
    with TestClient(create_app(settings), base_url="http://10.0.0.1", client=("10.1.2.3", 1)) as client:
        yield client


def log_in(browser: TestClient, key: dict[str, str]) -> str:
    """The mark in the form of the passage's page; empty: there is no form."""
    browser.post("/login", data={"key": key["X-API-Key"]})
    found = re.search(r'name="mark" value="([0-9a-f]+)"', browser.get(f"/passages/{PASSAGE}").text)
    return found[1] if found else ""


def plate(database: Database) -> str:
    (passage,) = queries.list_passages(database).items
    return passage.text


def test_over_http_with_an_entry_that_says_what_was_changed(
    client: TestClient, stored: FrameResult, database: Database, key: Key
) -> None:
    assert client.patch(PATH, json={"text": "kab 4727"}, headers=key(Role.VIEWER)).status_code == 403
    answer = client.patch(PATH, json={"text": "kab 4727"}, headers=key(Role.OPERATOR))
    assert (answer.status_code, answer.json()["text"], answer.json()["origin"]) == (200, "KAB4727", "corrected")
    correction = answer.json()["correction"]
    assert (correction["read"], correction["by"]) == ("KAB4721", "test")
    assert client.get(PATH).json() == answer.json()
    for text in ("KAB4721", "KAB4727"):
        assert len(client.get("/v1/passages", params={"text": text}).json()["items"]) == 1
    (entry, *_) = list_entries(database, action="correct_passage").items
    assert (entry.actor, entry.target, entry.outcome) == ("test", PASSAGE, "done")
    assert {name: entry.query[name] for name in ("read", "was", "plate")} == {
        "read": "KAB4721",
        "was": "KAB4721",
        "plate": "KAB4727",
    }
    assert client.patch(PATH, json={"text": None}).json()["correction"] is None
    assert plate(database) == "KAB4721"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (PATH, {"text": "-"}, 422, "text: '-' has 0 of A-Z"),
        (PATH, {"text": "京A 12345"}, 422, "text: '京A 12345' has '京'"),
        (PATH, {"text": "K?B*"}, 422, "text: 'K?B*' has '?'"),
        (PATH, {}, 422, "text"),
        (PATH, {"plate": "X"}, 422, "text"),
        ("/v1/passages/nope", {"text": "KAB4721"}, 404, "there is no passage 'nope'"),
    ],
)
def test_what_is_wrong_is_said(
    client: TestClient, stored: FrameResult, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    answer = client.patch(path, json=body)
    assert answer.status_code == status
    assert words in answer.json()["detail"]


def test_on_the_page(browser: TestClient, database: Database, key: Key) -> None:
    mark = log_in(browser, key(Role.OPERATOR))
    page = browser.post(FORM, data={"mark": mark, "text": "KAB 4727"})
    assert (page.status_code, page.url.path, plate(database)) == (200, f"/passages/{PASSAGE}", "KAB4727")
    assert re.search(r"<dt>read</dt><dd><span class=\"plate\">KAB4721</span> <small>98 %", page.text)
    assert "by test" in page.text
    assert "corrected, read as KAB4721" in browser.get("/plates").text
    wrong = browser.post(FORM, data={"mark": mark, "text": "KÄB<4"})
    assert wrong.status_code == 422
    assert "has &#39;&lt;&#39;, which is no part of a plate" in wrong.text
    assert browser.post(FORM, data={"mark": mark, "undo": "true"}).status_code == 200
    assert plate(database) == "KAB4721"


def test_no_other_site_can_send_the_form(browser: TestClient, database: Database, key: Key) -> None:
    mark = log_in(browser, key(Role.OPERATOR))
    for data in ({"text": "KAB4727"}, {"mark": "", "text": "KAB4727"}, {"mark": "0" * 64, "text": "KAB4727"}):
        assert browser.post(FORM, data=data).status_code == 403
    browser.cookies.clear()
    assert browser.post(FORM, data={"mark": mark, "text": "KAB4727"}).status_code == 401
    other = log_in(browser, key(Role.OPERATOR))  # a mark is worth nothing in another session
    assert other != mark
    assert browser.post(FORM, data={"mark": mark, "text": "KAB4727"}).status_code == 403
    assert plate(database) == "KAB4721"


def test_a_viewer_has_no_form_and_may_not_send_one(browser: TestClient, database: Database, key: Key) -> None:
    assert log_in(browser, key(Role.VIEWER)) == ""
    assert "with an operator&#39;s key" in browser.get(f"/passages/{PASSAGE}").text.replace("'", "&#39;")
    assert browser.post(FORM, data={"text": "KAB4727"}).status_code == 403
    assert plate(database) == "KAB4721"


def test_by_the_command(
    api_url: str, stored: FrameResult, database: Database, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGHTLINE_API_URL", api_url)
    monkeypatch.setenv("SIGHTLINE_API_KEY", key(Role.OPERATOR)["X-API-Key"])

    def run(*arguments: str) -> str:
        return CliRunner().invoke(commands, [*arguments]).output.strip()

    assert run("correct", PASSAGE, "kab-4727") == f"the plate of {PASSAGE} is KAB4727, read as KAB4721"
    assert "KAB4727 (read KAB4721)" in run("passages")
    assert run("correct", PASSAGE, "--undo") == f"the plate of {PASSAGE} is KAB4721, as it was read"
    for arguments in ([PASSAGE], [PASSAGE, "KAB4727", "--undo"]):
        refused = CliRunner().invoke(commands, ["correct", *arguments])
        assert isinstance(refused.exception, BadMessageError)
        assert "--undo" in str(refused.exception)
    assert plate(database) == "KAB4721"


async def test_from_python(api_url: str, stored: FrameResult, key: Key) -> None:
    api_key = key(Role.OPERATOR)["X-API-Key"]
    with Sightline(url=api_url, api_key=api_key) as client:
        passage = client.correct_passage(PASSAGE, "KAB 4727")
        assert (passage.text, passage.correction and passage.correction.read) == ("KAB4727", "KAB4721")
        assert list(client.passages("KAB4721")) == [passage]
        with pytest.raises(BadMessageError, match="there is no passage 'nope'"):
            client.correct_passage("nope", "KAB4727")
    async with AsyncSightline(url=api_url, api_key=api_key) as waiting:
        assert (await waiting.correct_passage(PASSAGE, None)).correction is None
