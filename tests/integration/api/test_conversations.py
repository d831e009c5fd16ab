"""What is asked under an id is kept for its key alone, goes with it or by age; the model is told what was said."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import httpx
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from producers.api.openai import conversations as routes
from sightline.blobs.opening import open_frame_store
from sightline.cli.jobs.talk import ask_in_conversation
from sightline.delivery.publisher import Publisher
from sightline.errors import BadMessageError, StoreUnavailableError
from sightline.pipelines.chat import ChatResult
from sightline.settings import Settings
from sightline.types import Lane
from sightline.wire.messages import Job, Message
from storage.access.keys import Role, create_key
from storage.database.engine import Database
from storage.retention.retention import Horizons, count_old, remove_old
from storage.tables import Jobs, Messages
from tests.stores import open_store


class Talk:
    """Asks the API, and plays the model, which says back how many messages it was told and the last of them."""

    def __init__(self, url: str, settings: Settings, database: Database) -> None:
        self.url, self._database = url, database
        self.ledger = Publisher.from_settings(settings).ledger
        self.told: list[list[dict[str, Any]]] = []
        self.keys = {role: create_key(database, role, role) for role in Role} | {
            "other": create_key(database, "other", Role.OPERATOR)
        }

    def call(self, method: str, path: str, who: str = Role.OPERATOR, **body: Any) -> httpx.Response:
        headers = {"X-API-Key": self.keys[who]}
        return httpx.request(method, f"{self.url}/v1{path}", headers=headers, timeout=60, trust_env=False, **body)

    def ask(self, text: Any, who: str = Role.OPERATOR, key: str = "", **given: Any) -> httpx.Response:
        body = {"model": "smollm2", "messages": [{"role": "user", "content": text}], "conversation": "gate", **given}
        headers = {"X-API-Key": self.keys[who]} | ({"Idempotency-Key": key} if key else {})
        with self.answering():
            return httpx.post(
                f"{self.url}/v1/chat/completions", json=body, headers=headers, timeout=60, trust_env=False
            )

    @contextmanager
    def answering(self) -> Iterator[None]:
        """There is a model, for one question."""
        ended = threading.Event()
        model = threading.Thread(target=self._answer, args=(ended,))
        model.start()
        try:
            yield
        finally:
            ended.set()
            model.join()

    def _answer(self, ended: threading.Event) -> None:
        while not (jobs := self.ledger.open_jobs(limit=1)):
            if ended.is_set():
                return
            time.sleep(0.01)
        job = jobs[0]
        messages = json.loads(job.frames[0].parts[0].text or "")
        self.told.append(messages)
        self.end(job, ChatResult(frame=job.frames[0], answer=f"{len(messages)}: {messages[-1]['content']}"))

    def end(self, job: Job, result: ChatResult) -> None:
        (stored,) = open_store(self._database, passage_gap_s=10).store([Message(job=job, results=(result,))], ())
        self.ledger.settle_together([(job.job_id, stored.counts, stored.result.model_dump_json())])

    def said(self, who: str = Role.OPERATOR) -> list[tuple[str, str]]:
        answer = self.call("GET", "/conversations/gate", who)
        assert answer.status_code == 200, answer.text
        return [(one["role"], one["content"]["content"]) for one in answer.json()["messages"]]


@pytest.fixture
def talk(api_url: str, settings: Settings, database: Database) -> Talk:
    return Talk(api_url, settings, database)


def test_the_model_is_told_what_was_said_before(talk: Talk) -> None:
    first = talk.ask(
        "Hello", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    )
    assert first.json()["choices"][0]["message"]["content"] == "2: Hello"
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}}
    assert talk.ask([{"type": "text", "text": "And this?"}, picture]).status_code == 400
    again = talk.ask("And now?", stream=True)
    assert "4: And now?" in again.text
    assert [one["role"] for one in talk.told[-1]] == ["system", "user", "assistant", "user"]
    assert talk.said() == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", "2: Hello"),
        ("user", "And now?"),
        ("assistant", "4: And now?"),
    ]
    assert talk.ask("Alone", conversation=None).json()["choices"][0]["message"]["content"] == "1: Alone"
    refused = talk.ask("Hi", conversation="no id")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "conversation")


def test_a_question_that_is_repeated_is_one(talk: Talk) -> None:
    talk.ask("Hello")
    for _ in range(2):
        answer = talk.ask("Once", key="once")
        assert answer.json()["choices"][0]["message"]["content"] == "3: Once"
    assert [role for role, _ in talk.said()] == ["user", "assistant"] * 2


def test_it_is_of_its_key_alone(talk: Talk) -> None:
    talk.ask("A secret")
    for method in ("GET", "DELETE"):
        assert talk.call(method, "/conversations/gate", "other").status_code == 404
        assert talk.call(method, "/conversations/gate", Role.VIEWER).status_code == 403
    assert talk.call("GET", "/conversations", "other").json()["items"] == []
    refused = talk.ask("What was said?", "other")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "conversation_not_found")
    assert len(talk.told) == 1
    assert [one["conversation_id"] for one in talk.call("GET", "/conversations").json()["items"]] == ["gate"]
    assert talk.said(Role.ADMIN)[0] == ("user", "A secret")


def test_it_is_forgotten_with_its_answers(talk: Talk, database: Database) -> None:
    job_id = talk.ask("A secret").json()["id"].removeprefix("chatcmpl-")
    gone = talk.call("DELETE", "/conversations/gate").json()
    assert (gone["conversations"], gone["frames"], gone["job_ids"]) == (1, 1, [job_id])
    assert talk.call("GET", "/conversations/gate").status_code == 404
    assert talk.call("GET", f"/jobs/{job_id}").status_code == 404
    talk.ask("Another")
    source = talk.call("DELETE", "/sources/chat.operator/data", Role.ADMIN).json()
    assert source["frames"] == 1
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Messages)) == 0
    assert talk.call("GET", "/conversations").json()["items"] == []


def test_what_could_not_be_forgotten_can_be_tried_again(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or its answers would stay, and nobody would know by which name to find them."""
    job_id = talk.ask("A secret").json()["id"].removeprefix("chatcmpl-")

    def away(*_: object) -> NoReturn:
        raise StoreUnavailableError("the database does not answer")

    with monkeypatch.context() as broken:
        broken.setattr(routes, "erase_jobs", away)
        assert talk.call("DELETE", "/conversations/gate").status_code == 503
    assert talk.call("DELETE", "/conversations/gate").json()["frames"] == 1
    assert talk.call("GET", "/conversations/gate").status_code == 404
    assert talk.call("GET", f"/jobs/{job_id}").status_code == 404


