"""Dead letters over HTTP: shown with the reason in words, replayed as jobs of their own, discarded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sightline.blobs.names import frames_name
from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.delivery.publisher import Publisher
from sightline.settings import Settings
from sightline.testing import make_picture
from sightline.types import FrameError, FrameRef, FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from storage.access.keys import Role, create_key
from storage.database.engine import Database
from storage.results.dead_letters import bury_message
from tests.stores import open_store

PICTURE = make_picture("AB12CD")
NAMES = ["first", "second", "third"]


class World:
    """Redis, database and stores without workers; what a writer would do is done by hand."""

    def __init__(self, settings: Settings, database: Database, client: TestClient) -> None:
        self.database = database
        self.client = client
        self.publisher = Publisher.from_settings(settings)
        self.pictures: FrameStore = open_frame_store(settings.picture_store_url, ttl_s=None)

    def kill(self, name: str, *, reason: str = "model_unavailable", source: str = "gate", picture: bool = True) -> str:
        """Publish a frame and let it die; returns its letter's id."""
        frame = FrameRef(frame_id=f"frame-{name}", source_id=source, captured_at=datetime(2026, 1, 2, tzinfo=UTC))
        job = Job(job_id=f"job-{name}", pipeline=Pipeline.OBJECTS, lane=Lane.LIVE, frames=(frame,))
        self.publisher.publish(job, {frame.frame_id: PICTURE})
        if picture:
            self.pictures.put_many({frame.frame_id: PICTURE})
        self.finish(job, reason, kept={frame.frame_id} if picture else set())
        return self.letters()[0]["letter_id"]

    def finish(self, job: Job, reason: str | None, kept: set[str] | None = None) -> None:
        """As the write stage ends a job: dead for a reason, or stored."""
        error = FrameError(reason=reason, message="no weights", stage="detect") if reason else None
        results = tuple(FrameResult(frame=frame, error=error) for frame in job.frames)
        (stored,) = open_store(self.database, passage_gap_s=10).store([Message(job=job, results=results)], kept or ())
        self.publisher.ledger.settle(job.job_id, stored.counts)
        self.publisher.frames.delete_bundles({frames_name(job.job_id): [frame.frame_id for frame in job.frames]})

    def letters(self, query: str = "") -> list[dict[str, Any]]:
        return self.client.get(f"/v1/dead-letters{query}").json()["items"]

    def act(self, what: str, **choice: Any) -> Any:
        return self.client.post(f"/v1/dead-letters/{what}", json=choice)

    def open_jobs(self) -> list[Job]:
        return self.publisher.ledger.open_jobs()

    def audit(self) -> dict[str, Any]:
        return self.client.get("/v1/audit").json()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_open_frames_per_source": 2})


@pytest.fixture
def world(settings: Settings, database: Database, client: TestClient) -> Iterator[World]:
    running = World(settings, database, client)
    yield running
    running.publisher.close()


def test_a_letter_is_shown_with_its_reason_in_words(world: World) -> None:
    name = world.kill("first")
    letter = world.client.get(f"/v1/dead-letters/{name}").json()
    assert (letter["letter_id"], letter["reason"], letter["state"], letter["times"]) == (
        name,
        "model_unavailable",
        "open",
        1,
    )
    assert "docs/reference/models.md" in letter["explanation"]
    picture = world.client.get(letter["links"]["picture"])
    assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
    assert world.client.get(letter["links"]["job"]).json()["status"] == "dead"
    page = world.client.get(f"/dead-letters/{name}").text
    assert letter["links"]["picture"] in page
    assert f"sightline dead-letters replay {name}" in page
    live = world.client.get("/live").text
    assert f"/dead-letters/{name}" in live
    assert "<b>1</b><span>dead letters</span>" in live


def test_a_replay_is_one_job_until_it_died_again(world: World) -> None:
    name = world.kill("first")
    for _ in range(2):  # as after a crash of whoever replays
        assert world.act("replay", ids=[name]).json() == {"count": 1, "refused": [], "next_cursor": None}
    (job,) = world.open_jobs()
    assert (job.job_id != "job-first", job.lane, job.pipeline, job.deadline_at) == (
        True,
        Lane.BULK,
        Pipeline.OBJECTS,
        None,
    )
    assert [frame.frame_id for frame in job.frames] == ["frame-first"]
    assert world.publisher.frames.get_bundle(frames_name(job.job_id), ["frame-first"]) == [PICTURE]
    assert world.client.get("/v1/queues").json()["depths"]["gpu.detect"] == 2  # the first job's and the replay's
    assert world.letters()[0]["state"] == "replayed"

    world.finish(job, "worker_lost")
    (again,) = world.letters()
    assert (again["letter_id"], again["state"], again["times"], again["reason"]) == (name, "open", 2, "worker_lost")
    assert world.act("replay", reason="worker_lost").json()["count"] == 1
    (second,) = world.open_jobs()
    assert second.job_id != job.job_id

    world.finish(second, None)
    assert world.letters() == []
    assert world.letters("?ended=true")[0]["state"] == "stored"
    assert "dead letters</span>" in world.client.get("/live").text
    assert "<b>0</b><span>dead letters</span>" in world.client.get("/live").text
    audit = world.audit()
    (gate,) = audit["sources"]
    assert audit["balanced"]
    assert {key: gate[key] for key in ("published", "stored", "dead", "dead_rows", "rows", "open")} == {
        "published": 3,
        "stored": 1,
        "dead": 2,
        "dead_rows": 2,
        "rows": 1,
        "open": 0,
    }


