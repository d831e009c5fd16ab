"""Which named queries a question comes to, and what they may be given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sightline.chat.lookups.named import LOOKUPS, Found, arguments_of, call_of, tools
from sightline.chat.lookups.rules import calls_for, may_be_about_rows
from sightline.chat.lookups.times import NotUnderstoodError, range_in
from sightline.chat.lookups.told import prompt_of, sources_of
from sightline.errors import BadMessageError

#: A Monday.
ASKED_AT = datetime(2026, 11, 30, 14, 48, tzinfo=timezone(timedelta(hours=1)))
SOURCES = ("gate-1", "gate-2", "cam0", "Parking_North", "yard")
TODAY = "2026-11-30T00:00:00+01:00"
YESTERDAY = "2026-11-29T00:00:00+01:00"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (
            "How many cars passed the gate today?",
            [("count_passages", {"source": ["gate-1", "gate-2"], "since": TODAY})],
        ),
        ("Which was the last car at gate-2?", [("last_passages", {"source": ["gate-2"], "limit": 1})]),
        (
            "how many staff cars arrived at parking north?",
            [("count_passages", {"source": ["Parking_North"], "list": "staff"})],
        ),
        ("When did AB12CD last pass?", [("last_passages", {"plate": "AB12CD", "limit": 1})]),
        (
            "How often was AB 12 CD seen today?",
            [
                ("count_passages", {"since": TODAY, "plate": "AB 12 CD"}),
                ("last_passages", {"since": TODAY, "plate": "AB 12 CD"}),
            ],
        ),
        ("Did KAB4721 pass yesterday?", [("last_passages", {"since": YESTERDAY, "until": TODAY, "plate": "KAB4721"})]),
        ("Who came through the yard today?", [("last_passages", {"source": ["yard"], "since": TODAY})]),
        ("What is the status of job 01a22cea9e1837ea?", [("job_status", {"job_id": "01a22cea9e1837ea"})]),
        ("Which cameras are there?", [("sources", {})]),
        ("How many cars are there in Germany?", []),
        ("Who invented the car?", []),
        ("Why do cars rust after years?", []),
        (
            "How many cars passed the yard 1 day ago?",
            [("count_passages", {"source": ["yard"], "since": YESTERDAY, "until": TODAY})],
        ),
        ("Which was the last car next to the yard?", [("last_passages", {"source": ["yard"], "limit": 1})]),
        ("What is the capital of France?", []),
        ("Who left the company?", []),
        ("Is the last job as good as the job described?", []),
    ],
)
def test_plain_rules_find_query_source_time_list_and_plate(question: str, expected: list[Any]) -> None:
    calls = calls_for(question, ASKED_AT, SOURCES, ["staff", "blocked"])
    assert [(one.name, arguments_of(one)) for one in calls] == expected
    assert may_be_about_rows(question) or not expected


@pytest.mark.parametrize(
    ("words", "since", "until"),
    [
        ("today", TODAY, None),
        ("yesterday", YESTERDAY, TODAY),
        ("on Saturday", "2026-11-28T00:00:00+01:00", "2026-11-29T00:00:00+01:00"),
        ("on Monday", "2026-11-23T00:00:00+01:00", "2026-11-24T00:00:00+01:00"),
        ("this week", TODAY, None),
        ("this month", "2026-11-01T00:00:00+01:00", None),
        ("in the last 2 hours", "2026-11-30T12:48:00+01:00", None),
        ("in the past week", "2026-11-23T14:48:00+01:00", None),
        ("since 8:30", "2026-11-30T08:30:00+01:00", None),
        ("after 6 pm yesterday", "2026-11-29T18:00:00+01:00", TODAY),
        ("before 12 am yesterday", YESTERDAY, YESTERDAY),
        ("yesterday between 8 and 10", "2026-11-29T08:00:00+01:00", "2026-11-29T10:00:00+01:00"),
        ("from 7am to 9:15am", "2026-11-30T07:00:00+01:00", "2026-11-30T09:15:00+01:00"),
        ("this morning", TODAY, "2026-11-30T12:00:00+01:00"),
        ("on 2026-11-01", "2026-11-01T00:00:00+01:00", "2026-11-02T00:00:00+01:00"),
        ("in the last two hours", "2026-11-30T12:48:00+01:00", None),
        ("in the last half an hour", "2026-11-30T14:18:00+01:00", None),
        ("since midnight", TODAY, None),
        ("since yesterday", YESTERDAY, None),
        ("since 2026-11-01", "2026-11-01T00:00:00+01:00", None),
        ("3 days ago", "2026-11-27T00:00:00+01:00", "2026-11-28T00:00:00+01:00"),
        ("two hours ago", "2026-11-30T12:48:00+01:00", "2026-11-30T13:48:00+01:00"),
        ("last month", "2026-10-01T00:00:00+01:00", "2026-11-01T00:00:00+01:00"),
        ("this year", "2026-01-01T00:00:00+01:00", None),
        ("after 8 cars", None, None),
        ("", None, None),
    ],
)
def test_times_are_those_of_who_asks(words: str, since: str | None, until: str | None) -> None:
    found = range_in(f"How many cars passed {words}?", ASKED_AT)
    assert [one and one.isoformat() for one in found] == [since, until]


@pytest.mark.parametrize(
    "words",
    [
        "in 2006",
        "on 26.10.2006",
        "on 2026-02-31",
        "tomorrow",
        "since 25:00",
        "before yesterday",
        "next Monday",
        "in October",
        "in the last 3 months",
        "yesterday night",
        "between Monday and Friday",
    ],
)
def test_a_time_that_no_rule_knows_is_not_left_out(words: str) -> None:
    with pytest.raises(NotUnderstoodError, match=r"the time '.+' was not understood; ask with today"):
        calls_for(f"How many cars passed {words}?", ASKED_AT, SOURCES, [])


@pytest.mark.parametrize("name", ["gate-2", "gate 2", "gate_north"])
def test_a_source_that_there_is_not_is_no_other(name: str) -> None:
    with pytest.raises(NotUnderstoodError, match=f"the source '{name}' was not understood; there are gate, yard"):
        calls_for(f"How many cars passed at {name} today?", ASKED_AT, ["gate", "yard"], [])


def test_a_time_before_all_others_is_refused() -> None:
    with pytest.raises(BadMessageError, match="asked_at: 0001-01-01"):
        range_in("yesterday", datetime(1, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("drop_table", {}, "name: 'drop_table' is no query; there are count_passages, last_passages"),
        ("count_passages", {"sql": "select 1"}, "sql: no argument of count_passages; it has source, since"),
        ("count_passages", {"since": "2026-01-01T00:00:00"}, "since: Input should have timezone info"),
        ("count_passages", {"since": "0001-01-01T00:00:00Z"}, "since: Value error, no time that every zone can tell"),
        ("count_passages", {"source": "gate'; drop table passages"}, "source.0: String should match pattern"),
        ("last_passages", {"limit": 1000}, "limit: Input should be less than or equal to 20"),
        ("job_status", {}, "job_id: Field required"),
        ("sources", "all", "arguments: Input should be a valid dictionary"),
        ("count_passages", {"since": TODAY, "until": YESTERDAY}, "must be before `until`"),
    ],
)
def test_what_a_model_may_give_is_checked(name: str, arguments: Any, said: str) -> None:
    with pytest.raises(BadMessageError) as caught:
        call_of(name, arguments)
    assert said in str(caught.value)


def test_queries_are_tools_of_openais_clients() -> None:
    assert [tool["function"]["name"] for tool in tools()] == [*LOOKUPS]
    (count, *_) = tools()
    assert count["function"]["description"] == "How many vehicles passed, together and at each source."
    assert set(count["function"]["parameters"]["properties"]) == {"source", "since", "until", "plate", "list"}
    assert arguments_of(call_of("count_passages", {"source": "gate"})) == {"source": ["gate"]}


def test_the_model_is_told_what_was_found_and_people_from_which_query() -> None:
    found = Found(name="sources", arguments={}, result={"count": 1}, text="Vehicles passed at 1 sources: gate.")
    assert prompt_of("Hi?", []) == "Hi?"
    told = prompt_of("Which?", [found])
    assert told.startswith("Looked up for this question:\n- Vehicles passed at 1 sources: gate.")
    assert told.endswith("Question: Which?")
    assert sources_of([found]) == "sources(): Vehicles passed at 1 sources: gate."
