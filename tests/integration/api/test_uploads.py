"""Uploads and their jobs, over HTTP: what is accepted, refused and answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from producers.api.app import create_app
from producers.api.uploads import forms
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import ResultBoard
from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.types import FrameResult
from sightline.wire.messages import Message
from storage.access.keys import Role
from storage.database.engine import Database
from storage.database.opening import open_database
from tests.exif import photo_at
from tests.integration.api.uploading import Key, jpeg, upload
from tests.png import png
from tests.stores import open_store


def test_an_upload_is_a_job_and_the_same_upload_the_same_job(client: TestClient, settings: Settings) -> None:
    first = upload(client, ("car.jpg", jpeg()), ("van.jpg", jpeg(2)), pipeline="plates", source_id="gate")
    assert first.status_code == 202
    assert first.headers["location"] == f"/v1/jobs/{first.json()['job_id']}"
    assert first.json()["status"] == "open"
    assert upload(client, ("car.jpg", jpeg()), ("van.jpg", jpeg(2)), source_id="gate").json() == first.json()
    queues = client.get("/v1/queues").json()
    assert queues["open_frames"] == {"gate": 2}
    assert {name: depth for name, depth in queues["depths"].items() if depth} == {"gpu.detect": 1}
    assert {"cpu.ocr", "gpu.chat", "db.write"} < set(queues["depths"])
    assert client.get(first.headers["location"]).json()["status"] == "open"
    assert client.get("/v1/jobs?status=open").json()["items"][0]["frame_count"] == 2
    assert Publisher.from_settings(settings).ledger.open_frames() == {"gate": 2}


def test_the_same_upload_again_answers_how_its_job_ended(client: TestClient, settings: Settings) -> None:
    job_id = upload(client, ("car.jpg", jpeg())).json()["job_id"]
    publisher = Publisher.from_settings(settings)
    job = publisher.ledger.open_job(job_id)
    assert job is not None
    database = open_database(settings.sqlalchemy_url)
    results = tuple(FrameResult(frame=frame, width=320, height=200) for frame in job.frames)
    (outcome,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=results)], set())
    publisher.ledger.settle(job_id, outcome.counts)
    database.close()
    again = upload(client, ("car.jpg", jpeg())).json()
    assert (again["job_id"], again["status"], len(again["result"]["frames"])) == (job_id, "stored", 1)


def test_pictures_stand_alone_unless_it_is_said(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = client.app.state.services.publisher.ledger  # pyright: ignore

    def frames_of(answer: Any) -> list[tuple[str | None, str | None]]:
        assert answer.status_code == 202
        job = ledger.open_job(answer.json()["job_id"])
        assert job is not None
        return [(frame.sequence, frame.time_from) for frame in job.frames]

    assert frames_of(upload(client, ("a.jpg", jpeg(1)))) == [(None, "received")]
    said = upload(client, ("b.jpg", jpeg(2)), sequence="true", captured_at="2026-05-01T12:00:00Z")
    assert frames_of(said) == [("submitted", "caller")]

    async def fetched(urls: list[str], _: Settings) -> list[bytes]:
        return [jpeg(3) for _ in urls]

    monkeypatch.setattr(forms, "fetch_images", fetched)
    by_url = {"urls": ["https://example.org/car.jpg"], "sequence": True}
    assert frames_of(client.post("/v1/jobs", json=by_url)) == [("submitted", "received")]
    taken = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    burst = [(f"{n}.jpg", photo_at(taken + timedelta(seconds=n / 4), shade=n)) for n in range(2)]
    assert frames_of(upload(client, *burst)) == [("burst-20240506T070809.000000", "exif")] * 2


def test_a_parameter_that_is_none_is_refused(client: TestClient) -> None:
    for path, word, cure in (
        ("/v1/passages?sorce=gate", "sorce", "did you mean source?"),
        ("/v1/jobs?state=open", "state", "did you mean status?"),
        ("/v1/queues?x=1", "x", "there are none"),
    ):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["field"]) == (422, word)
        assert cure in answer.json()["detail"]
    assert client.get("/v1/passages?source=gate&since=1h&text=K*&limit=3").status_code == 200
    assert client.post("/v1/jobs?wiat=3", json={}).json()["field"] == "wiat"


def test_the_document_tells_what_may_go_wrong(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert {"409", "422"} <= paths["/v1/cameras"]["post"]["responses"].keys()
    assert {"413", "415", "422", "429"} <= paths["/v1/jobs"]["post"]["responses"].keys()
    (form,) = paths["/v1/jobs"]["post"]["requestBody"]["content"].values()
    assert form["schema"]["properties"]["sequence"]["type"] == "boolean"


def test_waiting_gives_the_result_as_soon_as_it_is_there(
    client: TestClient, settings: Settings, stored: FrameResult
) -> None:
    done = client.get("/v1/jobs/job-000001?wait=5").json()
    assert done["status"] == "dead"  # one of its two frames is
    assert done["result"]["frames"][0]["readings"][0]["text"] == "KAB 4721"
    job_id = upload(client, ("car.jpg", jpeg())).json()["job_id"]
    assert client.get(f"/v1/jobs/{job_id}?wait=0.1").json()["status"] == "open"
    result = client.app.state.services  # pyright: ignore
    board = ResultBoard(connect(settings.redis_url), result_ttl_s=10)
    from storage.results import queries

    board.post(queries.get_job(result.database, "job-000001").model_copy(update={"job_id": job_id}))  # pyright: ignore
    assert client.get(f"/v1/jobs/{job_id}?wait=5").json()["status"] == "dead"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"hello, this is text", "no JPEG, PNG or WebP"),
        ("cut.jpg", jpeg()[:2000], "cut off"),
        ("cut.png", png(10, 10)[:-12], "cut off"),
        ("huge.png", png(60_000, 60_000), "60000 x 60000 are 3600 megapixels"),
        ("gif.gif", b"GIF89a" + bytes(100), "this GIF file is damaged or cut off"),
        ("photo.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100), "this HEIC file is damaged or cut off"),
        ("page.pdf", b"%PDF-1.7" + bytes(100), "PDF, which is no JPEG, PNG or WebP; convert it first"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(client: TestClient, name: str, data: bytes, says: str) -> None:
    answer = upload(client, (name, data))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert name in answer.json()["detail"]
    assert says in answer.json()["detail"]
    assert client.get("/v1/queues").json()["open_frames"] == {}


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: TestClient) -> None:
    answer = upload(client, ("big.jpg", bytes(100_000_000)))
    assert answer.status_code == 413
    assert "100.0 MB, at most 64 MB" in answer.json()["detail"]

    def parts() -> Iterator[bytes]:  # no Content-Length
        for _ in range(80):
            yield bytes(1_000_000)

    answer = client.post("/v1/jobs", content=parts(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"pipeline": "cars"}, "'objects', 'text', 'plates', 'chat', "),
        ({"lane": "fast"}, "'interactive', 'live' or 'bulk'"),
        ({"source_id": "../etc"}, "source_id"),
        ({"surprise": "1"}, "surprise"),
        ({"sequence": "perhaps"}, "sequence"),
        ({"captured_at": "yesterday"}, "captured_at"),
        ({"captured_at": "2999-01-01"}, "captured_at: 2999-01-01T00:00:00+00:00 is more than a day in the future"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_right(client: TestClient, form: dict[str, str], says: str) -> None:
    answer = upload(client, ("car.jpg", jpeg()), **form)
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("not json", "JSON"),
        ('{"urls": []}', "urls"),
        ('{"urls": ["http://127.0.0.1/x.jpg"]}', "127.0.0.1"),
        ('{"urls": ["http://localhost:6379/"]}', "localhost"),
        ('{"urls": ["http://169.254.169.254/latest/meta-data"]}', "169.254.169.254"),
        ('{"urls": ["http://[::1]/x"]}', "::1"),
        ('{"urls": ["http://0x7f.1/x"]}', "not public"),
        ('{"urls": ["http://2130706433/x"]}', "not public"),
        ('{"urls": ["file:///etc/passwd"]}', "only http"),
        ('{"urls": ["http://user:secret@example.org/"]}', "credentials"),
    ],
)
def test_a_url_that_must_not_be_fetched_is_refused(client: TestClient, body: str, says: str) -> None:
    answer = client.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert says in answer.json()["detail"]
    assert "secret" not in answer.text


def test_no_file_and_too_many_files_are_refused(client: TestClient) -> None:
    assert "none given" in client.post("/v1/jobs", files={"pipeline": (None, "plates")}).text
    many = upload(client, *[(f"{n}.jpg", b"x") for n in range(65)])
    assert many.status_code in (400, 422)
    assert "64" in many.json()["detail"]


def test_a_full_backlog_says_when_to_come_again(client: TestClient) -> None:
    for seed in range(5):
        assert upload(client, ("car.jpg", jpeg(seed))).status_code == 202
    answer = upload(client, ("car.jpg", jpeg(99)))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


def test_without_redis_the_answer_is_503_and_readiness_names_it(settings: Settings, key: Key) -> None:
    absent = settings.model_copy(update={"redis_url": "redis://127.0.0.1:1/0"})
    with TestClient(create_app(absent), base_url="http://127.0.0.1", headers=key(Role.OPERATOR)) as client:
        answer = upload(client, ("car.jpg", jpeg()))
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        ready = client.get("/readyz")
        said = "broker_unavailable: is Redis up, and is SIGHTLINE_REDIS_URL right?"
        assert (ready.status_code, ready.json()["checks"]["redis"]) == (503, said)
        assert ready.json()["checks"]["database"] == "ok"
        assert client.get("/healthz").json() == {"status": "ok"}
        assert "broker did not take or give a message" in client.get("/").text


def test_the_version_before_stays_ready_beside_newer_tables(client: TestClient, database: Database) -> None:
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    ready = client.get("/readyz")
    assert ready.json()["checks"]["database"] == "ok"
    assert "the tables are of a newer version: update this API, too" in ready.json()["warnings"]
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    assert "not up to date" in client.get("/readyz").json()["checks"]["database"]


def test_ready_when_everything_answers(client: TestClient) -> None:
    assert client.get("/readyz").json()["status"] == "ready"