def test_what_cannot_be_replayed_says_why(world: World) -> None:
    replayable, without = world.kill("first"), world.kill("second", picture=False)
    bury_message(world.database, {"stage": "detect", "reason": "bad_message", "message": "v: 2", "payload": {"v": 2}})
    message = world.letters("?reason=bad_message")[0]["letter_id"]
    for name, says in ((without, "picture was not kept"), (message, "no job")):
        answer = world.act("replay", ids=[replayable, name])
        assert answer.status_code == 409
        assert name in answer.json()["detail"]
        assert says in answer.json()["detail"]
    assert world.open_jobs() == []  # not even the one that could have been
    assert world.client.get(f"/v1/dead-letters/{message}/picture").status_code == 404
    assert world.client.get(f"/v1/dead-letters/{without}/picture").status_code == 404
    shown = world.client.get(f"/v1/dead-letters/{message}").json()
    assert (shown["payload"], shown["frame"], set(shown["links"])) == ({"v": 2}, None, {"self"})
    assert "cannot be replayed" in world.client.get(f"/dead-letters/{message}").text

    # By filter, what can be replayed is.
    done = world.act("replay", since="1h").json()
    assert done["count"] == 1
    assert {refusal["letter_id"] for refusal in done["refused"]} == {without, message}
    assert world.act("discard", ids=[without, message]).json()["count"] == 2
    assert [letter["letter_id"] for letter in world.letters()] == [replayable]


def test_a_picture_that_was_deleted_is_noticed(world: World) -> None:
    name = world.kill("first")
    world.pictures.delete_many(["frame-first"])
    assert world.act("replay", ids=[name]).status_code == 409
    assert world.act("replay", reason="model_unavailable").json()["refused"][0]["letter_id"] == name
    assert (world.open_jobs(), world.letters()[0]["state"]) == ([], "open")


def test_a_stored_frame_is_not_replayed(world: World) -> None:
    name = world.kill("first")
    world.act("replay", ids=[name])
    world.finish(world.open_jobs()[0], None)
    answer = world.act("replay", ids=[name])
    assert (answer.status_code, "stored since" in answer.json()["detail"]) == (409, True)


def test_filters_and_pages(world: World) -> None:
    for name in NAMES:
        world.kill(name, source=name)
    assert world.act("discard", source="nowhere").json()["count"] == 0
    first = world.act("replay", reason="model_unavailable", limit=2).json()
    assert first["count"] == 2
    rest = world.act("replay", reason="model_unavailable", limit=2, cursor=first["next_cursor"]).json()
    assert (rest["count"], rest["next_cursor"]) == (1, None)
    assert len(world.open_jobs()) == 3
    assert world.act("discard", reason="model_unavailable", source="first").json()["count"] == 1
    assert {letter["source_id"] for letter in world.letters()} == {"second", "third"}
    assert world.act("discard", until="1h").json()["count"] == 0
    assert world.act("discard", since="1h").json()["count"] == 2


def test_a_full_backlog_says_how_far_it_came(world: World) -> None:
    names = [world.kill(name) for name in NAMES]
    answer = world.act("replay", reason="model_unavailable")
    assert answer.status_code == 429
    assert "2 of 3" in answer.json()["detail"]
    assert sorted(letter["state"] for letter in world.letters()) == ["open", "replayed", "replayed"]
    world.finish(world.open_jobs()[0], None)
    assert world.act("replay", reason="model_unavailable").json()["count"] == 2  # the one under way, and the rest
    assert len(world.open_jobs()) == 2
    assert len(names) == 3


@pytest.mark.parametrize(
    ("choice", "status", "says"),
    [
        ({}, 422, "either ids, or"),
        ({"ids": ["0123456789abcdef"], "reason": "bad_image"}, 422, "either ids, or"),
        ({"ids": []}, 422, "ids"),
        ({"ids": ["../etc"]}, 422, "ids"),
        ({"reason": "x", "since": "yesterday"}, 422, "since"),
        ({"reason": "x", "cursor": "nonsense"}, 422, "cursor"),
        ({"surprise": 1}, 422, "surprise"),
        ({"ids": ["0123456789abcdef"]}, 404, "0123456789abcdef"),
    ],
)
def test_a_wrong_choice_is_explained(world: World, choice: dict[str, Any], status: int, says: str) -> None:
    for what in ("replay", "discard"):
        answer = world.act(what, **choice)
        assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.text


def test_viewers_only_look(world: World) -> None:
    name = world.kill("first")
    viewer = {"X-API-Key": create_key(world.database, "viewer", Role.VIEWER)}
    assert world.client.get(f"/v1/dead-letters/{name}", headers=viewer).status_code == 200
    for what in ("replay", "discard"):
        path = f"/v1/dead-letters/{what}"
        assert world.client.post(path, json={"ids": [name]}, headers=viewer).status_code == 403
    assert world.client.get("/v1/dead-letters/0123456789abcdef").status_code == 404
