"""A stage that cuts a job into shards, on a real Redis: each is worked on for itself, and they are merged in order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sightline.celery.app import create_app
from sightline.delivery.branches import Branches
from sightline.errors import BadImageError
from sightline.retry import Patience
from sightline.settings import load_settings
from tests.installing import write_package
from tests.integration.delivery.forking import ASK, POINTS, Cuts, Finds, Workers
from tests.integration.stages.running import sent_to
from workers.stages.payloads import bundles_of
from workers.stages.services import Services, open_services
from workers.stages.step import Step

LOOK, CUT, CUT_ANY = "sightline.look", "sightline.cut", "sightline.cut-any"
WORDS = ["one", "two", "three", "four"]


class DiedError(Exception):
    """Stands for a worker that is killed at this point."""


@pytest.fixture
def services(redis_url: str, tmp_path: Path, packages: Path) -> Services:
    write_package(packages, "our_graphs", ASK, pipelines=POINTS)
    settings = load_settings(redis_url=redis_url, data_dir=tmp_path, max_attempts=3, job_timeout_s=60)
    return open_services(create_app(settings), settings, "test@here", Patience())


def workers_of(services: Services, *words: str, name: str = "cut", **more: Any) -> Workers:
    return Workers(services, Finds("look", services), Cuts(name, services, words, **more), Finds("answer", services))


def fail_on(*words: str) -> Any:
    def first(step: Step) -> None:
        if step.shard is not None and step.shard.decode() in words:
            raise BadImageError(f"no word: {step.shard.decode()}")

    return first


def test_shards_are_merged_in_their_order_and_nothing_is_left(services: Services) -> None:
    workers = workers_of(services, *WORDS)
    workers.publish("long")
    workers.take(CUT)
    for raw in reversed(sent_to(services, CUT)):  # whoever ends first
        workers.run(CUT, raw)
    workers.work_off()
    assert workers.write.texts == ["eno", "owt", "eerht", "ruof"]
    assert workers.sent == [
        ("cut", None),
        ("cut", 3),
        ("cut", 2),
        ("cut", 1),
        ("cut", 0),
        ("cut", None),
        ("write", None),
    ]
    assert workers.left() == []


def test_a_stage_in_the_middle_is_given_what_was_found_before_and_its_shards_are_freed_at_the_end(
    services: Services,
) -> None:
    workers = workers_of(services, *WORDS, name="cut-any")
    workers.publish("longer")
    workers.work_off()
    assert workers.write.texts == ["eno", "owt", "eerht", "ruof", "answer"]
    assert workers.left() == []


def test_a_single_shard_is_worked_on_at_once(services: Services) -> None:
    workers = workers_of(services, "one")
    workers.publish("long")
    workers.work_off()
    assert workers.write.texts == ["eno"]
    assert workers.sent == [("cut", None), ("write", None)]


def test_as_many_shards_as_there_may_be(services: Services) -> None:
    workers = workers_of(services, *(f"w{number}" for number in range(256)))
    workers.publish("long")
    workers.work_off()
    assert workers.write.texts == [f"{str(number)[::-1]}w" for number in range(256)]
    workers.stages[CUT].words = ["w"] * 257  # pyright: ignore
    workers.publish("long")
    with pytest.raises(RuntimeError, match="split gave more than 256 shards"):
        workers.take(CUT)


def test_who_dies_while_it_sends_shards_is_followed_by_one_that_sends_the_others(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, send, sent = workers_of(services, *WORDS), Branches._send, list[str]()

    def die_after_two(self: Branches, *arguments: Any) -> None:
        if len(sent) == 2:
            raise DiedError
        sent.append(arguments[2])
        send(self, *arguments)

    job = workers.publish("long")
    (whole,) = sent_to(services, CUT)
    with monkeypatch.context() as patched:
        patched.setattr(Branches, "_send", die_after_two)
        with pytest.raises(DiedError):
            workers.run(CUT, whole)
    assert sent == [f"{job.job_id}:cut:0", f"{job.job_id}:cut:1"]
    assert workers.take(CUT) == 2
    workers.run(CUT, whole, redelivered=True)
    workers.work_off()
    assert workers.write.texts == ["eno", "owt", "eerht", "ruof"]
    assert [shard for name, shard in workers.sent if name == "cut"] == [None, 0, 1, None, 2, 3, None]


def test_who_dies_between_arriving_and_sending_the_merge_arrives_again(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = workers_of(services, *WORDS)
    workers.publish("long")
    workers.take(CUT)
    *others, last = sent_to(services, CUT)
    for raw in others:
        workers.run(CUT, raw)

    def die(*_: Any) -> None:
        raise DiedError

    with monkeypatch.context() as patched:
        patched.setattr(services.branches, "send", die)
        with pytest.raises(DiedError):
            workers.run(CUT, last)
    workers.run(CUT, last, redelivered=True)
    workers.work_off()
    assert workers.write.texts == ["eno", "owt", "eerht", "ruof"]


def test_the_sweeper_has_those_sent_again_that_did_not_arrive(services: Services) -> None:
    workers = workers_of(services, *WORDS)
    job = workers.publish("long")
    workers.take(CUT)
    first, *_lost = sent_to(services, CUT)
    workers.run(CUT, first)
    workers.sweep(job)
    workers.work_off()
    assert workers.write.texts == ["eno", "owt", "eerht", "ruof"]
    assert [shard for name, shard in workers.sent if name == "cut"] == [None, 0, None, 1, 2, 3, None]


def test_second_copies_of_shards_do_not_multiply_what_comes_after_them(services: Services) -> None:
    workers = workers_of(services, *WORDS, name="cut-any")
    job = workers.publish("longer")
    workers.take(LOOK)
    workers.take(CUT_ANY)
    first = sent_to(services, CUT_ANY)
    workers.sweep(job)  # they take long: another copy of each is sent
    workers.take(CUT_ANY)
    for raw in (*first, *sent_to(services, CUT_ANY)):
        workers.run(CUT_ANY, raw)
    workers.work_off()
    names = [name for name, shard in workers.sent if shard is None]
    assert names == ["look", "cut-any", "cut-any", "cut-any", "answer", "write"]
    assert workers.write.texts == ["eno", "owt", "eerht", "ruof", "answer"]
    assert workers.left() == []


def test_a_shard_that_failed_fails_the_job_where_all_are_needed(services: Services) -> None:
    workers = workers_of(services, *WORDS, first=fail_on("three"))
    workers.publish("long")
    workers.work_off()
    (message,) = workers.write.came
    assert message.results[0].error
    assert message.results[0].error.message == "no word: three"
    assert workers.stages[CUT].merged == []  # pyright: ignore


def test_where_any_will_do_the_others_are_merged_and_the_failed_one_is_seen(services: Services) -> None:
    workers = workers_of(services, *WORDS, name="cut-any", first=fail_on("three"))
    workers.publish("longer")
    workers.work_off()
    assert workers.write.texts == ["eno", "owt", "ruof", "answer"]
    (parts,) = workers.stages[CUT_ANY].merged  # pyright: ignore
    assert [part.has_failed for part in parts] == [False, False, True, False]


def test_where_all_shards_failed_the_job_is_dead(services: Services) -> None:
    workers = workers_of(services, *WORDS, name="cut-any", first=fail_on(*WORDS))
    workers.publish("longer")
    workers.work_off()
    assert services.delivery.ledger.counts() == {"gate": {"published": 1, "dead": 1}}


def test_a_shard_that_kills_its_workers_is_found_out_alone(services: Services) -> None:
    def die(step: Step) -> None:
        if step.shard == b"two":
            raise DiedError

    workers = workers_of(services, *WORDS, name="cut-any", first=die)
    workers.publish("longer")
    workers.take("sightline.look")
    workers.take(CUT_ANY)
    shards = sent_to(services, CUT_ANY)
    for _ in range(2):
        with pytest.raises(DiedError):
            workers.run(CUT_ANY, shards[1], redelivered=True)
        workers.run(CUT_ANY, shards[0], redelivered=True)
    workers.run(CUT_ANY, shards[1], redelivered=True)
    for raw in shards[2:]:
        workers.run(CUT_ANY, raw)
    workers.work_off()
    assert workers.write.texts == ["eno", "eerht", "ruof", "answer"]
    assert workers.stages[CUT_ANY].merged[0][1].results[0].error.reason == "worker_lost"  # pyright: ignore


def test_a_cancelled_job_is_not_worked_on_shard_by_shard(services: Services) -> None:
    workers = workers_of(services, *WORDS)
    job = workers.publish("long")
    workers.take(CUT)
    services.delivery.ledger.cancel(job.job_id)
    workers.work_off()
    assert workers.stages[CUT].worked == []  # pyright: ignore
    assert services.delivery.ledger.counts() == {"gate": {"published": 1, "dropped:cancelled": 1}}


def test_copies_of_a_job_that_ended_meanwhile_leave_nothing(services: Services) -> None:
    """Its message was taken twice, and the other has done all: while this one cuts, and while it works on a shard."""
    ended: list[int | None] = []

    def end(step: Step) -> None:
        job = step.message.job
        if services.delivery.ledger.settle(job.job_id, {"gate": {"stored": 1}}):
            services.frames.delete_bundles(bundles_of(step.message))
            ended.append(step.message.shard)

    class CutsLate(Cuts):
        def split(self, step: Step) -> list[bytes]:
            end(step)
            return super().split(step)

    workers = Workers(services, CutsLate("cut", services, WORDS))
    workers.publish("long")
    workers.work_off()
    assert (ended, workers.sent, workers.left()) == ([None], [("cut", None)], [])

    def end_in_the_last(step: Step) -> None:
        if step.message.shard == 3:
            end(step)

    workers = workers_of(services, *WORDS, first=end_in_the_last)
    workers.publish("long")
    workers.work_off()
    assert ended == [None, 3]
    assert [key for key in workers.left() if ".part.cut.3" in key] == []
