"""What is submitted together: one item or several, new each time or not, with options or without."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import BadMessageError
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.settings import load_settings
from sightline.submission.jobs import NewFrame, NewItem, make_job
from sightline.submission.sounds import NewSound
from sightline.submission.texts import NewText
from sightline.testing import make_picture
from sightline.types import MAX_INLINE_CHARS, ItemResult, Lane, Pipeline, Value
from tests.installing import write_package

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)

SPECS = """
from sightline.pipelines import *
from sightline.types import ItemResult, Value

class Options(Value):
    loud: bool = False

STAGES = (StageSpec("say", "cpu.say", "x"),)
ANSWER = PipelineSpec("answer", ("text", "image", "audio"), ItemResult, STAGES, most_parts=4, options=Options,
                      is_new_each_time=True)
COUNT = PipelineSpec("count", ("text", "audio"), ItemResult, STAGES)
"""


@pytest.fixture(autouse=True)
def installed(packages: Path) -> None:
    write_package(packages, "says", SPECS, pipelines="answer = says:ANSWER\ncount = says:COUNT")


def make(*new: NewItem, pipeline: str = "answer", **given: Any) -> Any:
    return make_job(new, load_settings(), pipeline=pipeline, lane=Lane.BULK, source_id="tests", **given)


def text(said: str) -> NewText:
    return NewText(said, NOW)


def picture() -> NewFrame:
    return NewFrame(make_picture("KAB 4721"), NOW)


def test_all_that_is_submitted_together_is_one_item_where_items_have_several_parts() -> None:
    job, stored = make(text("What is this?"), picture(), NewSound(b"RIFF", NOW), text("x" * 20_000))

    (item,) = job.frames
    assert item.media == ("text", "image", "audio", "text")
    assert item.parts[0].text == "What is this?"
    assert [part.key for part in item.parts[1:]] == [f"{item.frame_id}.p{number}" for number in (1, 2, 3)]
    assert stored[item.parts[2].key] == b"RIFF"
    assert len(stored[item.parts[3].key]) == 20_000 > MAX_INLINE_CHARS


def test_too_many_parts_are_refused_by_their_number() -> None:
    with pytest.raises(BadMessageError, match=r"5 given, pipeline 'answer' takes 4 an item"):
        make(*map(text, "abcde"))


def test_a_question_asked_again_is_new_and_a_text_counted_again_is_not() -> None:
    assert make(text("Hello"))[0].job_id != make(text("Hello"))[0].job_id
    assert make(text("Hello"), pipeline="count")[0].job_id == make(text("Hello"), pipeline="count")[0].job_id


def test_an_idempotency_key_makes_the_same_question_the_same_job() -> None:
    first, again = (make(text("Hello"), idempotency_key="k-1")[0] for _ in range(2))
    assert (first.job_id, first.frames[0].frame_id) == (again.job_id, again.frames[0].frame_id)
    assert make(text("Hello"), idempotency_key="k-2")[0].job_id != first.job_id
    assert make(text("Goodbye"), idempotency_key="k-1")[0].job_id != first.job_id


def test_options_travel_with_each_item() -> None:
    job, _ = make(text("Hello"), options={"loud": True})
    assert job.frames[0].options == {"loud": True}
    assert make(text("Hello"))[0].frames[0].options is None
    assert "options" not in make(text("Hello"))[0].model_dump_json()


@pytest.mark.parametrize(
    ("pipeline", "options", "said"),
    [
        ("answer", {"lout": True}, r"options\.lout: no option of 'answer'; it has loud \(got True\)"),
        ("answer", {"loud": "perhaps"}, r"options\.loud: .*boolean.*'perhaps'"),
        ("count", {"loud": True}, r"options: pipeline 'count' has no options; leave them out"),
        ("plates", {"loud": True}, r"options: pipeline 'plates' has no options; leave them out"),
    ],
)
def test_options_that_a_pipeline_does_not_have_are_refused(pipeline: str, options: dict[str, Any], said: str) -> None:
    new = picture() if pipeline == "plates" else text("Hello")
    with pytest.raises(BadMessageError, match=said):
        make(new, pipeline=pipeline, options=options)


@pytest.mark.parametrize(
    ("data", "said"), [(b"", r"sounds: 'a\.wav' is empty"), (b"x" * 1_200_000, r"'a\.wav' has 1\.2 MB, at most 1 MB")]
)
def test_a_sound_that_is_empty_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch, data: bytes, said: str) -> None:
    monkeypatch.setenv("SIGHTLINE_MAX_SOUND_MB", "1")
    with pytest.raises(BadMessageError, match=said):
        make(NewSound(data, NOW, "a.wav"), pipeline="count")


def test_a_sound_is_refused_by_a_pipeline_of_pictures_with_what_takes_it() -> None:
    with pytest.raises(BadMessageError, match=r"'plates' takes pictures, and 'a\.wav' is sound; .* answer or"):
        make(NewSound(b"RIFF", NOW, "a.wav"), pipeline="plates")


def test_a_sound_alone_is_an_item_of_one_part_under_its_own_id() -> None:
    job, stored = make(NewSound(b"RIFF", NOW, "a.wav"), pipeline="count")
    assert job.frames[0].parts[0].key == job.frames[0].frame_id
    assert stored == {job.frames[0].frame_id: b"RIFF"}


def test_each_option_of_a_pipeline_has_a_default() -> None:
    class Options(Value):
        loud: bool

    with pytest.raises(Exception, match="options: loud has no default"):
        PipelineSpec(Pipeline("say"), ("text",), ItemResult, (StageSpec("say", "cpu.say", "x"),), options=Options)


def test_the_same_content_with_other_options_is_another_item() -> None:
    def job(**options: object) -> str:
        new = NewSound(b"RIFF", datetime.now(UTC), "a.wav")
        made, _ = make_job([new], None, pipeline="transcribe", lane="bulk", source_id="desk", options=options or None)
        return made.job_id

    assert job() == job()
    assert job(language="en") == job(language="en")
    assert len({job(), job(language="en"), job(language="sk")}) == 3
