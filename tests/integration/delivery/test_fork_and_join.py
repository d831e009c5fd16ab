"""Pipelines that fork and join, on a real Redis: every branch is worked on, and what they found is joined once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.celery.app import create_app
from sightline.delivery.branches import Branches
from sightline.errors import BadImageError, BrokerUnavailableError
from sightline.pipelines import registry
from sightline.pipelines.queues import WRITE_TASK
from sightline.retry import Patience
from sightline.settings import load_settings
from sightline.types import FrameError, FrameResult
from sightline.wire.messages import Message, parse_message
from sightline.wire.parts import part_key
from tests.installing import write_package
from tests.integration.delivery.forking import ASK, POINTS, Finds, Workers
from tests.integration.stages.running import sent_to
from workers.stages.payloads import bundles_of
from workers.stages.services import Services, open_services
from workers.stages.step import Step

LOOK, READ, HEAR, ANSWER = (f"sightline.{name}" for name in ("look", "read", "hear", "answer"))


@pytest.fixture
def services(redis_url: str, tmp_path: Path, packages: Path) -> Services:
    write_package(packages, "our_graphs", ASK, pipelines=POINTS)
    settings = load_settings(redis_url=redis_url, data_dir=tmp_path, max_attempts=3, job_timeout_s=60)
    return open_services(create_app(settings), settings, "test@here", Patience())


@pytest.fixture
def workers(services: Services) -> Workers:
    return Workers(services, *(Finds(name, services) for name in ("look", "read", "hear", "answer", "guess")))


class DiedError(Exception):
    """Stands for a worker that is killed at this point."""


def failing(error: Exception) -> Callable[[Step], None]:
    def fail(_step: Step) -> None:
        raise error

    return fail


def replace_stage(workers: Workers, stage: Any) -> None:
    workers.stages = {**workers.stages, stage.task: stage}


def balanced(services: Services) -> bool:
    counts = services.delivery.ledger.counts()["gate"]
    return counts["published"] == sum(n for name, n in counts.items() if name != "published")


def test_what_branches_found_is_joined_and_nothing_is_left(workers: Workers) -> None:
    workers.publish("inquire")
    workers.work_off()
    assert workers.write.texts == ["look", "read", "hear", "answer"]
    (result,) = workers.write.came[0].results
    assert [reading.detection_index for reading in result.readings] == [0, 1, 2, 3]
    assert sorted(workers.sent) == [(name, None) for name in ("answer", "hear", "look", "read", "write")]
    (joined,) = workers.stages[ANSWER].worked  # pyright: ignore
    assert {name: len(part.results[0].readings) for name, part in joined.parts.items()} == {"read": 2, "hear": 1}
    assert workers.left() == []


def test_branches_of_one_process_are_joined_too(workers: Workers, services: Services) -> None:
    """Where one worker has all stages, a chain goes on in it; the join is sent."""
    from workers.stages.runner import run_message

    workers.publish("inquire")
    for task in (LOOK, HEAR, ANSWER):
        (raw,) = sent_to(services, task)
        run_message(workers.stages, task, services, raw, redelivered=False)
    assert workers.write.texts == ["look", "read", "hear", "answer"]


def test_a_fork_in_the_middle_counts_what_was_before_once(workers: Workers, services: Services) -> None:
    """And where several stages are the last, what they found is joined for the writer."""
    for name in ("left", "right"):
        replace_stage(workers, Finds(name, services))
    workers.publish("diamond")
    workers.work_off()
    assert workers.write.texts == ["look", "left", "right"]
    assert workers.left() == []


@pytest.mark.parametrize("dies", ["before it arrives", "between arriving and sending"])
def test_a_crash_at_the_join_is_delivered_again_and_joined_once(
    workers: Workers, services: Services, monkeypatch: pytest.MonkeyPatch, dies: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise DiedError

    workers.publish("inquire")
    workers.take(HEAR)
    workers.take(LOOK)
    (raw,) = sent_to(services, READ)
    with monkeypatch.context() as patched:
        patched.setattr(
            services.branches.arrivals if "before" in dies else services.branches,
            "arrive" if "before" in dies else "send",
            die,
        )
        with pytest.raises(DiedError):
            workers.run(READ, raw)
    assert workers.take(ANSWER) == 0
    workers.run(READ, raw, redelivered=True)  # as its message returns
    assert workers.take(ANSWER) == 1
    workers.work_off()
    assert workers.write.texts == ["look", "read", "hear", "answer"]


def test_who_arrives_twice_sends_once_and_the_job_is_stored_once(workers: Workers, services: Services) -> None:
    workers.publish("inquire")
    workers.take(LOOK)
    (raw,) = sent_to(services, READ)
    workers.take(HEAR)
    workers.run(READ, raw)
    workers.run(READ, raw, redelivered=True)
    assert workers.take(ANSWER) == 1
    workers.work_off()
    assert workers.write.texts == ["look", "read", "hear", "answer"]
    assert balanced(services)


def test_branches_that_arrive_at_one_moment_send_the_join(workers: Workers, services: Services) -> None:
    job = workers.publish("inquire")
    graph = registry().graph("inquire")
    assert graph is not None
    services.delivery.begin(job)
    together, chains = threading.Barrier(2), [graph.chain_of(task) for task in (READ, HEAR)]
    sent = list[str]()
    services.branches.send = lambda _job, chain: sent.append(chain.name)  # pyright: ignore

    def arrive(chain: Any) -> None:
        part = __import__("sightline.wire.parts").wire.parts.Part(
            tuple(FrameResult(frame=frame) for frame in job.frames)
        )
        together.wait(5)
        services.branches.arrive(job, chain, part)

    threads = [threading.Thread(target=arrive, args=(chain,)) for chain in chains]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert sent == ["answer"]


def test_where_all_are_needed_a_branch_that_failed_is_the_end(workers: Workers, services: Services) -> None:
    replace_stage(workers, Finds("read", services, failing(BadImageError("cut off"))))
    workers.publish("inquire", frames=2)
    workers.work_off()
    (message,) = workers.write.came
    assert [result.error and (result.error.reason, result.error.stage) for result in message.results] == [
        ("bad_image", "read")
    ] * 2
    assert workers.stages[ANSWER].worked == []  # pyright: ignore
    assert workers.left() == []


def test_where_any_will_do_the_join_goes_on_and_sees_what_failed(workers: Workers, services: Services) -> None:
    replace_stage(workers, Finds("read", services, failing(BadImageError("cut off"))))
    workers.publish("guess")
    workers.work_off()
    assert workers.write.texts == ["hear", "guess"]
    (joined,) = workers.stages["sightline.guess"].worked  # pyright: ignore
    assert joined.parts["read"].has_failed
    assert balanced(services)


def test_where_any_will_do_and_all_failed_the_job_is_dead(workers: Workers, services: Services) -> None:
    for name in ("read", "hear"):
        replace_stage(workers, Finds(name, services, failing(BadImageError(name))))
    workers.publish("guess")
    workers.work_off()
    assert services.delivery.ledger.counts() == {"gate": {"published": 1, "dead": 1}}


def test_a_frame_that_failed_in_one_branch_leaves_the_others_of_its_job_alone(
    workers: Workers, services: Services
) -> None:
    class FailsOnFirst(Finds):
        def work(self, step: Step) -> Step:
            done = super().work(step)
            error = FrameError(reason="bad_image", message="damaged", stage="hear")
            first, *others = done.message.results
            results = (FrameResult(frame=first.frame, error=error), *others)
            return Step(done.task, done.message.model_copy(update={"results": results}))

    replace_stage(workers, FailsOnFirst("hear", services))
    workers.publish("inquire", frames=2)
    workers.work_off()
    assert services.delivery.ledger.counts() == {"gate": {"published": 2, "dead": 1, "stored": 1}}


def test_a_branch_that_kills_its_workers_is_found_out_and_the_other_is_innocent(
    workers: Workers, services: Services
) -> None:
    """`hear` came back twice, `look` three times: none of them is over the limit for the other's sake."""
    replace_stage(workers, Finds("look", services, failing(DiedError())))
    job = workers.publish("guess")
    (hear,), (look,) = sent_to(services, HEAR), sent_to(services, LOOK)
    for _ in range(2):
        workers.run(HEAR, hear, redelivered=True)
        with pytest.raises(DiedError):
            workers.run(LOOK, look, redelivered=True)
    workers.run(LOOK, look, redelivered=True)
    assert len(workers.stages[HEAR].worked) == 2  # pyright: ignore
    arrived = services.branches.gather(job, ["read"])["read"]
    assert arrived.results[0].error
    assert arrived.results[0].error.reason == "worker_lost"
    workers.work_off()
    assert workers.write.texts == ["hear", "guess"]


