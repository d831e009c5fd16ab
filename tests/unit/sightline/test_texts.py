"""Texts on their way in."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sightline.errors import BadMessageError, SourceError
from sightline.settings import Settings
from sightline.submission.files import find_files, is_text
from sightline.submission.jobs import NewItem, make_job
from sightline.submission.texts import NewText, read_text
from sightline.types import MAX_INLINE_CHARS, Lane
from sightline.wire.messages import Job
from tests.installing import write_package

NOW = datetime(2026, 5, 1, tzinfo=UTC)
SPEC = """
from sightline.pipelines import *
from sightline.types import ItemResult
SPEC = PipelineSpec("count-letters", ("text",), ItemResult, (StageSpec("count", "cpu.count", "x"),))
"""


@pytest.fixture(autouse=True)
def count_letters(packages: Path) -> None:
    write_package(packages, "count_letters", SPEC, pipelines="count-letters = count_letters:SPEC")


def job_of(*texts: str, pipeline: str = "count-letters", **settings: float) -> tuple[Job, dict[str, bytes]]:
    new: list[NewItem] = [NewText(text, NOW) for text in texts]
    return make_job(new, Settings(**settings), pipeline=pipeline, lane=Lane.BULK, source_id="notes")  # type: ignore[arg-type]


def test_short_texts_are_in_the_message_and_long_ones_in_the_frame_store() -> None:
    long = "ž" * (MAX_INLINE_CHARS + 1)
    job, blobs = job_of("short", long, "short")
    assert [item.media for item in job.frames] == [("text",), ("text",)]  # the same text twice is one item
    assert job.frames[0].parts[0].text == "short"
    assert blobs == {job.frames[1].frame_id: long.encode()}
    assert job.keys == [job.frames[1].frame_id]
    assert job_of("short", long)[0].job_id == job.job_id  # ids come from the content


def test_many_texts_that_do_not_fit_into_one_message_lie_in_the_frame_store() -> None:
    job, blobs = job_of(*(f"{number:02}" * (MAX_INLINE_CHARS // 2) for number in range(20)))
    assert sum(1 for item in job.frames if item.parts[0].text) == 16
    assert len(blobs) == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "text: 'text' is empty"),
        ("a\ud800", "text: 'text' has half of a character at 1"),
        ("a" * 2_000_000, "text: 'text' has 2.0 MB, at most 1 MB; make several of it"),
    ],
)
def test_what_is_no_text_is_refused(text: str, told: str) -> None:
    with pytest.raises(BadMessageError, match=told) as caught:
        job_of(text)
    assert caught.value.field == "text"


def test_a_pipeline_of_pictures_refuses_texts_and_names_who_takes_them() -> None:
    with pytest.raises(BadMessageError, match=r"'texts.0' is text; for text take chat or ask or count-letters"):
        job_of("short", pipeline="plates")


def test_files_become_texts_by_their_name_and_what_the_pipeline_takes(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbfwith a mark")
    (folder / "b.bin").write_bytes(b"\xff")
    assert find_files([folder], ["text"]) == [folder / "a.txt"]
    assert find_files([folder]) == []
    assert read_text(folder / "a.txt").text == "with a mark"
    assert is_text(folder / "b.bin", ["text"])
    assert not is_text(folder / "b.bin", ["text", "image"])
    with pytest.raises(BadMessageError, match=r"'b.bin' is no UTF-8 at byte 0; save it as UTF-8"):
        read_text(folder / "b.bin")
    with pytest.raises(SourceError, match="No such file"):
        read_text(folder / "c.txt")
