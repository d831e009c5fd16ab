"""What is wrong with a question is said in words: ids, ranges of time."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from storage.access.keys import Role
from tests.integration.api.uploading import Key


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/v1/dead-letters/nope", "letter_id: is no id of a dead letter; those have 16 of 0-9 and a-f (got 'nope')"),
        (
            "/v1/passages/a%20b",
            "passage_id: is no id of a passage; those have 1 to 80 letters, digits, - _ and . (got 'a b')",
        ),
        ("/v1/passages?country=Spain", "country: must be a country as in ISO 3166, in small letters"),
    ],
)
def test_no_regular_expression_is_shown(client: TestClient, path: str, words: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert "pattern" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/passages", "/v1/passages/export", "/v1/readings", "/v1/detections", "/v1/findings", "/v1/jobs"),
        *("/v1/dead-letters", "/v1/audit-log", "/v1/audit"),
    ],
)
def test_a_range_that_ends_before_it_begins_is_refused(client: TestClient, key: Key, path: str) -> None:
    asked = {"since": "2026-05-02T00:00:00Z", "until": "2026-05-01T00:00:00Z"}
    answer = client.get(path, params=asked, headers=key(Role.ADMIN))
    assert (answer.status_code, answer.json()["field"]) == (422, "until"), answer.json()
    assert "since" in answer.json()["detail"]
