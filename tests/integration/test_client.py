"""The Python client in both its modes, on a real Redis and a real API, without workers."""

from __future__ import annotations

import asyncio
import io
import pickle
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sightline import AsyncSightline, BadImageError, BadMessageError, Sightline, SubmittedJob, WaitTimeoutError
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import ResultBoard
from sightline.errors import BacklogFullError, BrokerUnavailableError
from sightline.redis.connection import connect
from sightline.settings import Settings, load_settings
from sightline.types import Detection, FrameRef, FrameResult, JobResult, JobStatus, Reading
from sightline.wire.messages import Job, Message
from storage.access.keys import Role, create_key
from storage.cameras import Camera, add_camera
from storage.database.engine import Database
from tests.conftest import free_port
from tests.integration.api.uploading import jpeg
from tests.stores import open_store

NOW = datetime(2026, 5, 1, tzinfo=UTC)
Finish = Callable[[Job], None]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"max_open_frames_per_source": 3, "live_max_open_frames": 3})


@pytest.fixture(params=["redis", "http"])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def arguments(mode: str, settings: Settings, api_url: str, operator_key: str) -> dict[str, Any]:
    if mode == "http":
        return {"url": api_url, "api_key": operator_key}
    return {"settings": load_settings(**settings.model_dump() | {"api_url": api_url, "api_key": operator_key})}


@pytest.fixture
def sightline(arguments: dict[str, Any]) -> Iterator[Sightline]:
    with Sightline(**arguments) as client:
        yield client


@pytest.fixture
async def async_sightline(arguments: dict[str, Any]) -> AsyncIterator[AsyncSightline]:
    async with AsyncSightline(**arguments) as client:
        yield client


@pytest.fixture
def finish(settings: Settings, database: Database) -> Iterator[Finish]:
    """Does what workers and the writer do: each frame shows the plate KAB4721."""
    publisher, redis = Publisher.from_settings(settings), connect(settings.redis_url)
    board = ResultBoard(redis, result_ttl_s=60)

    def finish_(job: Job) -> None:
        results = tuple(_result(frame) for frame in job.frames)
        (outcome,) = open_store(database, passage_gap_s=10).store([Message(job=job, results=results)], set())
        publisher.ledger.settle(job.job_id, outcome.counts)
        now = datetime.now(UTC)
        board.post(
            JobResult(
                job_id=job.job_id, pipeline=job.pipeline, status=JobStatus.STORED, frames=results, finished_at=now
            )
        )

    yield finish_
    publisher.close()
    redis.close()


def _result(frame: FrameRef) -> FrameResult:
    return FrameResult(
        frame=frame,
        width=320,
        height=200,
        detections=(Detection(xyxy=(100, 80, 220, 110), label="plate", class_id=0, confidence=0.9),),
        readings=(Reading(text="KAB4721", confidence=0.98, detection_index=0),),
    )


def test_the_same_picture_in_any_form_is_the_same_job(sightline: Sightline, tmp_path: Path) -> None:
    path = tmp_path / "car.jpg"
    path.write_bytes(jpeg())
    with path.open("rb") as file:
        images: list[Any] = [path, str(path), jpeg(), bytearray(jpeg()), memoryview(jpeg()), io.BytesIO(jpeg()), file]
        jobs = [sightline.submit(image, captured_at=NOW) for image in images]
    assert len({job.job_id for job in jobs}) == 1
    assert [job.job.frames[0].name for job in jobs] == ["car.jpg", "car.jpg", "", "", "", "", "car.jpg"]


def test_what_was_said_of_a_picture_is_in_the_ledger(sightline: Sightline, settings: Settings) -> None:
    said: dict[str, Any] = {"pipeline": "text", "lane": "bulk", "source_id": "yard", "sequence": True}
    submitted = sightline.submit(jpeg(1), jpeg(2), captured_at=NOW, **said)
    publisher = Publisher.from_settings(settings)
    job = publisher.ledger.open_job(submitted.job_id)
    publisher.close()
    assert job is not None
    assert (job.pipeline, job.lane, len(job.frames)) == ("text", "bulk", 2)
    assert {(f.source_id, f.sequence, f.captured_at, f.time_from) for f in job.frames} == {
        ("yard", "submitted", NOW, "caller")
    }
    assert [frame.frame_id for frame in job.frames] == [frame.frame_id for frame in submitted.job.frames]