def test_the_sweeper_sends_what_did_not_arrive(workers: Workers, services: Services) -> None:
    job = workers.publish("inquire")
    workers.take(HEAR)
    sent_to(services, LOOK)  # lost
    assert workers.sweep(job) == 1
    assert workers.take(HEAR) == 0
    workers.work_off()
    assert workers.write.texts == ["look", "read", "hear", "answer"]
    assert len(workers.stages[HEAR].worked) == 1  # pyright: ignore


def test_a_branch_that_was_held_for_long_makes_a_job_due_late_only_until_it_arrives(
    workers: Workers, services: Services
) -> None:
    """Or what another branch lost with its worker would be missed when that time is over."""
    graph = registry().graph("ask")
    assert graph is not None
    assert graph.held == ("transcribe",)
    job, arrivals = workers.publish("inquire"), services.branches.arrivals
    ledger = services.delivery.ledger
    services.delivery.begin(job, held_s=600)
    began_at = time.time()
    arrivals.arrive(job, "read", held=("hear",))
    assert not list(ledger.claim_overdue(job.lane, job.pipeline, before=began_at + 500))
    arrivals.arrive(job, "hear", held=("hear",))
    overdue = next(ledger.claim_overdue(job.lane, job.pipeline, before=began_at + 500))
    assert overdue.job.job_id == job.job_id


