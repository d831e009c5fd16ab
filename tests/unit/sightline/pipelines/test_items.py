"""Items of any medium: what they are made of, what a pipeline takes of them, and frames as they always were."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import BadMessageError
from sightline.pipelines import as_results, check_items
from sightline.pipelines.items import MAX_JOB_CHARS
from sightline.testing import make_frame_refs
from sightline.types import (
    MAX_INLINE_CHARS,
    FrameRef,
    FrameResult,
    Item,
    ItemResult,
    JobResult,
    JobStatus,
    OtherResult,
    Part,
    Pipeline,
)
from sightline.wire.messages import MAX_FRAMES_PER_JOB, Message, parse_job, parse_message
from tests.installing import write_package

OLD = Path(__file__).parent / "old_messages.json"

SPEC = """
from sightline.pipelines import *
from sightline.types import ItemResult

class LetterCount(ItemResult):
    number: int | None = None

SPEC = PipelineSpec("count-letters", ("text",), LetterCount, (StageSpec("count", "cpu.count", "x"),), most_parts=2)
"""


@pytest.fixture
def count_letters(packages: Path) -> Any:
    write_package(packages, "count_letters", SPEC, pipelines="count-letters = count_letters:SPEC")
    import count_letters  # pyright: ignore

    return count_letters


def item(*parts: dict[str, Any], frame_id: str = "item-0001") -> dict[str, Any]:
    return {"frame_id": frame_id, "source_id": "notes", "captured_at": datetime.now(UTC), "parts": parts}


def job(*items: dict[str, Any], pipeline: str = "count-letters") -> dict[str, Any]:
    return {"job_id": "job-00001", "pipeline": pipeline, "frames": items}


def without_newer(written: Any, recorded: Any) -> Any:
    """What is written now, without fields that came since: with a default they may."""
    if isinstance(written, dict):
        return {name: without_newer(written[name], recorded[name]) for name in recorded}
    if isinstance(written, list):
        return [without_newer(*pair) for pair in zip(written, recorded, strict=True)]
    return written


def test_what_older_processes_sent_is_read_and_written_as_it_was() -> None:
    """Recorded before items had parts: by producers, between stages, on the result board."""
    recorded = json.loads(OLD.read_text())
    assert {len(each["message"]["results"]) for each in recorded["messages"]} == {0, 1, 2}
    for each in recorded["messages"]:
        message = parse_message(each["message"])
        assert without_newer(message.dump(), each["message"]) == each["message"]
        assert parse_message(each["packed"]) == message
        assert {type(result) for result in message.results} <= {FrameResult}
        assert all(frame.media == ("image",) and frame.keys == (frame.frame_id,) for frame in message.job.frames)
    for raw in recorded["results"]:
        result = JobResult.model_validate(raw)
        assert without_newer(json.loads(result.model_dump_json()), raw) == raw
        assert {type(frame) for frame in result.frames} == {FrameResult}


def test_a_frame_says_nothing_of_parts() -> None:
    (frame,) = make_frame_refs(1)
    assert FrameRef is Item
    assert "parts" not in frame.model_dump(mode="json")
    assert frame.media == ("image",)


def test_an_item_has_parts_in_the_frame_store_or_short_text() -> None:
    both = Item.model_validate(
        item(
            {"medium": "image", "key": "item-0001"},
            {"medium": "audio", "key": "item-0001.p1"},
            {"medium": "text", "text": "hi"},
        )
    )
    assert both.media == ("image", "audio", "text")
    assert both.keys == ("item-0001", "item-0001.p1")
    assert Item.model_validate_json(both.model_dump_json()) == both


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ({"medium": "text"}, "give either `key`"),
        ({"medium": "text", "text": "a", "key": "item-0001"}, "give either `key`"),
        ({"medium": "image", "text": "a"}, "`text` is of medium text, not image"),
        ({"medium": "text", "text": "a" * (MAX_INLINE_CHARS + 1)}, f"at most {MAX_INLINE_CHARS} characters"),
        ({"medium": "smell", "key": "item-0001"}, "'image', 'audio' or 'text'"),
        ({"medium": "image", "key": "item-0002"}, "'item-0002' is not of this item: give 'item-0001', or that with"),
        ({"medium": "image", "key": "item-0001.p16"}, "is not of this item"),
        ({"medium": "image", "key": "item-0001.frames"}, "is not of this item"),
        ({"medium": "image", "key": "../etc"}, "pattern"),
    ],
)
def test_a_part_that_makes_no_sense_is_refused_by_its_field(
    count_letters: Any, part: dict[str, Any], text: str
) -> None:
    with pytest.raises(BadMessageError, match=text) as caught:
        parse_job(job(item(part)))
    assert caught.value.field.startswith("frames.0.parts")


def test_parts_and_their_texts_are_bounded(count_letters: Any) -> None:
    with pytest.raises(BadMessageError, match="at most 16 items"):
        parse_job(job(item(*[{"medium": "text", "text": "a"}] * 17)))
    with pytest.raises(
        BadMessageError, match=r"frames.0.parts: 3 given, pipeline 'count-letters' takes 2 an item"
    ) as caught:
        parse_job(job(item(*[{"medium": "text", "text": "a"}] * 3)))
    assert caught.value.field == "frames.0.parts"
    long = {"medium": "text", "text": "a" * MAX_INLINE_CHARS}
    items = [item(long, frame_id=f"item-{number:04}") for number in range(MAX_FRAMES_PER_JOB)]
    assert len(parse_job(job(*items[:16])).frames) == 16
    with pytest.raises(BadMessageError, match=f"at most {MAX_JOB_CHARS} go in a job; make several jobs") as caught:
        parse_job(job(*items[:17]))
    assert caught.value.field == "frames"


@pytest.mark.parametrize(
    ("pipeline", "parts", "text"),
    [
        (
            "count-letters",
            [],
            "'count-letters' takes text, and 'car.jpg' is pictures; for pictures take objects or text or plates",
        ),
        (
            "plates",
            [{"medium": "text", "text": "a"}],
            "takes pictures, and 'car.jpg' is text; for text take chat or ask or count-letters",
        ),
        ("plates", [{"medium": "audio", "key": "item-0001"}], "is sound; for sound take transcribe"),
    ],
)
def test_a_pipeline_takes_its_media_only(count_letters: Any, pipeline: str, parts: list[Any], text: str) -> None:
    raw = job(item(*parts) | {"name": "car.jpg"}, pipeline=pipeline)
    for parse in (parse_job, lambda raw: parse_message({"job": raw})):
        with pytest.raises(BadMessageError, match=text) as caught:
            parse(raw)
        assert caught.value.field == "pipeline"


def test_an_item_of_one_picture_is_a_frame_to_ours() -> None:
    check_items("plates", [Item.model_validate(item({"medium": "image", "key": "item-0001"}))])


def test_results_cross_a_queue_as_what_their_pipeline_says(count_letters: Any) -> None:
    given = parse_job(job(item({"medium": "text", "text": "abc"})))
    count = count_letters.LetterCount(frame=given.frames[0], number=3)
    message = Message(job=given, results=(count,))
    for raw in (message.dump(), message.pack()):
        (read,) = parse_message(raw).results
        assert read == count
        assert type(read) is count_letters.LetterCount


def test_a_result_of_another_type_is_refused_by_its_field(count_letters: Any) -> None:
    given = parse_job(job(item({"medium": "text", "text": "abc"})))
    wrong = Message(job=given, results=(FrameResult(frame=given.frames[0], width=7),))
    with pytest.raises(
        BadMessageError, match=r"results.0.width: .*of 'count-letters' are of type LetterCount"
    ) as caught:
        wrong.with_results(wrong.results)
    assert caught.value.field == "results.0.width"
    raw = Message(job=given).dump() | {
        "results": [{"frame": wrong.results[0].frame.model_dump(mode="json"), "number": "many"}]
    }
    with pytest.raises(BadMessageError, match=r"results.0.number"):
        parse_message(raw)


def test_a_stage_of_ours_may_leave_less_than_the_result_of_a_package(packages: Path) -> None:
    code = SPEC.replace("(ItemResult)", "(FrameResult)").replace("import ItemResult", "import FrameResult")
    write_package(packages, "count_letters", code, pipelines="count-letters = count_letters:SPEC")
    (frame,) = make_frame_refs(1)
    (lifted,) = as_results(Pipeline("count-letters"), [FrameResult(frame=frame, width=7)])
    assert (type(lifted).__name__, lifted.found["width"], lifted.found["number"]) == ("LetterCount", 7, None)


def test_results_of_a_package_that_is_not_here_are_shown_as_they_came(count_letters: Any) -> None:
    (frame,) = make_frame_refs(1)
    result = JobResult(
        job_id="job-00001",
        pipeline=Pipeline("of-somebody-else"),
        status=JobStatus.STORED,
        frames=(count_letters.LetterCount(frame=frame, number=3),),
        finished_at=datetime.now(UTC),
    )
    (read,) = JobResult.model_validate_json(result.model_dump_json()).frames
    assert isinstance(read, OtherResult)
    assert (read.found, read.summary) == ({"number": 3}, "number 3")


def test_what_was_found_is_what_no_other_item_has() -> None:
    (frame,) = make_frame_refs(1)
    assert set(FrameResult(frame=frame).found) == {"width", "height", "detections", "readings"}
    assert not FrameResult(frame=frame, width=7).has_found
    assert not ItemResult(frame=frame).has_found
    assert Part(medium="text", text="").text == ""