def test_what_was_not_accepted_was_not_said(talk: Talk) -> None:
    talk.ask("Hello")
    refused = talk.ask("Hi", response_format={"type": "json_schema", "json_schema": {"schema": {"type": "odd"}}})
    assert refused.status_code == 400
    assert len(talk.said()) == 2


def test_a_question_without_an_answer_is_shown_not_told_and_forgotten(talk: Talk, database: Database) -> None:
    talk.ask("Hello")
    started = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A long story"}]
    body = {"model": "smollm2", "messages": started, "conversation": "gate", "background": True}
    headers = {"X-API-Key": talk.keys[Role.OPERATOR]}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{talk.url}/v1/chat/completions", json=body, headers=headers, timeout=1, trust_env=False)
    (open_job,) = talk.ledger.open_jobs(limit=2)
    refused = talk.call("DELETE", "/conversations/gate")
    assert refused.status_code == 409
    assert open_job.job_id in refused.json()["detail"]
    talk.end(open_job, ChatResult(frame=open_job.frames[0], dropped="cancelled"))
    talk.ask("And now?")
    assert [(one["role"], one["content"]) for one in talk.told[-1]] == [
        ("system", "Be brief."),
        ("user", "Hello"),
        ("assistant", "1: Hello"),
        ("user", "And now?"),
    ]
    assert ("user", "A long story") in talk.said()
    assert open_job.job_id in talk.call("DELETE", "/conversations/gate").json()["job_ids"]
    with database.read() as connection:
        assert "A long story" not in str(connection.execute(sa.select(Jobs.__table__)).all())


def test_what_is_wrong_is_named_by_its_place_in_what_was_sent(talk: Talk) -> None:
    talk.ask("Hello")
    picture = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA"}}
    for content, place in ((5, "messages.0.content"), ([picture], "messages.0.content.0")):
        refused = talk.ask(content)
        assert refused.status_code == 400
        assert refused.json()["error"]["message"].startswith(f"{place}: ")


def test_it_goes_by_age(talk: Talk, settings: Settings, database: Database) -> None:
    talk.ask("Hello")
    talk.said()
    pictures = open_frame_store(settings.picture_store_url, ttl_s=None)
    now = datetime.now(UTC)
    for later, left in ((timedelta(days=364), 2), (timedelta(days=366), 0)):
        horizons = Horizons.from_settings(settings, now + later)
        counted = count_old(database, pictures, horizons, now + later)
        removed = remove_old(database, pictures, horizons, now + later, wait=lambda _: False)
        assert counted["messages"] == removed["messages"] == 2 - left
        with database.read() as connection:
            assert connection.scalar(sa.select(sa.func.count()).select_from(Messages)) == left
    assert talk.call("GET", "/conversations/gate").status_code == 404


def test_the_command_goes_on_with_it(talk: Talk, settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    ours = settings.model_copy(
        update={"api_url": f"http://127.0.0.1:{settings.api_port}", "api_key": SecretStr(talk.keys[Role.OPERATOR])}
    )
    for text, as_json in (("Hello", False), ("And now?", True)):
        with talk.answering():
            ask_in_conversation(
                text, "gate", ours, {"max_tokens": 9}, lane=Lane.BULK, lookups=False, silent_s=60, as_json=as_json
            )
    plain, _, told = capsys.readouterr().out.partition("\n")
    assert plain == "1: Hello"
    assert json.loads(told)["answer"] == "3: And now?"
    with pytest.raises(BadMessageError, match="question: is empty"):
        ask_in_conversation("", "gate", ours, {}, lane=Lane.BULK, lookups=False, silent_s=1, as_json=False)
    with pytest.raises(BadMessageError, match="conversation: is no name"):
        ask_in_conversation("Hi", "no id", ours, {}, lane=Lane.BULK, lookups=False, silent_s=60, as_json=False)
    others = ours.model_copy(update={"api_key": SecretStr(talk.keys["other"])})
    with pytest.raises(BadMessageError, match="there is no conversation 'gate'"):
        ask_in_conversation("Hi", "gate", others, {}, lane=Lane.BULK, lookups=False, silent_s=60, as_json=False)