def test_the_sweeper_sends_a_join_that_was_lost(workers: Workers, services: Services) -> None:
    job = workers.publish("inquire")
    for task in (HEAR, LOOK, READ):
        workers.take(task)
    sent_to(services, ANSWER)  # lost
    workers.sweep(job)
    workers.work_off()
    assert workers.write.texts == ["look", "read", "hear", "answer"]
    assert [name for name, _ in workers.sent].count("read") == 1


@pytest.mark.parametrize(("pipeline", "ends"), [("inquire", "dead"), ("guess", "stored")])
def test_a_branch_that_used_up_its_attempts_arrives_as_failed(
    workers: Workers, services: Services, pipeline: str, ends: str
) -> None:
    job = workers.publish(pipeline)
    workers.take(HEAR)
    for _ in range(3):
        sent_to(services, LOOK)  # lost, again and again
        workers.sweep(job)
    workers.work_off()
    assert services.delivery.ledger.counts() == {"gate": {"published": 1, ends: 1}}
    assert workers.left() == []


def test_a_join_that_used_up_its_attempts_is_dead(workers: Workers, services: Services) -> None:
    job = workers.publish("inquire")
    for task in (HEAR, LOOK, READ):
        workers.take(task)
    for _ in range(3):
        sent_to(services, ANSWER)
        workers.sweep(job)
    workers.work_off()
    (message,) = workers.write.came
    assert message.results[0].error
    assert message.results[0].error.reason == "attempts_exhausted"


def test_what_was_put_down_and_is_gone_makes_its_branch_fail(workers: Workers, services: Services) -> None:
    job = workers.publish("guess")
    for task in (HEAR, LOOK, READ):
        workers.take(task)
    services.frames.delete_many([part_key(job.job_id, "read")])
    workers.work_off()
    assert workers.write.texts == ["hear", "guess"]


def test_one_cancellation_ends_all_branches(workers: Workers, services: Services) -> None:
    job = workers.publish("inquire")
    workers.take(HEAR)
    services.delivery.ledger.cancel(job.job_id)
    workers.work_off()
    assert services.delivery.ledger.counts() == {"gate": {"published": 1, "dropped:cancelled": 1}}
    assert workers.stages[LOOK].worked == []  # pyright: ignore
    assert workers.left() == []


def test_an_outage_at_the_join_is_waited_out(
    workers: Workers, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.publish("inquire")
    workers.take(HEAR)
    workers.take(LOOK)
    tries, send = list[int](), Branches.send

    def refused(self: Branches, *arguments: Any) -> None:
        tries.append(1)
        if len(tries) < 3:
            raise BrokerUnavailableError("down")
        send(self, *arguments)

    monkeypatch.setattr(Branches, "send", refused)
    workers.work_off()
    assert len(tries) == 3
    assert workers.write.texts == ["look", "read", "hear", "answer"]


def test_results_in_a_message_to_a_join_are_not_believed(workers: Workers, services: Services) -> None:
    job = workers.publish("inquire")
    forged = Message(job=job, results=tuple(FrameResult(frame=frame) for frame in job.frames))
    for raw in (forged.dump(), Message(job=job, shard=3).dump()):
        workers.run(ANSWER, raw)
        workers.services.delivery.ledger._redis.delete("db.write\x06\x166")
    assert workers.stages[ANSWER].worked == []  # pyright: ignore


def test_linear_pipelines_leave_no_trace_of_this(services: Services) -> None:
    """No chain, no arrival, no field in a message."""
    known = registry()
    assert [known.graph(name) for name in ("plates", "text", "objects")] == [None] * 3
    assert {"inquire", "guess", "diamond", "long", "longer"} <= set(known.graphs)
    workers = Workers(services)
    job = workers.publish("plates")
    (raw,) = sent_to(services, known.first_task("plates"))
    assert b"shard" not in __import__("base64").b64decode(raw)
    assert parse_message(raw).job.job_id == job.job_id
    assert services.delivery.ledger._redis.keys("sightline:arrived:*") == []
    assert WRITE_TASK in known.tasks["plates"]


def test_a_branch_of_a_job_that_ended_meanwhile_leaves_nothing(workers: Workers, services: Services) -> None:
    """Its message was taken twice, and the other copy has come to the end."""

    def end(step: Step) -> None:
        services.delivery.ledger.settle(step.message.job.job_id, {"gate": {"stored": 1}})
        services.frames.delete_bundles(bundles_of(step.message))

    replace_stage(workers, Finds("hear", services, end))
    workers.publish("inquire")
    for task in ("sightline.look", "sightline.read", "sightline.hear"):
        workers.take(task)
    assert workers.left() == []
