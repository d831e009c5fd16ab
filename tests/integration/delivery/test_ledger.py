"""The ledger, the publisher, the sweeper and the result board on a real Redis."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import redis

from sightline.client.client import Sightline
from sightline.delivery.handoff import Delivery
from sightline.delivery.publisher import Publisher
from sightline.delivery.result_board import ResultBoard
from sightline.delivery.sweeper import Sweeper
from sightline.errors import BacklogFullError, BrokerUnavailableError, StoreUnavailableError
from sightline.ids import new_id
from sightline.pipelines import registry
from sightline.pipelines.queues import DETECT_QUEUE, DETECT_TASK, OCR_TASK, WRITE_QUEUE
from sightline.redis.connection import connect
from sightline.retry import Patience
from sightline.settings import Settings, load_settings
from sightline.testing import make_picture
from sightline.types import FrameRef, FrameResult, JobResult, JobStatus, Lane, Pipeline
from sightline.wire.messages import Job, Message, parse_message

MakePublisher = Callable[..., Publisher]


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return load_settings(
        redis_url=redis_url, max_open_frames=20, max_open_frames_per_source=10, live_max_open_frames=4, job_timeout_s=60
    )


@pytest.fixture
def publisher(settings: Settings) -> Publisher:
    return Publisher.from_settings(settings)


def make_job(*sources: str, lane: Lane = Lane.BULK) -> Job:
    frames = tuple(FrameRef(frame_id=new_id(), source_id=source, captured_at=datetime.now(UTC)) for source in sources)
    return Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=lane, frames=frames)


def result_of(job: Job) -> JobResult:
    frames = tuple(FrameResult(frame=frame) for frame in job.frames)
    return JobResult(
        job_id=job.job_id, pipeline=job.pipeline, status=JobStatus.STORED, frames=frames, finished_at=datetime.now(UTC)
    )


def pixels_of(job: Job) -> dict[str, bytes]:
    return {frame.frame_id: b"jpeg" for frame in job.frames}


def queued(settings: Settings, queue: str) -> list[dict[str, Any]]:
    client = redis.Redis.from_url(settings.redis_url, decode_responses=True)
    raw: Any = [item for key in (queue, f"{queue}\x06\x163", f"{queue}\x06\x166") for item in client.lrange(key, 0, -1)]
    bodies = [json.loads(json.loads(item)["body"]) for item in raw]
    return [parse_message(body[1]["message"]).dump() for body in bodies]


def balance(publisher: Publisher) -> bool:
    open_frames = publisher.ledger.open_frames()
    return all(
        counts.get("published", 0) == sum(counts.values()) - counts.get("published", 0) + open_frames.get(source, 0)
        for source, counts in publisher.ledger.counts().items()
    )


def test_a_job_that_a_writer_is_at_is_not_dropped_until_its_time_is_over(publisher: Publisher) -> None:
    ledger = publisher.ledger
    jobs = [make_job("gate", lane=Lane.LIVE).model_copy(update={"deadline_at": time.time()}) for _ in range(3)]
    outcomes = {"gate": {"dropped:stale": 1}}
    for job in jobs:
        ledger.admit(job)
        assert ledger.begin(job, to_write=True) == 1
        assert ledger.drop(job.job_id, outcomes) == "being written"
    written, died, _ = jobs
    assert ledger.settle(written.job_id, {"gate": {"stored": 1}})
    assert ledger.drop(written.job_id, outcomes) == "closed"
    ledger._redis.delete(f"sightline:done:{died.job_id}")  # as when it expires
    assert ledger.drop(died.job_id, outcomes) == "dropped"
    assert ledger.counts() == {"gate": {"published": 3, "stored": 1, "dropped:stale": 1}}


def test_publishing_twice_is_publishing_once(settings: Settings, publisher: Publisher) -> None:
    job = make_job("gate", "yard")
    for _ in range(3):
        assert publisher.publish(job, pixels_of(job)) == ()
    assert [message["job"]["job_id"] for message in queued(settings, DETECT_QUEUE)] == [job.job_id]
    assert publisher.ledger.counts() == {"gate": {"published": 1}, "yard": {"published": 1}}
    assert publisher.frames.get_many([frame.frame_id for frame in job.frames]) == [b"jpeg", b"jpeg"]


def test_a_finished_job_is_not_published_again(settings: Settings, publisher: Publisher) -> None:
    job = make_job("gate")
    publisher.publish(job, pixels_of(job))
    assert publisher.ledger.settle(job.job_id, {"gate": {"stored": 1}})
    assert not publisher.ledger.settle(job.job_id, {"gate": {"stored": 1}})
    publisher.publish(job, pixels_of(job))
    assert len(queued(settings, DETECT_QUEUE)) == 1
    assert publisher.ledger.begin(job) == 0
    assert publisher.ledger.counts() == {"gate": {"published": 1, "stored": 1}}
    assert balance(publisher)


def test_a_full_backlog_refuses_without_a_trace(settings: Settings, publisher: Publisher) -> None:
    for _ in range(10):
        publisher.publish(job := make_job("gate"), pixels_of(job))
    with pytest.raises(BacklogFullError, match="source 'gate'") as of_source:
        publisher.publish(job := make_job("gate", "yard"), pixels_of(job))
    assert of_source.value.source_id == "gate"
    assert publisher.ledger.counts() == {"gate": {"published": 10}}
    for _ in range(10):
        publisher.publish(job := make_job("yard"), pixels_of(job))
    with pytest.raises(BacklogFullError, match="in total") as in_total:
        publisher.publish(job := make_job("hall"), pixels_of(job))
    assert in_total.value.source_id is None
    assert len(queued(settings, DETECT_QUEUE)) == 20


def test_a_live_bundle_leaves_out_only_the_cameras_that_are_behind(publisher: Publisher) -> None:
    publisher.publish(job := make_job(*["gate"] * 4, lane=Lane.LIVE), pixels_of(job))
    mixed = make_job("gate", "yard", lane=Lane.LIVE)
    refused = publisher.publish(mixed, pixels_of(mixed))
    assert [frame.source_id for frame in refused] == ["gate"]
    assert publisher.ledger.open_frames() == {"gate": 4, "yard": 1}
    only = make_job("gate", lane=Lane.LIVE)
    assert publisher.publish(only, pixels_of(only)) == only.frames
    assert publisher.ledger.open_job(only.job_id) is None


def test_a_job_that_redis_lost_enters_the_ledger_again_when_a_stage_begins(publisher: Publisher) -> None:
    publisher.publish(job := make_job("gate"), pixels_of(job))
    entered = publisher.ledger.open_job(job.job_id)
    assert entered is not None
    assert entered.entered
    publisher.ledger._redis.flushall()
    assert publisher.ledger.begin(entered) == 1
    assert publisher.ledger.open_job(job.job_id) == entered
    assert publisher.ledger.counts() == {"gate": {"published": len(job.frames)}}


def test_pixels_that_cannot_be_stored_take_the_admission_back(publisher: Publisher) -> None:
    class Broken:
        def put_bundle(self, name: str, pixels: object) -> None:
            raise StoreUnavailableError("full")

    publisher.frames = Broken()  # pyright: ignore
    with pytest.raises(StoreUnavailableError):
        publisher.publish(job := make_job("gate"), pixels_of(job))
    assert publisher.ledger.open_frames() == {}
    assert publisher.ledger.counts() == {"gate": {"published": 0}}


def test_publishing_again_brings_the_pixels_an_earlier_try_could_not(publisher: Publisher) -> None:
    job = make_job("gate")
    publisher.ledger.admit(job)  # and then its producer died
    publisher.publish(job, pixels_of(job))
    assert publisher.frames.get_many([job.frames[0].frame_id]) == [b"jpeg"]


def test_a_job_no_producer_entered_is_adopted(publisher: Publisher) -> None:
    job = make_job("foreign")
    assert publisher.ledger.begin(job) == 1
    assert publisher.ledger.begin(job, redelivered=True) == 2
    assert publisher.ledger.counts() == {"foreign": {"published": 1}}
    assert publisher.ledger.open_job(job.job_id) == job
    assert publisher.ledger.open_jobs() == [job]


def sweeper(publisher: Publisher, max_attempts: int = 3) -> Sweeper:
    return Sweeper(publisher.ledger, publisher.broker, publisher.frames, interval_s=1, max_attempts=max_attempts)


def make_overdue(settings: Settings) -> None:
    client = redis.Redis.from_url(settings.redis_url)
    for lane in Lane:
        for job_id in client.zrange(f"sightline:due:{lane}:plates", 0, -1):  # pyright: ignore
            client.zadd(f"sightline:due:{lane}:plates", {job_id: time.time() - 1})


def test_an_overdue_job_is_sent_again_and_at_last_dies(settings: Settings, publisher: Publisher) -> None:
    job = make_job("gate")
    publisher.ledger.admit(job)  # its producer died before it could send the message
    assert sweeper(publisher).sweep() == 0
    for attempt in (2, 3):
        redis.Redis.from_url(settings.redis_url).delete(f"{DETECT_QUEUE}\x06\x166")
        make_overdue(settings)
        assert sweeper(publisher).sweep() == 1
        assert sweeper(publisher).sweep() == 0
        assert queued(settings, DETECT_QUEUE)[0]["job"]["attempt"] == attempt
    redis.Redis.from_url(settings.redis_url).delete(f"{DETECT_QUEUE}\x06\x166")
    make_overdue(settings)
    assert sweeper(publisher).sweep() == 1
    (message,) = queued(settings, WRITE_QUEUE)
    assert message["results"][0]["error"]["reason"] == "attempts_exhausted"


def test_a_job_that_still_waits_in_its_queue_is_not_sent_again(settings: Settings, publisher: Publisher) -> None:
    publisher.publish(job := make_job("gate"), pixels_of(job))
    client = redis.Redis.from_url(settings.redis_url)
    client.zadd("sightline:due:bulk:plates", {job.job_id: time.time()})
    time.sleep(0.01)
    assert sweeper(publisher).sweep() == 0
    client.delete(f"{DETECT_QUEUE}\x06\x166")  # the message is lost
    assert sweeper(publisher).sweep() == 1


@pytest.mark.parametrize("item", ["no JSON", "[1, 2]", "{}", '{"headers": null}'])
def test_an_item_that_is_no_message_holds_up_its_own_line_only(
    settings: Settings, publisher: Publisher, item: str
) -> None:
    bulk, live = make_job("gate"), make_job("gate", lane=Lane.LIVE)
    for job in (bulk, live):
        publisher.ledger.admit(job)
    make_overdue(settings)
    client = redis.Redis.from_url(settings.redis_url)
    client.rpush(f"{DETECT_QUEUE}\x06\x163", item)
    assert sweeper(publisher).sweep() == 1  # the bulk one: what waits behind the item may be the live one
    client.delete(f"{DETECT_QUEUE}\x06\x163")
    assert sweeper(publisher).sweep() == 1


def test_many_sweepers_send_a_job_once(settings: Settings, publisher: Publisher) -> None:
    for _ in range(10):
        publisher.ledger.admit(make_job("gate"))
    make_overdue(settings)
    swept: list[int] = []
    threads = [threading.Thread(target=lambda: swept.append(sweeper(publisher).sweep())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(swept) == 10 == len(queued(settings, DETECT_QUEUE))


def test_hand_over_waits_for_the_broker(
    settings: Settings, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery = Delivery(publisher.ledger, publisher.broker, Patience())
    sent: list[str] = []
    send = publisher.broker.send

    def refuse_twice(task: str, message: dict[str, Any], **options: Any) -> None:
        sent.append(options["task_id"])
        if len(sent) < 3:
            raise BrokerUnavailableError("refused")
        send(task, message, **options)

    monkeypatch.setattr(publisher.broker, "send", refuse_twice)
    job = make_job("gate")
    delivery.hand_over(OCR_TASK, job, [FrameResult(frame=frame) for frame in job.frames])
    assert sent == [f"{job.job_id}:ocr"] * 3
    assert publisher.queue_depths() == dict.fromkeys(registry().queues, 0) | {"cpu.ocr": 1}


def test_the_ledger_tells_since_when_the_oldest_job_of_a_lane_is_open(publisher: Publisher) -> None:
    ledger, both = publisher.ledger, (Pipeline.PLATES, Pipeline.TEXT)
    before = time.time() - 0.001
    assert ledger.oldest_open(Lane.LIVE, both, since=before) == {Pipeline.PLATES: None, Pipeline.TEXT: None}
    ledger.admit(first := make_job("gate", lane=Lane.LIVE))
    time.sleep(0.01)
    between = time.time()
    time.sleep(0.01)
    for job in (make_job("gate"), make_job("yard", lane=Lane.LIVE)):
        ledger.admit(job)
    named = make_job("hall", lane=Lane.LIVE).model_copy(update={"job_id": "a-job-of-somebody-else"})
    ledger.admit(named)
    ledger.begin(first)  # it is in work now, and due later than the others
    oldest = ledger.oldest_open(Lane.LIVE, both, since=before)
    assert oldest[Pipeline.TEXT] is None
    assert before <= (oldest[Pipeline.PLATES] or 0) < between
    assert (ledger.oldest_open(Lane.LIVE, both, since=between)[Pipeline.PLATES] or 0) > between
    ledger.settle(first.job_id, {"gate": {"stored": 1}})
    assert (ledger.oldest_open(Lane.LIVE, both, since=before)[Pipeline.PLATES] or 0) > between
    assert ledger.oldest_open(Lane.LIVE, (), since=before) == {}


def test_an_absent_broker_is_retryable() -> None:
    absent = Publisher.from_settings(load_settings(redis_url="redis://127.0.0.1:1/0"))
    with pytest.raises(BrokerUnavailableError):
        absent.publish(job := make_job("gate"), pixels_of(job))
    with pytest.raises(BrokerUnavailableError):
        absent.queue_depths()
    with pytest.raises(BrokerUnavailableError):
        absent.broker.send(DETECT_TASK, Message(job=job).dump(), task_id="x", lane=Lane.LIVE)


def test_a_publisher_that_fails_does_not_take_the_job_of_another(publisher: Publisher) -> None:
    job = make_job("gate")
    publisher.ledger.admit(job)  # the first, whose pixels are on their way
    assert publisher.publish(job, pixels_of(job)) == ()  # the second is told that it is accepted
    publisher.ledger.withdraw(job)  # the first fails
    assert publisher.ledger.open_job(job.job_id) is not None
    assert publisher.ledger.counts() == {"gate": {"published": 1}}


def test_a_job_that_died_may_be_published_again(settings: Settings, publisher: Publisher) -> None:
    job = make_job("gate")
    publisher.publish(job, pixels_of(job))
    publisher.ledger.settle(job.job_id, {"gate": {"dead": 1}})
    board = ResultBoard(connect(settings.redis_url), result_ttl_s=60)
    board.post(result_of(job))
    publisher.publish(job, pixels_of(job))
    assert len(queued(settings, DETECT_QUEUE)) == 2
    assert board.wait(job.job_id, 0.01) is None  # the old result is gone, the new one is waited for
    publisher.ledger.settle(job.job_id, {"gate": {"stored": 1}})
    assert publisher.ledger.counts() == {"gate": {"published": 2, "dead": 1, "stored": 1}}
    assert balance(publisher)


def test_a_late_copy_of_a_finished_job_counts_for_nothing(settings: Settings, publisher: Publisher) -> None:
    old = make_job("gate").model_copy(update={"published_at": time.time() - settings.result_ttl_s - 1})
    assert publisher.ledger.begin(old.model_copy(update={"entered": True})) == 0
    assert publisher.ledger.begin(old) == 1  # of a caller without a ledger, it was never entered before


def test_bulk_does_not_take_the_place_of_live(publisher: Publisher) -> None:
    for source in ("gate", "yard"):
        for _ in range(10):
            publisher.publish(job := make_job(source), pixels_of(job))
    with pytest.raises(BacklogFullError, match="in total"):
        publisher.publish(job := make_job("hall"), pixels_of(job))
    live = make_job("gate", lane=Lane.LIVE)
    assert publisher.publish(live, pixels_of(live)) == ()
    assert publisher.ledger.open_frames() == {"gate": 11, "yard": 10}


def test_a_partly_refused_job_is_partly_refused_again(publisher: Publisher) -> None:
    publisher.publish(job := make_job(*["gate"] * 4, lane=Lane.LIVE), pixels_of(job))
    mixed = make_job("gate", "yard", lane=Lane.LIVE)
    first = publisher.publish(mixed, pixels_of(mixed))
    assert publisher.publish(mixed, pixels_of(mixed)) == first == mixed.frames[:1]
    publisher.ledger.settle(mixed.job_id, {"yard": {"stored": 1}})
    assert publisher.publish(mixed, pixels_of(mixed)) == first


def test_a_client_is_told_that_its_live_picture_was_refused(settings: Settings) -> None:
    with Sightline(settings) as client:
        for number in range(4):
            client.submit(make_picture(f"AB{number}"), lane="live")
        with pytest.raises(BacklogFullError, match="'python'") as caught:
            client.submit(make_picture("AB99"), lane="live")
    assert caught.value.source_id == "python"


def test_a_picture_is_another_frame_in_another_pipeline(settings: Settings) -> None:
    with Sightline(settings) as client:
        plates, objects = (client.submit(make_picture("AB1"), pipeline=name) for name in ("plates", "objects"))
    assert plates.job.frames[0].frame_id != objects.job.frames[0].frame_id


def test_a_full_redis_is_retryable_in_scripts_too(settings: Settings, publisher: Publisher) -> None:
    job = make_job("gate")
    client = redis.Redis.from_url(settings.redis_url)
    client.config_set("maxmemory", "1")
    try:
        for call in (lambda: publisher.ledger.admit(job), lambda: publisher.ledger.begin(job)):
            with pytest.raises(BrokerUnavailableError, match=r"OOM|maxmemory"):
                call()
    finally:
        client.config_set("maxmemory", "0")


def test_the_sweeper_survives_an_entry_it_cannot_read(settings: Settings, publisher: Publisher) -> None:
    publisher.ledger.admit(strange := make_job("gate"))
    publisher.ledger.admit(make_job("gate"))
    redis.Redis.from_url(settings.redis_url).hset("sightline:jobs", strange.job_id, '{"of": "another version"}')
    make_overdue(settings)
    assert sweeper(publisher).sweep() == 1


def test_a_queue_without_workers_hides_no_lost_job_of_another_pipeline(
    settings: Settings, publisher: Publisher
) -> None:
    Delivery(publisher.ledger, publisher.broker, Patience()).hand_over(OCR_TASK, make_job("gate"), [])
    time.sleep(0.01)
    lost = make_job("gate").model_copy(update={"pipeline": Pipeline.OBJECTS})
    publisher.ledger.admit(lost)
    redis.Redis.from_url(settings.redis_url).zadd("sightline:due:bulk:objects", {lost.job_id: time.time() - 0.001})
    assert sweeper(publisher).sweep() == 1
