"""What a stage of a package leaves: each result is looked at, and a bad one is the end of its item alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.ids import new_id
from sightline.types import Item, ItemResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from tests.installing import write_package
from tests.integration.stages.running import FakeStage
from workers.stages.runner import run_message
from workers.stages.services import Services
from workers.stages.step import Step

SPEC = """
from sightline.pipelines import *
from sightline.types import ItemResult

class LetterCount(ItemResult):
    number: int | None = None
    note: str = ""
    share: float | None = None

SPEC = PipelineSpec("count-letters", ("text",), LetterCount, (StageSpec("count", "cpu.count", "x"),))
"""


@pytest.fixture
def count(packages: Path) -> type[ItemResult]:
    write_package(packages, "count_letters", SPEC, pipelines="count-letters = count_letters:SPEC")
    import count_letters  # pyright: ignore

    return count_letters.LetterCount  # pyright: ignore


def job() -> Job:
    parts = [{"medium": "text", "text": "abc"}]
    item = {"source_id": "notes", "captured_at": "2026-01-01T00:00:00Z", "parts": parts}
    items = [Item.model_validate(item | {"frame_id": new_id()}) for _ in range(3)]
    return Job(job_id=new_id(), pipeline=Pipeline("count-letters"), lane=Lane.BULK, frames=tuple(items))


def stored(services: Services, leave: Callable[[Job], Message]) -> tuple[ItemResult, ...]:
    """What comes to the writer, which is in the same process."""
    seen: list[Message] = []
    counting = FakeStage(lambda _: None, lambda step: Step("sightline.write", leave(step.message.job)))
    counting.task = "sightline.count"
    writing = FakeStage(seen.append)
    writing.task = "sightline.write"
    stages: dict[str, Any] = {stage.task: stage for stage in (counting, writing)}
    run_message(stages, "sightline.count", services, Message(job=job()).dump(), redelivered=False)
    (message,) = seen
    return message.results


@pytest.mark.parametrize("copied", [True, False])
@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (lambda one: one.model_copy(update={"note": 7}), "results.1.note: Input should be a valid string (got 7)"),
        (lambda one: one.model_copy(update={"number": "many"}), "results.1.number: Input should be a valid integer"),
        (lambda one: one.model_copy(update={"number": object()}), "results.1.number: <object object at"),
        (
            lambda one: one.model_copy(update={"share": float("nan")}),
            "results.1.share: Input should be a finite",
        ),
        (lambda _: {"number": 7}, "results.1.frame: {'number': 7} is a dict and no result"),
        (lambda _: None, "results.1.frame: there is no result of this item"),
        (lambda one: one.model_copy(update={"frame": None}), "results.1.frame: Input should be an object (got None)"),
        (lambda one: one.model_copy(update={"frame": job().frames[0]}), "is another item"),
    ],
)
def test_a_result_that_does_not_fit_is_the_end_of_its_item_alone(
    services: Services, count: Any, bad: Callable[[Any], Any], told: str, copied: bool
) -> None:
    def leave(job: Job) -> Message:
        first, second, third = (count(frame=item, number=3) for item in job.frames)
        results = (first, bad(second), third)
        return Message(job=job).model_copy(update={"results": results}) if copied else Message(job=job, results=results)

    first, second, third = stored(services, leave)
    assert (first.found["number"], first.error, third.found["number"], third.error) == (3, None, 3, None)
    assert second.error is not None
    assert (second.error.reason, second.error.stage) == ("bad_message", "count")
    assert told in second.error.message
    assert "count: " in second.error.message


def test_an_item_without_a_result_is_dead_by_name(services: Services, count: Any) -> None:
    def leave(job: Job) -> Message:
        return Message(job=job, results=tuple(count(frame=item, number=3) for item in job.frames[1:]))

    first, *others = stored(services, leave)
    assert first.error is not None
    assert "results.0.frame: there is no result of this item" in first.error.message
    assert [one.found["number"] for one in others] == [3, 3]
    assert all(one.error for one in stored(services, lambda job: Message(job=job)))


def test_one_result_of_a_whole_job_is_looked_at_too(services: Services, packages: Path) -> None:
    code = SPEC.replace('"x"),)', '"x"),), result_of="job"')
    write_package(packages, "count_letters", code, pipelines="count-letters = count_letters:SPEC")
    import count_letters  # pyright: ignore

    def leave(job: Job, number: Any) -> Message:
        good: Any = count_letters.LetterCount(frame=job.frames[0], number=3)  # pyright: ignore
        return Message(job=job, results=(good.model_copy(update={"number": number}),))

    (good,) = stored(services, lambda job: leave(job, 3))
    assert (good.error, good.found["number"]) == (None, 3)
    (bad,) = stored(services, lambda job: leave(job, "3"))
    assert bad.error is not None
    assert "count: results.0.number: Input should be a valid integer (got '3')" in bad.error.message
