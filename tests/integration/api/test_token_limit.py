"""Who asks models for too many tokens is told to wait; other keys do not notice, and what an answer cost is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline import Sightline
from sightline.chat.token_budget import TokenBudget
from sightline.delivery.publisher import Publisher
from sightline.errors import TokensUsedError
from sightline.ids import new_id
from sightline.redis.connection import connect
from sightline.settings import Settings
from storage.access.keys import Role, create_key
from storage.database.engine import Database

LIMIT = 1000


@pytest.fixture
def budget(settings: Settings) -> Iterator[TokenBudget]:
    redis = connect(settings.redis_url)
    yield TokenBudget(redis)
    redis.close()


@pytest.fixture
def limited(database: Database) -> dict[str, str]:
    return {"X-API-Key": create_key(database, "limited", Role.OPERATOR, tokens_per_minute=LIMIT)}


def submit(client: TestClient, headers: dict[str, str], text: str = "Where?", **options: Any) -> Any:
    body = {"pipeline": "chat", "texts": [text], "options": options}
    return client.post("/v1/jobs/json", json=body, headers=headers)


def remaining(answer: Any) -> int:
    return int(answer.headers["x-ratelimit-remaining-tokens"])


def test_a_key_is_told_how_its_tokens_stand_and_when_to_come_again(
    client: TestClient, settings: Settings, limited: dict[str, str]
) -> None:
    first = submit(client, limited, max_tokens=400)
    assert first.status_code == 202
    assert first.headers["x-ratelimit-limit-tokens"] == str(LIMIT)
    assert 590 <= remaining(first) <= 600
    assert float(first.headers["x-ratelimit-reset-tokens"].removesuffix("s")) == pytest.approx(24, abs=1)
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080") as another_process:
        assert submit(another_process, limited, max_tokens=400).status_code == 202
        refused = submit(another_process, limited, max_tokens=400)
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:sightline:tokens_per_minute"
    assert "'limited': 1000 tokens a minute, of which " in refused.json()["detail"]
    assert 10 <= int(refused.headers["retry-after"]) <= 13
    assert 190 <= remaining(refused) <= 210
    asked = {"model": "smollm2", "messages": [{"role": "user", "content": "Where?"}], "max_tokens": 400}
    as_openai = client.post("/v1/chat/completions", json=asked, headers=limited)
    assert as_openai.status_code == 429
    assert as_openai.json()["error"]["type"] == "rate_limit_error"
    assert int(as_openai.headers["retry-after"]) >= 10
    assert as_openai.headers["x-ratelimit-limit-tokens"] == str(LIMIT)
    ledger = Publisher.from_settings(settings).ledger
    assert sum(ledger.open_frames().values()) == 2, "what was refused is nowhere"
    others = submit(client, {}, max_tokens=400)
    assert others.status_code == 202
    assert "x-ratelimit-limit-tokens" not in others.headers


def test_what_would_never_fit_is_refused_at_once(client: TestClient, limited: dict[str, str]) -> None:
    for text, most, field in (("Where?", 1000, "max_tokens"), ("word " * 1000, None, "messages")):
        refused = submit(client, limited, text, **({"max_tokens": most} if most else {}))
        assert (refused.status_code, refused.json()["field"]) == (422, field)
        assert "API key 'limited' has 1000 a minute" in refused.json()["detail"]
    not_said = submit(client, limited)  # an answer may take all there is
    assert (not_said.status_code, remaining(not_said)) == (202, 0)


def test_the_setting_is_the_limit_of_keys_that_have_none(settings: Settings, database: Database) -> None:
    given = settings.model_copy(update={"chat_tokens_per_minute": 500})
    with TestClient(create_app(given), base_url="http://127.0.0.1:8080") as client:
        for limit, expected in ((None, "500"), (2000, "2000"), (0, None)):
            key = create_key(database, "some", Role.OPERATOR, tokens_per_minute=limit)
            answer = submit(client, {"X-API-Key": key}, max_tokens=100)
            assert (answer.status_code, answer.headers.get("x-ratelimit-limit-tokens")) == (202, expected)


def test_a_refused_job_costs_nothing(settings: Settings, limited: dict[str, str], database: Database) -> None:
    full = settings.model_copy(update={"max_open_frames_per_source": 1})
    with TestClient(create_app(full), base_url="http://127.0.0.1:8080") as client:
        first = submit(client, limited, max_tokens=100)
        refused = submit(client, limited, max_tokens=100)
        assert refused.json()["type"] == "urn:sightline:backlog_full"
        jobs = client.get("/v1/jobs?status=open", headers=limited).json()["items"]
        client.app.state.services.publisher.ledger.settle(jobs[0]["job_id"], {"api": {"stored": 1}})  # type: ignore[attr-defined]
        again = submit(client, limited, max_tokens=100)
    assert remaining(first) - 115 < remaining(again) < remaining(first)


def test_what_the_live_lane_refuses_costs_nothing(settings: Settings, limited: dict[str, str]) -> None:
    full = settings.model_copy(update={"live_max_open_frames": 1})
    asked = {"pipeline": "chat", "lane": "live", "options": {"max_tokens": 400}}
    with TestClient(create_app(full), base_url="http://127.0.0.1:8080") as client:
        first, refused = (
            client.post("/v1/jobs/json", json={**asked, "texts": [text]}, headers=limited) for text in ("One?", "Two?")
        )
        assert refused.json()["type"] == "urn:sightline:backlog_full"
        again = submit(client, limited, max_tokens=400)
    assert (first.status_code, again.status_code) == (202, 202)


def test_an_answer_costs_what_it_cost(budget: TokenBudget) -> None:
    who, job = new_id(), new_id()
    assert budget.take(who, job, 900, LIMIT).wait_s == 0
    assert budget.take(who, job, 900, LIMIT).left < 150, "asked again it is the same question"
    refused = budget.take(who, new_id(), 300, LIMIT)
    assert refused.wait_s == pytest.approx(12, abs=1)
    budget.correct({job: 100, new_id(): 5})
    budget.correct({job: 900})  # it is written twice
    assert budget.take(who, new_id(), 850, LIMIT).wait_s == 0
    assert budget.take(who, job, 900, LIMIT).wait_s == 0, "its answer is there"
    more, other = new_id(), new_id()
    assert budget.take(other, more, 100, LIMIT).wait_s == 0
    budget.correct({more: 2000})
    assert budget.take(other, new_id(), 1, LIMIT).wait_s == pytest.approx(60, abs=2)
    uncounted, third = new_id(), new_id()
    budget.take(third, uncounted, 500, LIMIT)
    budget.correct({uncounted: None})
    assert budget.take(third, new_id(), 1, LIMIT).left == pytest.approx(500, abs=30)


def test_a_bucket_fills_again_and_goes_by_itself(budget: TokenBudget, settings: Settings) -> None:
    who, fast = new_id(), 600_000
    assert budget.take(who, new_id(), fast, fast).left == 0
    refused = budget.take(who, new_id(), 1000, fast)
    assert 0 < refused.wait_s <= 0.1
    time.sleep(refused.wait_s)
    assert budget.take(who, new_id(), 1000, fast).wait_s == 0
    redis = connect(settings.redis_url)
    assert 0 < redis.pttl(f"sightline:tokens:of:{who}") <= 60_000  # type: ignore[operator]
    redis.close()


def test_clients_are_told_when_to_repeat_it(api_url: str, limited: dict[str, str]) -> None:
    with Sightline(url=api_url, api_key=limited["X-API-Key"]) as client:
        client.submit(text="Where?", pipeline="chat", options={"max_tokens": 900})
        with pytest.raises(TokensUsedError, match="ask again in") as refused:
            client.submit(text="Where?", pipeline="chat", options={"max_tokens": 900})
    assert refused.value.retry_after_s > 30
