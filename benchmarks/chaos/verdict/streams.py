"""The verdict on what a stage said while it worked: who listened heard each text once, in order, of one attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.journal import Entry
from benchmarks.chaos.load import text_of
from benchmarks.chaos.machine.system import System
from benchmarks.chaos.verdict.answers import answers_of
from benchmarks.chaos.verdict.rows import Rows
from sightline.delivery.delta_stream import DeltaStream
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.types import Pipeline

_SILENT_S = 2.0
_STREAM = (FORKS, Pipeline.CHAT, Pipeline.ASK)


def listen(system: System, entries: Mapping[str, Entry], stored: Mapping[str, str]) -> dict[str, list[Any]]:
    """What is heard of each stored job of a pipeline that streams: the pieces since it last started over."""
    stream = DeltaStream(system.redis, ttl_s=system.settings.result_ttl_s)
    heard: dict[str, list[Any]] = {}
    for job_id, entry in entries.items():
        if entry.job.pipeline not in _STREAM or not stored.keys() >= entry.frame_ids or entry.verdict != "accepted":
            continue
        pieces = heard[job_id] = []
        for event in stream.listen(job_id, silent_s=_SILENT_S):
            if event.event == "restart":
                pieces.clear()
            elif event.event != "result":
                pieces.append(event.data)
    return heard


def judge_streams(
    entries: Mapping[str, Entry],
    heard: Mapping[str, list[Any]],
    starts: Mapping[tuple[str, str], int],
    rows: Rows,
    seed: int,
) -> Iterator[str]:
    """Returns what was broken. Of a job on which two worked, one may have come to its end while the other spoke."""
    for job_id, pieces in heard.items():
        if entries[job_id].job.pipeline == FORKS:
            yield from _judge_texts(entries[job_id], pieces, seed, is_whole=starts.get((job_id, "cpu.match"), 0) < 2)
        else:
            is_whole = starts.get((job_id, CHAT_QUEUE), 0) < 2
            yield from _judge_answers(entries[job_id], pieces, rows, is_whole=is_whole)


def _judge_texts(entry: Entry, pieces: list[Any], seed: int, *, is_whole: bool) -> Iterator[str]:
    job_id = entry.job.job_id
    texts = [text_of(seed, frame.seq) for frame in entry.job.frames if frame.frame_id in entry.frame_ids]
    said = [piece[1:] for piece in pieces if piece]
    is_short = is_whole and len(said) != len(texts)
    if said != [[text] for text in texts[: len(said)]] or len(said) != len(pieces) or is_short:
        yield f"job {job_id}: who listened heard {pieces}, not {texts}"
    elif len({piece[0] for piece in pieces}) > 1:
        yield f"job {job_id}: who listened heard two workers as one: {pieces}"


def _judge_answers(entry: Entry, pieces: list[Any], rows: Rows, *, is_whole: bool) -> Iterator[str]:
    answers = answers_of(entry.job, rows)
    said = [""] * len(answers)
    for piece in pieces:
        said[piece.get("item", 0)] += piece["text"]
    if said != answers if is_whole else not all(map(str.startswith, answers, said)):
        yield f"job {entry.job.job_id}: who listened heard {said}, the answers are {answers}"