def test_waiting_ends_with_the_result(sightline: Sightline, finish: Finish) -> None:
    job = sightline.submit(jpeg(), source_id="gate")
    with pytest.raises(WaitTimeoutError, match=rf"job {job.job_id} is not finished after 0\.1 s; it goes on"):
        job.wait(0.1)
    threading.Timer(0.1, finish, [job.job]).start()
    result = job.wait(20)
    assert (result.status, [reading.text for reading in result.readings]) == ("stored", ["KAB4721"])
    assert sightline.wait(job.job_id, 0) == result
    assert sightline.submit(jpeg(), source_id="gate").wait(0) == result  # the same again


async def test_so_does_awaiting_it(async_sightline: AsyncSightline, finish: Finish) -> None:
    job = await async_sightline.submit(jpeg(), source_id="gate")
    with pytest.raises(WaitTimeoutError):
        await job.wait(0.1)
    waiting = asyncio.gather(job.wait(20), async_sightline.wait(job.job_id, 20))
    await asyncio.to_thread(finish, job.job)
    assert [result.readings[0].text for result in await waiting] == ["KAB4721", "KAB4721"]


def test_passages_are_asked_for(sightline: Sightline, finish: Finish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.client.http.PAGE", 2)  # three passages are two pages
    for minute in range(3):
        finish(sightline.submit(jpeg(minute), source_id="gate", captured_at=NOW + timedelta(minutes=minute)).job)
    found = list(sightline.passages())
    assert [passage.first_seen.minute for passage in found] == [2, 1, 0]
    assert {passage.text for passage in found} == {"KAB4721"}
    assert len(list(sightline.passages("KAB*", source="gate", since=NOW + timedelta(minutes=1)))) == 2
    assert len(list(sightline.passages(limit=1))) == 1
    assert list(sightline.passages("X*")) == list(sightline.passages(source="yard")) == []
    assert [passage.distance for passage in sightline.passages("KAB4722", like=1, limit=2)] == [1, 1]
    likely = list(sightline.passages("KAB4?21", likely=True, source="gate", limit=2))
    assert [passage.text for passage in likely] == ["KAB4721"] * 2
    assert all(passage.likelihood and passage.likelihood > 0.5 for passage in likely)
    assert list(sightline.passages("KAB4?21", likely=True, zone="lane")) == list(sightline.passages(country="zz")) == []
    with pytest.raises(BadMessageError, match="like, likely: one of them"):
        sightline.passages("KAB4721", like=1, likely=True)


def test_passages_are_exported(sightline: Sightline, finish: Finish, tmp_path: Path) -> None:
    finish(sightline.submit(jpeg(), source_id="gate", captured_at=NOW).job)
    sightline.export_passages(tmp_path / "all.csv", source="gate", since=NOW)
    assert (tmp_path / "all.csv").read_text("utf-8-sig").splitlines()[1].startswith("KAB4721,KAB4721,gate,")
    written = io.BytesIO()
    sightline.export_passages(written, "KAB*", form="xlsx")
    assert written.getvalue()[:2] == b"PK"
    for wrong, words in ((tmp_path, "is a folder; name a file in it"), (tmp_path / "no/x.csv", "cannot be written")):
        with pytest.raises(BadMessageError, match=words):
            sightline.export_passages(wrong)


async def test_so_they_are_by_asyncio(async_sightline: AsyncSightline, finish: Finish, tmp_path: Path) -> None:
    job = await async_sightline.submit(jpeg(), source_id="gate")
    await asyncio.to_thread(finish, job.job)
    assert [passage.text async for passage in async_sightline.passages(since="1h")] == ["KAB4721"]
    assert [passage.text async for passage in async_sightline.passages("KAB472?", likely=True)] == ["KAB4721"]
    await async_sightline.export_passages(tmp_path / "all.csv", "KAB*", limit=1)
    assert (tmp_path / "all.csv").read_text().count("KAB4721") == 2
    assert [source.stored for source in (await async_sightline.audit()).sources if source.source_id == "gate"]
    assert await async_sightline.cameras() == []


def test_what_is_open_is_cancelled_and_what_is_unknown_is_not(sightline: Sightline) -> None:
    job = sightline.submit(jpeg())
    assert job.cancel()
    for unknown in ("nobody-knows-it", "no"):
        assert not sightline.cancel(unknown)


def test_the_same_picture_twice_in_a_job_is_said(sightline: Sightline) -> None:
    job = sightline.submit(jpeg(), jpeg())
    assert (len(job.job.frames), job.notes) == (1, ("images.1: the same as images.0; both are one item",))


def test_cameras_and_the_audit_are_asked_for(sightline: Sightline, database: Database, finish: Finish) -> None:
    add_camera(database, Camera.model_validate({"camera_id": "gate", "url": "rtsp://user:secret@10.0.0.7/stream"}))
    (camera,) = sightline.cameras()
    assert (camera.camera_id, camera.url, camera.status and camera.status.state) == (
        "gate",
        "rtsp://***@10.0.0.7/stream",
        "offline",
    )
    source_id = f"audited-{free_port()}"
    finish(sightline.submit(jpeg(), source_id=source_id).job)
    (source,) = (source for source in sightline.audit().sources if source.source_id == source_id)
    assert (source.published, source.stored, source.balanced) == (1, 1, True)
    assert sightline.audit(since="1h", until=datetime.now(UTC) + timedelta(hours=1)).since is not None


def test_a_live_source_that_is_full_is_told(sightline: Sightline) -> None:
    source_id = f"full-{free_port()}"
    some = sightline.submit(*map(jpeg, range(3)), lane="live", source_id=source_id)
    assert len(some.job.frames) == 3
    with pytest.raises(BacklogFullError, match=f"backlog full for source '{source_id}'") as full:
        sightline.submit(jpeg(4), lane="live", source_id=source_id)
    assert (full.value.source_id, full.value.retry_after_s) == (source_id, 1)


@pytest.mark.parametrize(
    ("image", "says"),
    [
        (np.zeros((10, 10, 3), np.uint8), r'numpy.ndarray; .* cv2.imencode\("\.jpg", array\)'),
        (Image.new("RGB", (10, 10)), r"PIL\.Image\.Image; .* image\.save\(buffer"),
        ([b"one", b"two"], r"list; .* submit\(\*images\)"),
        (io.StringIO("text"), r'_io\.StringIO; .* open\(path, "rb"\)'),
        (None, "NoneType"),
        (7, "int"),
    ],
)
def test_what_is_no_picture_is_told_what_to_write(sightline: Sightline, image: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        sightline.submit(image)


def test_a_picture_that_is_refused_is_a_bad_image(sightline: Sightline) -> None:
    for data in (b"", jpeg()[:-100], b"%PDF-1.7"):
        with pytest.raises(BadImageError):
            sightline.submit(data)


@pytest.mark.parametrize("url", ["https://example.org/car.jpg", "HTTP://example.org/", "data:image/jpeg;base64,AAAA"])
def test_a_url_is_no_path(sightline: Sightline, url: str) -> None:
    with pytest.raises(BadMessageError, match="is a URL, not a path; submit its bytes, or post it to the API"):
        sightline.submit(url)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"pipeline": "no such"}, "pipeline"),
        ({"lane": "fast"}, "lane"),
        ({"source_id": "a b"}, "frames.0.source_id"),
        ({"captured_at": datetime(2026, 1, 1)}, "frames.0.captured_at"),
        ({"captured_at": datetime.now(UTC) + timedelta(days=1000)}, "captured_at"),
    ],
)
def test_a_wrong_argument_is_named(sightline: Sightline, wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(BadMessageError) as refused:
        sightline.submit(jpeg(), **wrong)
    assert refused.value.field == field


def test_wrong_questions_are_refused(sightline: Sightline) -> None:
    with pytest.raises(BadMessageError, match="since: must be like 15m") as refused:
        list(sightline.passages(since="yesterday"))
    assert refused.value.field == "since"
    with pytest.raises(BadMessageError, match="since: 2026-01-01T00:00:00 has no zone"):
        sightline.passages(since=datetime(2026, 1, 1))
    with pytest.raises(TypeError, match="until: int; it is a datetime with a zone"):
        sightline.audit(until=7)  # type: ignore[arg-type]


def test_a_client_that_was_used_can_be_pickled(sightline: Sightline) -> None:
    job = sightline.submit(jpeg())
    copy: SubmittedJob = pickle.loads(pickle.dumps(job))
    assert copy.job == job.job
    with pytest.raises(WaitTimeoutError):
        copy.wait(0.1)
    with pickle.loads(pickle.dumps(sightline)) as again:
        assert again.submit(jpeg()).job_id == job.job_id
        assert again.cameras() == []


async def test_so_can_an_async_one(async_sightline: AsyncSightline) -> None:
    job = await async_sightline.submit(io.BytesIO(jpeg()))
    with pytest.raises(WaitTimeoutError):
        await job.wait(0.1)
    async with pickle.loads(pickle.dumps(async_sightline)) as again:
        assert (await again.submit(jpeg())).job_id == job.job_id


#: The children use what the parent has used, all at once: answers would be mixed up if they shared its connections.
_FORKS = """
import os, pickle, sys
client = pickle.loads(bytes.fromhex(sys.argv[1]))
picture = open(sys.argv[2], "rb").read()
client.submit(picture, source_id="parent").job_id
ids = {name: client.submit(picture, source_id=name).job_id for name in "abc"}
children = []
for name in "abc":
    child = os.fork()
    if not child:
        right = all(client.submit(picture, source_id=name).job_id == ids[name] for _ in range(10))
        client.close()
        os._exit(0 if right and client.cameras() == [] else 1)
    children.append(child)
right = all(client.submit(picture, source_id="a").job_id == ids["a"] for _ in range(10))
print(right, [os.waitpid(child, 0)[1] for child in children])
"""


def test_a_client_that_was_used_may_be_forked(sightline: Sightline, tmp_path: Path) -> None:
    (tmp_path / "car.jpg").write_bytes(jpeg())
    given = [pickle.dumps(sightline).hex(), str(tmp_path / "car.jpg")]
    done = subprocess.run([sys.executable, "-c", _FORKS, *given], capture_output=True, text=True, timeout=120)
    assert (done.stdout.split("\n")[0], done.stderr) == ("True [0, 0, 0]", "")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"settings": "http://127.0.0.1:8080"}, r"settings: str; .* Sightline\(url='http://127.0.0.1:8080'\)"),
        ({"url": 8080}, "url: int; it is a text"),
        ({"url": "http://127.0.0.1", "api_key": b"sl_"}, "api_key: bytes; it is a text"),
        ({"api_key": "sl_"}, "api_key: of which API"),
    ],
)
@pytest.mark.parametrize("kind", [Sightline, AsyncSightline])
def test_wrong_arguments_are_type_errors(kind: Any, given: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        kind(**given)


def test_settings_and_an_address_exclude_each_other(settings: Settings) -> None:
    with pytest.raises(TypeError, match="url, api_key: not beside settings"):
        Sightline(settings, url="http://127.0.0.1")


@pytest.mark.parametrize("url", ["sightline.example.org", "", "ftp://example.org", "http://"])
def test_what_is_no_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(BadMessageError, match=r"url: .* is no address of an API; it begins with http://"):
        Sightline(url=url)


def test_who_waits_over_redis_for_a_job_that_nobody_met_learns_so(settings: Settings) -> None:
    with Sightline(settings) as client, pytest.raises(WaitTimeoutError) as raised:
        client.wait("sent-into-the-blue", 0.1)
    assert "sent to the broker of this Sightline" in str(raised.value)
    assert "does a worker run?" in str(raised.value)


def test_over_http_redis_is_not_asked(api_url: str, operator_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_REDIS_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("SIGHTLINE_API_KEY", operator_key)
    with Sightline(url=f"{api_url}/") as client:  # with the key of the environment
        with pytest.raises(WaitTimeoutError):
            client.submit(jpeg()).wait(0.1)
        with pytest.raises(BadMessageError, match="there is no job 'none-of-ours'"):
            client.wait("none-of-ours")


def test_a_key_that_is_wrong_or_may_not_is_told(api_url: str, database: Database) -> None:
    viewer = create_key(database, "viewer", Role.VIEWER)
    for key, says in (("wrong", "unknown or revoked"), (viewer, "its role is viewer, this needs operator")):
        with Sightline(url=api_url, api_key=key) as client, pytest.raises(BadMessageError, match=says) as refused:
            client.submit(jpeg())
        assert refused.value.field == "api_key"


def test_who_does_not_answer_is_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Sightline(url=url) as client, pytest.raises(BrokerUnavailableError, match=f"no answer from {url}"):
        client.cameras()


def test_limits_of_size_are_those_of_the_api(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_MAX_IMAGE_MB", "0.001")
    monkeypatch.setenv("SIGHTLINE_MAX_IMAGE_MPX", "0.001")
    with Sightline(url=api_url, api_key="wrong") as client, pytest.raises(BadMessageError, match="unknown or revoked"):
        client.submit(jpeg())
