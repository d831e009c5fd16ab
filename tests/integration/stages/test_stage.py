"""How a stage treats each class of error, on a real ledger: waiting, giving back, burying, finding out who kills."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from celery.exceptions import Reject

from sightline import retry
from sightline.errors import BadImageError, StoreUnavailableError
from sightline.ids import new_id
from sightline.pipelines.queues import DEAD_LETTER_TASK, DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.types import Detection, FrameError, FrameResult, JobStatus, Lane, Pipeline, Reading
from sightline.wire.messages import Message
from tests.integration.stages.running import FakeStage, message, pixels_of, raising, run_stage, stale, with_pixels
from workers.batching.batcher import Batcher
from workers.housekeeping.liveness import Liveness
from workers.housekeeping.times import StageTimes
from workers.stages import newer, runner
from workers.stages.payloads import bundles_of
from workers.stages.runner import run_burial
from workers.stages.services import Services

FORGED = Reading(text="ADM1N", confidence=0.99)


def test_an_outage_is_waited_out_and_the_ledger_is_asked_for_more_time(services: Services) -> None:
    raw, calls = message(), list[float]()

    def work(_message: Message) -> None:
        calls.append(time.time())
        if len(calls) < 3:
            services.delivery.ledger._redis.zadd("sightline:due:bulk:plates", {raw["job"]["job_id"]: 0})
            raise StoreUnavailableError("down")

    run_stage(FakeStage(work), services, raw, redelivered=False)
    assert len(calls) == 3
    due = services.delivery.ledger._redis.zscore("sightline:due:bulk:plates", raw["job"]["job_id"])
    assert due is not None
    assert due > time.time() + 50


def test_what_a_stage_took_and_how_long_its_message_waited_is_counted_once_a_job(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen by Prometheus under the names of queue, stage and lane: an outage is no time of the stage."""
    times = StageTimes()
    monkeypatch.setattr(runner, "TIMES", times)
    raw, calls = message(), list[int]()
    raw["handed_over_at"] = time.time() - 20

    def work(_message: Message) -> None:
        calls.append(1)
        if len(calls) < 2:
            raise StoreUnavailableError("down")

    run_stage(FakeStage(work), services, raw, redelivered=False)
    samples = {
        (sample.name, *sample.labels.values()): sample.value for metric in times.collect() for sample in metric.samples
    }
    assert samples["sightline_queue_wait_seconds_count", "gpu.detect", "bulk"] == 1
    assert samples["sightline_queue_wait_seconds_sum", "gpu.detect", "bulk"] >= 20
    assert samples["sightline_queue_wait_seconds_bucket", "gpu.detect", "bulk", "10.0"] == 0
    assert samples["sightline_stage_seconds_count", "detect", "bulk"] == 1
    assert samples["sightline_stage_seconds_bucket", "detect", "bulk", "0.1"] == 1
    assert samples["sightline_stage_frames_total", "detect", "bulk"] == 1


def test_whoever_waits_stops_when_the_job_was_finished_elsewhere(services: Services) -> None:
    raw = message()

    def work(_message: Message) -> None:
        services.delivery.ledger.settle(raw["job"]["job_id"], {"gate": {"stored": 1}})
        raise StoreUnavailableError("down")

    run_stage(FakeStage(work), services, raw, redelivered=False)  # returns


@pytest.mark.timeout(60)
def test_a_stop_gives_a_waiting_message_back_at_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_PAUSES_S", (600.0,))
    threading.Timer(0.3, services.delivery.patience.stop).start()
    with pytest.raises(Reject) as caught:
        run_stage(raising(StoreUnavailableError("down")), services, message(), redelivered=False)
    assert caught.value.requeue


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(1)])
def test_what_would_wedge_the_pool_gives_the_message_back(services: Services, error: BaseException) -> None:
    with pytest.raises(Reject) as caught:
        run_stage(raising(error), services, message(), redelivered=False)
    assert caught.value.requeue


