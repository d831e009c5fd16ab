"""Questions about what is stored, as people ask them: rows come of pictures, and the answer goes by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline import Sightline
from sightline.testing import make_picture
from tests.acceptance.parts.doors import Doors, opened_doors

QUESTION = "How many cars passed the gate in the last hour?"


@pytest.fixture
def doors(redis_url: str, tmp_path: Path) -> Iterator[Doors]:
    stubs = dict.fromkeys(("plates_model", "text_model", "objects_model", "recognizer"), "stub")
    with opened_doors(tmp_path, redis_url, **stubs) as opened:
        opened.system.start("detect", "ocr", "chat", "write")
        with Sightline(opened.settings) as client:
            for plate in ("AB12CD", "XY34ZW"):
                client.submit(make_picture(plate), pipeline="plates", source_id="gate").wait(60)
        yield opened


def test_how_many_cars_passed_the_gate(doors: Doors) -> None:
    code, said, complained = doors.run("ask", QUESTION)
    assert (code, complained) == (0, "")
    # The stub says back what it is asked; below stands the query, and what it found.
    answer, _, looked_up = said.partition("\n\ncount_passages(")
    assert "- 2 vehicles passed at gate from " in answer
    assert answer.endswith(f"Question: {QUESTION}")
    assert looked_up.startswith("source=['gate'], since=")
    assert ": 2 vehicles passed at gate from " in looked_up
    code, said, _ = doors.run("ask", "When did AB12CD last pass?", "--json")
    (found,) = json.loads(said)["lookups"]
    assert (code, found["name"], found["arguments"]) == (0, "last_passages", {"plate": "AB12CD", "limit": 1})
    assert [one["source_id"] for one in found["result"]["passages"]] == ["gate"]
    assert doors.run("ask", QUESTION, "--no-lookups") == (0, f"{QUESTION}\n", "")

    # As OpenAI's clients ask, whole and streamed.
    whole = doors.ask(QUESTION, extra_body={"lookups": True})
    assert whole.model_extra["lookups"][0]["result"] == {"count": 2, "by_source": {"gate": 2}}
    assert "- 2 vehicles passed at gate from " in whole.choices[0].message.content
    first, *others = doors.ask(QUESTION, extra_body={"lookups": True}, stream=True)
    assert first.model_extra["lookups"][0]["result"]["count"] == 2
    assert all("lookups" not in one.model_extra for one in others)
    assert "lookups" not in doors.ask(QUESTION).model_extra

    # Beside: which workers there are, as they say it themselves.
    code, said, _ = doors.run("workers", "--json")
    told = {row["stage"]: row for row in map(json.loads, said.splitlines())}
    assert (code, {*told}) == (0, {"detect", "ocr", "chat", "write"})
    assert told["chat"]["models"] == [{"name": "stub", "runtime": "stub"}]
    assert all(0 < row["memory_mb"] < row["memory_limit_mb"] for row in told.values())

    # Where nothing can be looked up, that is said.
    doors.system.settings = doors.settings.model_copy(update={"api_url": "http://127.0.0.1:9"})
    code, said, complained = doors.run("ask", QUESTION)
    assert (code, said) == (0, f"{QUESTION}\n")
    assert complained.startswith("what is stored cannot be looked up, so the model knows nothing of it: ")
