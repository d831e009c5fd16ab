"""The verdict on questions and recordings: each that is stored has one answer, or one text, and that of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from benchmarks.chaos.load import text_of
from benchmarks.chaos.questions.items import question_of, seconds_of
from benchmarks.chaos.verdict.rows import Rows
from sightline.types import Item, Pipeline
from sightline.wire.messages import Job

#: What is said of a recording is rounded to tenths, of each piece.
_ROUNDED_S: Final = 0.06


def judge_answers(job: Job, rows: Rows, seed: int) -> Iterator[str]:
    """Returns what was broken."""
    right = {Pipeline.CHAT: _is_said_back, Pipeline.TRANSCRIBE: _is_all_read, Pipeline.ASK: _goes_by_all}
    for item in job.frames:
        found = rows.found.get(item.frame_id, {})
        if item.frame_id in rows.frames and not right[job.pipeline](item, found, text_of(seed, item.seq)):
            yield f"frame {item.frame_id}: asked of {job.pipeline} about {text_of(seed, item.seq)}, found {found}"


def answers_of(job: Job, rows: Rows) -> list[str]:
    """The stored ones, in the order of the questions."""
    return [str(rows.found.get(item.frame_id, {}).get("answer", [""])[0]) for item in job.frames]


def _is_said_back(_: Item, found: dict[str, list[Any]], text: str) -> bool:
    return found.get("answer") == [question_of(text)] and not found.get("refused")


def _is_all_read(item: Item, found: dict[str, list[Any]], _: str) -> bool:
    return len(found.get("text", [])) == 1 and _reads(item, found.get("segments", []), found.get("missing"))


def _goes_by_all(item: Item, found: dict[str, list[Any]], text: str) -> bool:
    """The question, and what was seen and heard: the model says it back as it was told."""
    if len(answer := found.get("answer", [])) != 1 or len(heard := found.get("heard", [])) != 1 or found.get("failed"):
        return False
    *told, question = answer[0].split("Question: ")
    said = all(f'"{segment["text"]}"' in told[0] for segment in heard[0]["segments"]) and text in "".join(told)
    return said and question == question_of(text) and _reads(item, heard[0]["segments"], heard[0].get("missing"))


def _reads(item: Item, segments: list[Any], missing: Any) -> bool:
    """Each segment says how long it is, and each begins where the one before it ends."""
    ends = [0.0, *(segment["end_s"] for segment in segments)]
    starts = [*(segment["start_s"] for segment in segments), seconds_of(item.seq)]
    is_whole = all(abs(start - end) < _ROUNDED_S for start, end in zip(starts, ends, strict=True))
    return (
        is_whole
        and not missing
        and all(
            abs(float(segment["text"]) - segment["end_s"] + segment["start_s"]) < _ROUNDED_S for segment in segments
        )
    )
