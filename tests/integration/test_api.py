"""The API on a real Redis and SQLite, without workers: what it accepts, refuses and shows."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient

from producers.api.app import create_app
from sightline.frames import open_frame_store
from sightline.messages import Job, Message
from sightline.publisher import Publisher
from sightline.redis_connection import connect
from sightline.results import ResultBoard
from sightline.settings import Settings, load_settings
from sightline.types import Detection, FrameError, FrameRef, FrameResult, Lane, Pipeline, Reading
from storage.database import open_database, upgrade
from storage.keys import Role, create_key
from storage.store import Store

Key = Callable[[Role], dict[str, str]]


def jpeg(seed: int = 1, width: int = 320, height: int = 200) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", image)[1].tobytes()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be huge: header, no pixels."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body)) + end


@pytest.fixture
def settings(redis_url: str, tmp_path: Path) -> Settings:
    return load_settings(
        data_dir=tmp_path, redis_url=redis_url, frames_url=(tmp_path / "frames").as_uri(), max_open_frames_per_source=5
    )


@pytest.fixture
def key(settings: Settings) -> Iterator[Key]:
    upgrade(settings.sqlalchemy_url)
    database = open_database(settings.sqlalchemy_url)
    yield lambda role: {"X-API-Key": create_key(database, "test", role)}
    database.close()


@pytest.fixture
def client(settings: Settings, key: Key) -> Iterator[TestClient]:
    """An operator."""
    with TestClient(create_app(settings), base_url="http://127.0.0.1:8080", headers=key(Role.OPERATOR)) as client:
        yield client


@pytest.fixture
def stored(settings: Settings, key: Key) -> FrameResult:
    """A frame with one read plate, as the writer leaves it."""
    ref = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=datetime(2026, 1, 2, tzinfo=UTC))
    result = FrameResult(
        frame=ref,
        width=320,
        height=200,
        detections=(Detection(xyxy=(100, 80, 220, 110), label="text", class_id=0, confidence=0.9),),
        readings=(Reading(text="KAB 4721", confidence=0.98, detection_index=0),),
    )
    bad = FrameResult(
        frame=ref.model_copy(update={"frame_id": "frame-0002"}),
        error=FrameError(reason="bad_image", message="cut off", stage="detect"),
    )
    frames = (result.frame, bad.frame)
    job = Job(job_id="job-000001", pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=frames)
    publisher = Publisher.from_settings(settings)
    publisher.ledger.admit(job)
    database = open_database(settings.sqlalchemy_url)
    (outcome,) = Store(database, passage_gap_s=10).store([Message(job=job, results=(result, bad))], {"frame-0001"})
    publisher.ledger.settle(job.job_id, outcome.counts)
    open_frame_store(settings.picture_store_url, ttl_s=None).put_many({"frame-0001": jpeg()})
    database.close()
    return result


def upload(client: TestClient, *files: tuple[str, bytes], query: str = "", **form: str) -> Any:
    return client.post(f"/v1/jobs{query}", files=[("files", file) for file in files], data=form)


def test_an_upload_is_a_job_and_the_same_upload_the_same_job(client: TestClient, settings: Settings) -> None:
    first = upload(client, ("car.jpg", jpeg()), ("van.jpg", jpeg(2)), pipeline="plates", source_id="gate")
    assert first.status_code == 202
    assert first.headers["location"] == f"/v1/jobs/{first.json()['job_id']}"
    assert first.json()["status"] == "open"
    assert upload(client, ("car.jpg", jpeg()), ("van.jpg", jpeg(2)), source_id="gate").json() == first.json()
    assert client.get("/v1/queues").json() == {
        "depths": {"gpu.detect": 1, "cpu.ocr": 0, "db.write": 0},
        "open_frames": {"gate": 2},
    }
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
    (outcome,) = Store(database, passage_gap_s=10).store([Message(job=job, results=results)], set())
    publisher.ledger.settle(job_id, outcome.counts)
    database.close()
    again = upload(client, ("car.jpg", jpeg())).json()
    assert (again["job_id"], again["status"], len(again["result"]["frames"])) == (job_id, "stored", 1)


def test_a_parameter_that_is_none_is_refused(client: TestClient) -> None:
    for path, word, cure in (
        ("/v1/passages?sorce=gate", "sorce", "did you mean source?"),
        ("/v1/jobs?state=open", "state", "did you mean status?"),
        ("/v1/audit?x=1", "x", "there are none"),
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
    from storage import queries

    board.post(queries.get_job(result.database, "job-000001").model_copy(update={"job_id": job_id}))  # pyright: ignore
    assert client.get(f"/v1/jobs/{job_id}?wait=5").json()["status"] == "dead"


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.jpg", b"", "empty"),
        ("text.jpg", b"hello, this is text", "no JPEG, PNG or WebP"),
        ("cut.jpg", jpeg()[:2000], "cut off"),
        ("cut.png", png_header(10, 10)[:-12], "cut off"),
        ("huge.png", png_header(60_000, 60_000), "60000 x 60000 are 3600 megapixels"),
        ("gif.gif", b"GIF89a" + bytes(100), "no JPEG, PNG or WebP"),
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
        ({"pipeline": "cars"}, "'objects', 'text' or 'plates'"),
        ({"lane": "fast"}, "'interactive', 'live' or 'bulk'"),
        ({"source_id": "../etc"}, "source_id"),
        ({"surprise": "1"}, "surprise"),
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
        assert (ready.status_code, ready.json()["checks"]["redis"]) == (503, "broker_unavailable")
        assert ready.json()["checks"]["database"] == "ok"
        assert client.get("/healthz").json() == {"status": "ok"}
        assert "broker did not take or give a message" in client.get("/").text


def test_ready_when_everything_answers(client: TestClient) -> None:
    assert client.get("/readyz").json()["status"] == "ready"


def test_roles(settings: Settings, key: Key) -> None:
    app = create_app(settings)
    with TestClient(app, base_url="http://127.0.0.1", client=("10.1.2.3", 1)) as far:
        assert far.get("/v1/passages").status_code == 401
        assert far.get("/v1/passages", headers={"X-API-Key": "sl_0_0"}).status_code == 401
        viewer = key(Role.VIEWER)
        assert far.get("/v1/passages", headers=viewer).status_code == 200
        bearer = {"Authorization": f"Bearer {viewer['X-API-Key']}"}
        assert far.get("/v1/passages", headers=bearer).status_code == 200
        assert far.post("/v1/jobs", headers=viewer, json={"urls": ["http://example.org"]}).status_code == 403
        assert far.get("/", follow_redirects=False).headers["location"] == "/login"
        assert far.get("/healthz").status_code == 200
        assert far.post("/login", data={"key": "wrong"}).status_code == 401
        assert far.post("/login", data={"key": viewer["X-API-Key"]}, follow_redirects=False).status_code == 303
        assert far.get("/").status_code == 200  # by its cookie
        assert far.post("/v1/cameras", json={}).status_code == 401  # a cookie is for looking only


@pytest.mark.parametrize(
    ("base_url", "peer", "headers", "status"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1", {}, 200),
        ("http://localhost:8080", "127.0.0.1", {}, 200),
        ("http://127.0.0.1:8080", "10.0.0.9", {}, 401),
        ("http://rebound.example:8080", "127.0.0.1", {}, 401),
        ("http://127.0.0.1:8080", "127.0.0.1", {"X-Forwarded-For": "1.2.3.4"}, 401),
    ],
)
def test_only_this_machine_may_look_without_a_key(
    settings: Settings, key: Key, base_url: str, peer: str, headers: dict[str, str], status: int
) -> None:
    with TestClient(create_app(settings), base_url=base_url, client=(peer, 1)) as client:
        assert client.get("/v1/passages", headers=headers).status_code == status
        assert client.post("/v1/jobs", headers=headers, json={}).status_code == 401


def test_nobody_looks_without_a_key_where_the_api_listens_to_the_world(settings: Settings, key: Key) -> None:
    exposed = settings.model_copy(update={"api_host": "0.0.0.0"})
    with TestClient(create_app(exposed), base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        assert client.get("/v1/passages").status_code == 401


def test_cameras_come_change_and_go(client: TestClient) -> None:
    new = {"camera_id": "gate", "url": "rtsp://user:pa$$@10.0.0.7/stream", "pipeline": "plates", "fps": 5}
    made = client.post("/v1/cameras", json=new)
    assert made.status_code == 201
    assert "pa$$" not in made.text
    assert "10.0.0.7" in made.json()["url"]
    assert made.json()["status"]["state"] == "offline"
    assert client.post("/v1/cameras", json=new).status_code == 409
    changed = client.patch("/v1/cameras/gate", json={"fps": 2, "enabled": False}).json()
    assert (changed["fps"], changed["enabled"], changed["pipeline"]) == (2, False, "plates")
    assert "pa$$" not in client.get("/v1/cameras").text
    assert client.delete("/v1/cameras/gate").status_code == 204
    gone = client.get("/v1/cameras/gate")
    assert gone.status_code == 404
    assert "'gate'" in gone.json()["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"camera_id": "a/b"},
        {"fps": 0},
        {"fps": 1000},
        {"pipeline": "cars"},
        {"url": "gopher://x"},
        {"url": ""},
        {"x": 1},
        {"loop": True, "preset": "archive"},
    ],
)
def test_a_wrong_camera_is_refused(client: TestClient, change: dict[str, Any]) -> None:
    body = {"camera_id": "gate", "url": "rtsp://10.0.0.7/stream"} | change
    answer = client.post("/v1/cameras", json=body)
    assert answer.status_code == 422
    assert next(iter(change)) in answer.json()["detail"]


def test_what_is_stored_can_be_had(client: TestClient, stored: FrameResult) -> None:
    (passage,) = client.get("/v1/passages?text=KAB*&source=gate").json()["items"]
    assert (passage["text"], passage["reading_count"]) == ("KAB4721", 1)
    assert client.get("/v1/passages?since=1h").json()["items"] == []
    assert client.get("/v1/passages?since=2026-01-01").json()["items"] == [passage]
    assert client.get("/v1/detections?label=text").json()["items"][0]["xyxy"] == [100, 80, 220, 110]
    assert client.get("/v1/readings").json()["items"][0]["text"] == "KAB 4721"
    assert client.get("/v1/dead-letters").json()["items"][0]["reason"] == "bad_image"
    assert client.get("/v1/jobs").json()["items"][0]["outcomes"] == {"stored": 1, "dead": 1}
    assert FrameResult.model_validate(client.get("/v1/frames/frame-0001").json()).readings == stored.readings
    for path, size in (
        ("/v1/frames/frame-0001/picture", (200, 320)),
        ("/v1/frames/frame-0001/annotated", (200, 320)),
        (f"/v1/passages/{passage['passage_id']}/crop", (46, 136)),
    ):
        answer = client.get(path)
        assert answer.headers["content-type"] == "image/jpeg"
        image = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        assert image.shape[:2] == pytest.approx(size, abs=3)


def test_the_audit_balances_and_notices_a_missing_row(
    client: TestClient, stored: FrameResult, settings: Settings
) -> None:
    answer = client.get("/v1/audit").json()
    assert answer["balanced"]
    (gate,) = answer["sources"]
    assert {name: gate[name] for name in ("published", "stored", "dead", "open", "rows")} == {
        "published": 2,
        "stored": 1,
        "dead": 1,
        "open": 0,
        "rows": 1,
    }
    connect(settings.redis_url).hincrby("sightline:counts", "gate|published", 1)
    assert not client.get("/v1/audit").json()["balanced"]
    connect(settings.redis_url).hincrby("sightline:counts", "gate|stored", 1)
    assert not client.get("/v1/audit").json()["balanced"]  # the sums agree, but the row is not there


@pytest.mark.parametrize(
    "path",
    [
        "/v1/jobs/..%2F..%2Fetc",
        "/v1/jobs/nobody-knows",
        "/v1/frames/..%2f..%2fpasswd/picture",
        "/v1/frames/frame-9999",
        "/v1/frames/frame-9999/picture",
        "/v1/passages/nothing/crop",
        "/static/..%2fapp.py",
        "/v1/nothing",
    ],
)
def test_what_is_not_there_is_not_found(client: TestClient, path: str) -> None:
    assert client.get(path).status_code in (404, 422)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "cursor=nonsense", "since=yesterday", "until=99999999999999999999"]
)
def test_a_wrong_query_is_explained(client: TestClient, query: str) -> None:
    answer = client.get(f"/v1/passages?{query}")
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["detail"]


def test_the_page_shows_what_there_is_and_says_what_to_do(client: TestClient, stored: FrameResult) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "KAB4721" in page.text
    assert "sightline cameras add" in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]
    client.post("/v1/cameras", json={"camera_id": "gate", "url": "rtsp://u:secret@10.0.0.7/s"})
    live = client.get("/live").text
    assert "/v1/frames/frame-0001/annotated" in live
    assert "secret" not in live
    assert "bad_image" in live


def test_the_openapi_document_tells_the_endpoints(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    assert {"/v1/jobs", "/v1/passages", "/v1/detections", "/v1/cameras/{camera_id}", "/v1/audit"} <= set(
        document["paths"]
    )
    assert "multipart/form-data" in document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]
    assert client.get("/docs").status_code == 200


def test_request_ids_are_passed_on_when_they_are_harmless(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-ID": "a b<script>"}).headers["x-request-id"] != "a b<script>"