@pytest.mark.timeout(60)
def test_out_of_memory_a_message_is_given_back_after_a_pause_that_a_stop_ends(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, a shortage of half a second would use up all attempts of whatever waits."""
    started_at = time.monotonic()
    with pytest.raises(Reject):
        run_stage(raising(MemoryError()), services, message(), redelivered=False)
    assert time.monotonic() - started_at >= 2
    monkeypatch.setattr(runner, "_MEMORY_PAUSE_S", 600.0)
    services.delivery.patience.stop()
    with pytest.raises(Reject):
        run_stage(raising(MemoryError()), services, message(), redelivered=False)


def test_a_bug_is_loud_and_leaves_the_job_open(services: Services) -> None:
    raw = message()
    with pytest.raises(ZeroDivisionError):
        run_stage(raising(ZeroDivisionError()), services, raw, redelivered=False)
    assert services.delivery.ledger.open_job(raw["job"]["job_id"]) is not None


def test_poison_goes_to_the_dead_letters_at_once(services: Services) -> None:
    run_stage(raising(BadImageError("cut off")), services, message(), redelivered=False)
    assert services.delivery.broker.depths()["db.write"] == 1


@pytest.mark.parametrize("changes", [{"v": 2}, {"job": message()["job"] | {"pipeline": "no-such"}}])
def test_a_message_for_newer_workers_is_left_to_them_and_is_a_dead_letter_if_there_are_none(
    services: Services, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    """While an update rolls, an old worker must not bury what a new one is there for."""
    monkeypatch.setattr(runner, "_NEWER_PAUSE_S", 0.01)
    raw = message() | changes
    for _ in range(3):
        with pytest.raises(Reject) as caught:
            run_stage(raising(AssertionError("not to be run")), services, raw, redelivered=False)
        assert caught.value.requeue
    assert services.delivery.broker.depths()["db.write"] == 0
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + newer.UPDATE_TAKES_S)
    run_stage(raising(AssertionError("not to be run")), services, raw, redelivered=False)
    assert services.delivery.broker.depths()["db.write"] == 1


def test_a_message_that_nobody_can_know_is_a_dead_letter_at_once(services: Services) -> None:
    for changes in ({"v": 0}, {"v": "2"}, {"job": message()["job"] | {"pipeline": 5}}, {"surprise": 1}):
        run_stage(raising(AssertionError("not to be run")), services, message() | changes, redelivered=False)
    assert services.delivery.broker.depths()["db.write"] == 4


def test_a_job_whose_workers_die_again_and_again_dies_alone(services: Services) -> None:
    raw, worked = message(), list[str]()
    stage = FakeStage(lambda given: worked.append(given.job.job_id))
    for _ in range(5):
        run_stage(stage, services, raw, redelivered=True)
    assert len(worked) == 2  # from the third sighting on it is not tried any more
    assert services.delivery.broker.depths()["db.write"] == 3


def test_suspects_run_one_at_a_time_and_only_the_running_one_is_counted(services: Services) -> None:
    first, second = message(), message()
    inside, go_on = threading.Event(), threading.Event()

    def work(_message: Message) -> None:
        inside.set()
        assert go_on.wait(5)

    stage = FakeStage(work)
    threads = [
        threading.Thread(target=run_stage, args=(stage, services, raw), kwargs={"redelivered": True})
        for raw in (first, second)
    ]
    for thread in threads:
        thread.start()
    assert inside.wait(5)
    time.sleep(0.2)
    # Had the process died now, only one of the two would be suspected.
    assert services.delivery.ledger._redis.hlen("sightline:sightings") == 1
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert services.delivery.ledger._redis.hlen("sightline:sightings") == 2


def test_a_message_of_the_writer_is_no_suspect(services: Services) -> None:
    stage = FakeStage(lambda _: None)
    stage.task = WRITE_TASK
    for _ in range(5):
        run_stage(stage, services, message(), redelivered=True)
    assert services.delivery.ledger._redis.hlen("sightline:sightings") == 0


def test_who_stands_in_line_when_the_worker_stops_is_not_counted(services: Services) -> None:
    services.delivery.patience.stop()
    with pytest.raises(Reject):
        run_stage(raising(AssertionError("not to be run")), services, message(), redelivered=True)
    assert services.delivery.ledger._redis.hlen("sightline:sightings") == 0


def test_a_letter_is_held_until_it_is_stored(services: Services) -> None:
    tries = list[dict[str, Any]]()

    def store(letter: dict[str, Any]) -> None:
        tries.append(letter)
        if len(tries) < 2:
            raise StoreUnavailableError("locked")

    run_burial(store, services, {"reason": "bad_message"})
    assert len(tries) == 2


def test_liveness_ends_a_stalled_worker_but_not_one_that_waits(services: Services) -> None:
    ended: list[str] = []
    patience = services.delivery.patience
    services.delivery.broker.send(DETECT_TASK, message(), task_id=new_id(), lane=Lane.BULK)
    liveness = Liveness(
        services.delivery.broker,
        patience,
        ["gpu.detect"],
        list,
        model_timeout_s=1,
        stall_timeout_s=0.2,
        end_process=ended.append,
    )
    patience._paused_at = time.monotonic()
    liveness.check()
    time.sleep(0.3)
    liveness.check()
    assert ended == []
    patience._paused_at = float("-inf")
    liveness.check()
    time.sleep(0.3)
    liveness.finished()
    liveness.check()
    assert ended == []
    time.sleep(0.3)
    liveness.check()
    assert "nothing finished" in ended[0]


def test_liveness_ends_a_worker_whose_model_hangs(services: Services) -> None:
    ended: list[str] = []
    release = threading.Event()

    def hang(items: list[int]) -> list[int]:
        release.wait(5)
        return items

    batcher = Batcher(hang, max_batch_size=1, max_wait_ms=0, name="hanging")
    liveness = Liveness(
        services.delivery.broker,
        services.delivery.patience,
        ["gpu.detect"],
        lambda: [batcher],
        model_timeout_s=0.1,
        stall_timeout_s=60,
        end_process=ended.append,
    )
    batcher.submit([1])
    time.sleep(0.3)
    liveness.check()
    release.set()
    batcher.close()
    assert "'hanging'" in ended[0]


def test_a_late_copy_of_a_finished_job_frees_what_its_first_run_left(services: Services) -> None:
    given = with_pixels(services)
    services.delivery.begin(given.job)
    services.delivery.ledger.settle(given.job.job_id, {"gate": {"stored": 1}})
    stage = raising(AssertionError("not to be run"))
    stage.task = OCR_TASK
    run_stage(stage, services, given.dump(), redelivered=True)
    assert pixels_of(services, given) == [None, None]


def test_a_job_that_is_finished_but_for_its_pixels_frees_them_when_it_can(services: Services) -> None:
    given = with_pixels(services)

    def settle_and_fail_to_free(_message: Message) -> None:
        services.delivery.ledger.settle(given.job.job_id, {"gate": {"stored": 1}})
        raise StoreUnavailableError("down")

    stage = FakeStage(settle_and_fail_to_free)
    stage.task = OCR_TASK
    run_stage(stage, services, given.dump(), redelivered=False)
    assert pixels_of(services, given) == [None, None]


@pytest.mark.parametrize("task", [DETECT_TASK, OCR_TASK])
def test_a_stale_live_job_is_dropped_at_dequeue_and_counted(services: Services, task: str) -> None:
    job = stale()
    box = Detection(xyxy=(0, 0, 9, 9), label="plate", class_id=0, confidence=0.9)
    results = tuple(FrameResult(frame=frame, detections=(box,)) for frame in job.frames) if task == OCR_TASK else ()
    message = Message(job=job, results=results)
    services.delivery.ledger.admit(job)
    for name, keys in bundles_of(message).items():
        services.frames.put_bundle(name, dict.fromkeys(keys, b"pixels"))
    stage = raising(AssertionError("nothing is to be done"))
    stage.task = task
    run_stage(stage, services, message.dump(), redelivered=False)
    assert services.delivery.ledger.counts() == {"gate": {"published": 2, "dropped:stale": 2}}
    assert services.delivery.ledger.open_frames() == {}
    assert not any(pixels_of(services, message))
    result = services.board.wait(job.job_id, 1)
    assert result is not None
    assert result.status is JobStatus.DROPPED


def test_a_frame_that_died_is_dead_also_where_the_others_are_stale(services: Services) -> None:
    job = stale()
    error = FrameError(reason="bad_image", message="damaged", stage="detect")
    results = (FrameResult(frame=job.frames[0], error=error), FrameResult(frame=job.frames[1]))
    services.delivery.ledger.admit(job)
    stage = raising(AssertionError("nothing is to be done"))
    stage.task = OCR_TASK
    sent: list[tuple[str, tuple[FrameResult, ...]]] = []
    services.delivery.hand_over = lambda task, _job, found, _shards=None: sent.append((task, tuple(found)))  # pyright: ignore
    run_stage(stage, services, Message(job=job, results=results).dump(), redelivered=False)
    ((task, found),) = sent
    assert task == WRITE_TASK
    assert [(result.error, result.dropped) for result in found] == [(error, None), (None, "stale")]


def test_what_came_as_far_as_the_writer_is_stored_however_old(services: Services) -> None:
    job, done = stale(), list[str]()
    stage = FakeStage(lambda message: done.append(message.job.job_id))
    stage.task = WRITE_TASK
    services.delivery.ledger.admit(job)
    results = tuple(FrameResult(frame=frame) for frame in job.frames)
    run_stage(stage, services, Message(job=job, results=results).dump(), redelivered=False)
    assert done == [job.job_id]


def test_results_are_believed_of_stages_only(services: Services) -> None:
    """Whoever may send jobs must not store what no model found."""
    given = Message.model_validate(message())
    forged = given.model_copy(update={"results": (FrameResult(frame=given.job.frames[0], readings=(FORGED,)),)})
    of_objects = given.model_copy(update={"job": given.job.model_copy(update={"pipeline": Pipeline.OBJECTS})})
    for task, refused in (
        (DETECT_TASK, forged),
        (OCR_TASK, given),  # nothing to read in
        (WRITE_TASK, given),  # its frames would end nowhere
        (OCR_TASK, of_objects.model_copy(update={"results": forged.results})),  # no stage of this pipeline
    ):
        worked = raising(AssertionError("not to be run"))
        worked.task = task
        run_stage(worked, services, refused.dump(), redelivered=False)
        (letter,) = sent_to_writer(services)
        assert letter["headers"]["task"] == DEAD_LETTER_TASK
    assert services.delivery.ledger.open_frames() == {}


def sent_to_writer(services: Services) -> list[dict[str, Any]]:
    """What waits for the writer, taken off its queue."""
    found: Any = services.delivery.ledger._redis.lpop("db.write\x06\x166", 10)
    return [json.loads(entry) for entry in found or ()]
