"""How a stage treats each class of error, on a real ledger: waiting, giving back, burying, finding out who kills."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from celery.exceptions import Reject

from sightline.celery_app import create_app
from sightline.errors import BadImageError, StoreUnavailableError
from sightline.frames import crop_key, crops_name, frames_name
from sightline.ids import new_id
from sightline.messages import Job, Message
from sightline.patience import Patience
from sightline.queues import DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.settings import load_settings
from sightline.types import Detection, FrameError, FrameRef, FrameResult, JobStatus, Lane, Pipeline
from workers.batching import Batcher
from workers.images import decode
from workers.liveness import Liveness
from workers.services import Services, open_services
from workers.stage import Stage, bundles_of, run_burial, run_message
from workers.step import Step


class FakeStage:
    task = DETECT_TASK

    def __init__(self, work: Callable[[Message], None], following: Callable[[Step], Step | None] | None = None) -> None:
        self._work = work
        self._following = following
        self.batchers: dict[str, Batcher[Any, Any]] = {}

    def work(self, step: Step) -> Step | None:
        self._work(step.message)
        return self._following(step) if self._following else None

    def close(self) -> None: ...


def run_stage(stage: FakeStage, services: Services, raw: Any, *, redelivered: bool) -> None:
    """In a worker that has no other stage."""
    run_message({stage.task: stage}, stage.task, services, raw, redelivered=redelivered)


@pytest.fixture
def services(redis_url: str, tmp_path: Path) -> Services:
    settings = load_settings(redis_url=redis_url, data_dir=tmp_path, max_attempts=3, job_timeout_s=60)
    return open_services(create_app(settings), settings, "test@here", Patience())


def message() -> dict[str, Any]:
    frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
    job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
    return Message(job=job).dump()


def raising(error: BaseException) -> FakeStage:
    def work(_message: Message) -> None:
        raise error

    return FakeStage(work)


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


def test_whoever_waits_stops_when_the_job_was_finished_elsewhere(services: Services) -> None:
    raw = message()

    def work(_message: Message) -> None:
        services.delivery.ledger.settle(raw["job"]["job_id"], {"gate": {"stored": 1}})
        raise StoreUnavailableError("down")

    run_stage(FakeStage(work), services, raw, redelivered=False)  # returns


def test_a_stop_gives_a_waiting_message_back_at_once(services: Services) -> None:
    threading.Timer(0.3, services.delivery.patience.stop).start()
    started_at = time.monotonic()
    with pytest.raises(Reject) as caught:
        run_stage(raising(StoreUnavailableError("down")), services, message(), redelivered=False)
    assert caught.value.requeue
    assert time.monotonic() - started_at < 2


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(1)])
def test_what_would_wedge_the_pool_gives_the_message_back(services: Services, error: BaseException) -> None:
    with pytest.raises(Reject) as caught:
        run_stage(raising(error), services, message(), redelivered=False)
    assert caught.value.requeue


def test_out_of_memory_a_message_is_given_back_after_a_pause_that_a_stop_ends(services: Services) -> None:
    """At once, a shortage of half a second would use up all attempts of whatever waits."""
    started_at = time.monotonic()
    with pytest.raises(Reject):
        run_stage(raising(MemoryError()), services, message(), redelivered=False)
    assert time.monotonic() - started_at >= 2
    services.delivery.patience.stop()
    with pytest.raises(Reject):
        run_stage(raising(MemoryError()), services, message(), redelivered=False)
    assert time.monotonic() - started_at < 3


def test_a_bug_is_loud_and_leaves_the_job_open(services: Services) -> None:
    raw = message()
    with pytest.raises(ZeroDivisionError):
        run_stage(raising(ZeroDivisionError()), services, raw, redelivered=False)
    assert services.delivery.ledger.open_job(raw["job"]["job_id"]) is not None


def test_poison_goes_to_the_dead_letters_at_once(services: Services) -> None:
    run_stage(raising(BadImageError("cut off")), services, message(), redelivered=False)
    assert services.delivery.broker.depths()["db.write"] == 1


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
        [],
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
        [batcher],
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


def with_pixels(services: Services) -> Message:
    """A message whose frame and crop lie in the frame store."""
    box = Detection(xyxy=(0, 0, 1, 1), label="plate", class_id=0, confidence=0.9)
    given = Message.model_validate(message())
    frame = given.job.frames[0]
    services.frames.put_bundle(frames_name(given.job.job_id), {frame.frame_id: b"frame"})
    services.frames.put_bundle(crops_name(given.job.job_id), {crop_key(frame.frame_id, 0): b"crop"})
    return given.model_copy(update={"results": (FrameResult(frame=frame, detections=(box,)),)})


def pixels_of(services: Services, message: Message) -> list[bytes | None]:
    found = [services.frames.get_bundle(name, keys) for name, keys in bundles_of(message).items()]
    return [data for bundle in found for data in bundle]


def test_a_late_copy_of_a_finished_job_frees_what_its_first_run_left(services: Services) -> None:
    given = with_pixels(services)
    services.delivery.begin(given.job)
    services.delivery.settle(given.job, {"gate": {"stored": 1}})
    run_stage(raising(AssertionError("not to be run")), services, given.dump(), redelivered=True)
    assert pixels_of(services, given) == [None, None]


def test_a_job_that_is_finished_but_for_its_pixels_frees_them_when_it_can(services: Services) -> None:
    given = with_pixels(services)

    def settle_and_fail_to_free(_message: Message) -> None:
        services.delivery.settle(given.job, {"gate": {"stored": 1}})
        raise StoreUnavailableError("down")

    run_stage(FakeStage(settle_and_fail_to_free), services, given.dump(), redelivered=False)
    assert pixels_of(services, given) == [None, None]


def stale(pipeline: Pipeline = Pipeline.PLATES, *, frames: int = 2) -> Job:
    refs = [FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC)) for _ in range(frames)]
    late = time.time() - 1
    return Job(job_id=new_id(), pipeline=pipeline, lane=Lane.LIVE, frames=tuple(refs), deadline_at=late, entered=True)


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
    services.delivery.hand_over = lambda task, _job, found: sent.append((task, tuple(found)))  # pyright: ignore
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


BOX = Detection(xyxy=(0, 0, 8, 4), label="plate", class_id=0, confidence=0.9)


def found(step: Step) -> Step:
    """A plate in every frame, cut out."""
    job = step.message.job
    results = tuple(FrameResult(frame=frame, detections=(BOX,)) for frame in job.frames)
    crops = {crop_key(frame.frame_id, 0): np.full((4, 8, 3), 7, np.uint8) for frame in job.frames}
    return Step(OCR_TASK, Message(job=job, results=results), crops)


def in_process(*stages: FakeStage) -> dict[str, Stage]:
    """Stages of one worker, in their order."""
    found: dict[str, Stage] = {}
    for stage, task in zip(stages, (DETECT_TASK, OCR_TASK, WRITE_TASK), strict=False):
        stage.task = task
        found[task] = stage
    return found


def test_stages_of_one_process_hand_over_without_a_queue_or_a_frame_store(services: Services) -> None:
    seen: list[Step] = []

    def read(step: Step) -> Step:
        seen.append(step)
        return Step(WRITE_TASK, step.message)

    def write(step: Step) -> None:
        seen.append(step)

    nothing: Callable[[Message], None] = lambda _message: None  # noqa: E731
    stages = in_process(FakeStage(nothing, found), FakeStage(nothing, read), FakeStage(nothing, write))
    run_message(stages, DETECT_TASK, services, message(), redelivered=False)
    assert [step.task for step in seen] == [OCR_TASK, WRITE_TASK]
    assert [image.shape for image in seen[0].crops.values()] == [(4, 8, 3)]
    assert services.delivery.broker.depths() == dict.fromkeys(("gpu.detect", "cpu.ocr", "db.write"), 0)
    assert not any(pixels_of(services, seen[1].message))


def test_what_another_process_goes_on_with_is_sent_and_its_crops_are_stored(services: Services) -> None:
    raw = message()
    run_message(in_process(FakeStage(lambda _: None, found)), DETECT_TASK, services, raw, redelivered=False)
    assert services.delivery.broker.depths()["cpu.ocr"] == 1
    job = Message.model_validate(raw).job
    (crop,) = services.frames.get_bundle(crops_name(job.job_id), [crop_key(job.frames[0].frame_id, 0)])
    assert crop is not None
    assert decode(crop, max_mpx=1).shape == (4, 8, 3)


def test_an_outage_in_a_later_stage_repeats_that_stage_alone(services: Services) -> None:
    detected, tried = list[str](), list[str]()

    def read(message: Message) -> None:
        tried.append(message.job.job_id)
        if len(tried) < 2:
            raise StoreUnavailableError("down")

    stages = in_process(FakeStage(lambda given: detected.append(given.job.job_id), found), FakeStage(read))
    run_message(stages, DETECT_TASK, services, message(), redelivered=False)
    assert (len(detected), len(tried)) == (1, 2)


def test_poison_in_a_later_stage_is_dead_by_the_name_of_that_stage(services: Services) -> None:
    stages = in_process(FakeStage(lambda _: None, found), raising(BadImageError("no crop")))
    sent: list[FrameResult] = []
    services.delivery.hand_over = lambda _task, _job, results: sent.extend(results)  # pyright: ignore
    run_message(stages, DETECT_TASK, services, message(), redelivered=False)
    assert [(result.error.stage, result.error.reason) for result in sent if result.error] == [("ocr", "bad_image")]


def test_a_job_that_was_long_in_one_process_asks_for_more_time(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw, due = message(), list[float]()
    job_id = raw["job"]["job_id"]

    def due_at() -> float:
        return float(services.delivery.ledger._redis.zscore("sightline:due:bulk:plates", job_id))  # pyright: ignore

    def slow(_message: Message) -> None:
        services.delivery.ledger._redis.zadd("sightline:due:bulk:plates", {job_id: 0})
        began_at = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: began_at + 16)  # a quarter of the 60 s it has

    run_message(
        in_process(FakeStage(slow, found), FakeStage(lambda _: due.append(due_at()))),
        DETECT_TASK,
        services,
        raw,
        redelivered=False,
    )
    assert due[0] > time.time()


def test_a_job_that_was_finished_elsewhere_meanwhile_is_not_gone_on_with(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = with_pixels(services)

    def finished_meanwhile(_message: Message) -> None:
        services.delivery.settle(given.job, {"gate": {"stored": 1}})
        began_at = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: began_at + 16)

    stages = in_process(FakeStage(finished_meanwhile, found), raising(AssertionError("not to be run")))
    run_message(stages, DETECT_TASK, services, given.dump(), redelivered=False)
    assert pixels_of(services, given) == [None, None]
