"""Questions about what is stored, over HTTP: chosen by rules, or called by name as tools."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sightline.types import FrameResult
from tests.integration.api.uploading import Key

pytestmark = pytest.mark.usefixtures("stored")

#: The day of the passage.
ASKED_AT = "2026-01-02T20:00:00+00:00"


def look_up(client: TestClient, question: str, **more: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/lookups/of-question", params={"question": question, "asked_at": ASKED_AT, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["found"]


def test_a_question_is_answered_by_stored_rows(client: TestClient) -> None:
    (found,) = look_up(client, "How many cars passed the gate today?")
    assert found == {
        "name": "count_passages",
        "arguments": {"source": ["gate"], "since": "2026-01-02T00:00:00Z"},
        "result": {"count": 1, "by_source": {"gate": 1}},
        "text": "1 vehicle passed at gate from 2026-01-02 00:00 until now.",
    }
    (none,) = look_up(client, "How many cars passed the gate yesterday?")
    assert none["result"] == {"count": 0, "by_source": {}}
    (last,) = look_up(client, "When did KAB 4721 last pass?")
    assert last["text"].endswith("the newest first: KAB4721 at gate, 2026-01-02 00:00.")
    (job,) = look_up(client, "What became of job job-000001?")
    assert job["text"].startswith("Job job-000001 of pipeline plates with 2 items is dead")
    (sources,) = look_up(client, "Which cameras are there?")
    assert sources["result"] == {"sources": ["gate"], "count": 1}
    assert look_up(client, "What is the capital of France?") == []


def test_what_is_not_understood_is_said_and_nothing_counted(client: TestClient) -> None:
    for what, words, asked in (
        ("time", "passed in 2006", "How many cars passed in 2006?"),
        ("source", "gate-2", "How many cars at gate-2?"),
    ):
        (found,) = look_up(client, asked)
        assert (found["name"], found["result"]) == ("no_lookup", {"not_understood": words})
        assert found["text"].startswith(f"Nothing was looked up, as the {what} {words!r} was not understood; ")
    asked_at = {"asked_at": "0001-01-01T00:00:00+00:00"}
    answer = client.get("/v1/lookups/of-question", params={"question": "How many cars passed yesterday?"} | asked_at)
    assert (answer.status_code, "asked_at: 0001-01-01" in answer.text) == (422, True)
    messages = [{"role": "user", "content": "How many cars passed yesterday?"}]
    asked = {"model": "default", "messages": messages, "lookups": True} | asked_at
    assert client.post("/v1/chat/completions", json=asked).status_code == 400


def test_times_are_told_in_the_zone_of_who_asks(client: TestClient) -> None:
    (found,) = look_up(client, "How many cars passed today?", asked_at="2026-01-02T20:00:00+05:00")
    assert found["text"] == "1 vehicle passed at all sources from 2026-01-02 00:00 until now."
    (found,) = look_up(client, "Which car passed last?", asked_at="2026-01-02T20:00:00+05:00")
    assert "KAB4721 at gate, 2026-01-02 05:00" in found["text"]


def test_a_model_calls_them_by_name_and_what_there_is_not_is_refused(client: TestClient) -> None:
    names = [tool["function"]["name"] for tool in client.get("/v1/lookups").json()["tools"]]
    assert names == ["count_passages", "last_passages", "sources", "job_status"]
    given = {"plate": "KAB*", "source": "gate"}
    assert client.post("/v1/lookups/count_passages", json={"arguments": given}).json()["result"]["count"] == 1
    assert client.post("/v1/lookups/sources").json()["result"]["count"] == 1
    for path, arguments, said in (
        ("count_passages", {"source": "gaet"}, "source: 'gaet' is unknown; there are gate"),
        ("count_passages", {"list": "staff"}, "list: 'staff' is unknown; there are none"),
        ("count_passages", {"sql": "x"}, "sql: no argument of count_passages"),
        ("drop", {}, "name: 'drop' is no query"),
    ):
        answer = client.post(f"/v1/lookups/{path}", json={"arguments": arguments})
        assert (answer.status_code, said in answer.text) == (422, True), answer.text


def test_it_takes_a_key_that_may_query(client: TestClient, key: Key) -> None:
    asked = {"question": "How many cars passed today?"}
    far = {"X-Forwarded-For": "203.0.113.9"}
    assert (
        client.get("/v1/lookups/of-question", params=asked, headers=far | {"X-API-Key": "sl_no_key"}).status_code == 401
    )
    assert client.get("/v1/lookups/of-question", params=asked, headers=far | key("viewer")).status_code == 200


def test_counts_leave_out_what_does_not_fit(client: TestClient, stored: FrameResult) -> None:
    before = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    for arguments, count in (({"until": before}, 0), ({"since": before}, 1), ({"plate": "XX*"}, 0)):
        answer = client.post("/v1/lookups/count_passages", json={"arguments": arguments})
        assert answer.json()["result"]["count"] == count, stored
