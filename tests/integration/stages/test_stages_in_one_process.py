"""Stages of one worker: what stays in the process, what goes on elsewhere, and what the ledger is asked between."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import pytest

from sightline.blobs.names import frames_name, payload_name
from sightline.errors import BadImageError, StoreUnavailableError
from sightline.pipelines import registry
from sightline.pipelines.crops import crop_key
from sightline.pipelines.queues import DETECT_TASK, OCR_TASK, WRITE_TASK
from sightline.types import FrameResult
from sightline.wire.messages import Message
from tests.integration.stages.running import (
    FakeStage,
    found,
    in_process,
    message,
    pixels_of,
    raising,
    stale,
    with_pixels,
)
from workers.stages.runner import run_message
from workers.stages.services import Services
from workers.stages.step import Step


def test_a_suspect_that_came_through_the_models_leaves_its_rows_to_the_queue(services: Services) -> None:
    """Nothing its rows may wait for (a full disk, a stop, a lost connection) makes it `worker_lost`."""
    stages = in_process(
        FakeStage(lambda _: None, found),
        FakeStage(lambda _: None, lambda step: Step(WRITE_TASK, step.message)),
        raising(AssertionError("not to be stored here")),
    )
    run_message(stages, DETECT_TASK, services, message(), redelivered=True)
    assert services.delivery.broker.depths()["db.write"] == 1


def test_a_live_job_of_which_a_copy_was_dropped_meanwhile_is_not_stored(services: Services) -> None:
    job = stale().model_copy(update={"deadline_at": time.time() + 60})
    services.delivery.ledger.admit(job)

    def lose(_message: Message) -> None:
        services.delivery.ledger.settle(job.job_id, {"gate": {"dropped:stale": 2}})

    stages = in_process(
        FakeStage(lambda _: None, found),
        FakeStage(lose, lambda step: Step(WRITE_TASK, step.message)),
        raising(AssertionError("not to be stored")),
    )
    run_message(stages, DETECT_TASK, services, Message(job=job).dump(), redelivered=False)
    assert services.delivery.ledger.counts() == {"gate": {"published": 2, "dropped:stale": 2}}


@pytest.mark.parametrize("lone_writer", [True, False])
def test_a_copy_cannot_drop_what_a_writer_is_at(services: Services, lone_writer: bool) -> None:
    """Else there would be rows of frames that the ledger counts as dropped. A copy comes where a lease was late."""
    job = stale().model_copy(update={"deadline_at": time.time() + 60})
    services.delivery.ledger.admit(job)
    results = tuple(FrameResult(frame=frame) for frame in job.frames)
    given = Message(job=job, results=results if lone_writer else ())
    name, keys = frames_name(job.job_id), [frame.frame_id for frame in job.frames]
    services.frames.put_bundle(name, dict.fromkeys(keys, b"pixels"))

    def write(_message: Message) -> None:
        late = Message(job=job.model_copy(update={"deadline_at": time.time() - 1}))
        copy = raising(AssertionError("too late for it"))
        run_message({DETECT_TASK: copy}, DETECT_TASK, services, late.dump(), redelivered=True)
        assert services.frames.get_bundle(name, keys) == [b"pixels"] * 2
        services.delivery.ledger.settle(job.job_id, {"gate": {"stored": 2}})

    stages = in_process(
        FakeStage(lambda _: None, found),
        FakeStage(lambda _: None, lambda step: Step(WRITE_TASK, step.message)),
        FakeStage(write),
    )
    run_message(stages, WRITE_TASK if lone_writer else DETECT_TASK, services, given.dump(), redelivered=False)
    assert services.delivery.ledger.counts() == {"gate": {"published": 2, "stored": 2}}


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
    assert list(seen[0].payload.values()) == ["a crop"]
    assert services.delivery.broker.depths() == dict.fromkeys(registry().queues, 0)
    assert not any(pixels_of(services, seen[1].message))


def test_what_another_process_goes_on_with_is_sent_and_its_crops_are_stored(services: Services) -> None:
    raw = message()
    run_message(in_process(FakeStage(lambda _: None, found)), DETECT_TASK, services, raw, redelivered=False)
    assert services.delivery.broker.depths()["cpu.ocr"] == 1
    job = Message.model_validate(raw).job
    (crop,) = services.frames.get_bundle(payload_name(job.job_id, "crops"), [crop_key(job.frames[0].frame_id, 0)])
    assert crop == b"dumped a crop"


def test_what_another_process_stored_is_loaded_by_the_stage_that_takes_it(services: Services) -> None:
    given, seen = with_pixels(services), list[object]()

    class Taker(FakeStage):
        def load(self, blobs: Mapping[str, bytes | None]) -> Mapping[str, bytes | None]:
            return {"loaded": blobs[crop_key(given.job.frames[0].frame_id, 0)]}

    reader = Taker(lambda _: None, lambda step: seen.append(step.payload))
    reader.task = OCR_TASK
    run_message({OCR_TASK: reader}, OCR_TASK, services, given.dump(), redelivered=False)
    assert seen == [{"loaded": b"crop"}]


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
        services.delivery.ledger.settle(given.job.job_id, {"gate": {"stored": 1}})
        began_at = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: began_at + 16)

    stages = in_process(FakeStage(finished_meanwhile, found), raising(AssertionError("not to be run")))
    run_message(stages, DETECT_TASK, services, Message(job=given.job).dump(), redelivered=False)
    assert pixels_of(services, given) == [None, None]
