"""The verdict on what a stage said while it worked: who listened heard each text once, in order, of one attempt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.journal import Entry
from benchmarks.chaos.load import text_of
from benchmarks.chaos.machine.system import System
from sightline.delivery.delta_stream import DeltaStream

_SILENT_S = 2.0


def listen(system: System, entries: Mapping[str, Entry], stored: Mapping[str, str]) -> dict[str, list[Any]]:
    """What is heard of each stored job of the pipeline that streams: the pieces since it last started over."""
    stream = DeltaStream(system.redis, ttl_s=system.settings.result_ttl_s)
    heard: dict[str, list[Any]] = {}
    for job_id, entry in entries.items():
        if entry.job.pipeline != FORKS or not stored.keys() >= entry.frame_ids or entry.verdict != "accepted":
            continue
        pieces = heard[job_id] = []
        for event in stream.listen(job_id, silent_s=_SILENT_S):
            if event.event == "restart":
                pieces.clear()
            elif event.event != "result":
                pieces.append(event.data)
    return heard


def judge_streams(
    entries: Mapping[str, Entry], heard: Mapping[str, list[Any]], starts: Mapping[tuple[str, str], int], seed: int
) -> Iterator[str]:
    """Returns what was broken. Of a job on which two worked, one may have come to its end while the other spoke."""
    for job_id, pieces in heard.items():
        frames = [frame for frame in entries[job_id].job.frames if frame.frame_id in entries[job_id].frame_ids]
        texts = [text_of(seed, frame.seq) for frame in frames]
        said = [piece[1:] for piece in pieces if piece]
        is_whole = len(said) == len(texts) or starts.get((job_id, "cpu.match"), 0) > 1
        if said != [[text] for text in texts[: len(said)]] or len(said) != len(pieces) or not is_whole:
            yield f"job {job_id}: who listened heard {pieces}, not {texts}"
        elif len({piece[0] for piece in pieces}) > 1:
            yield f"job {job_id}: who listened heard two workers as one: {pieces}"
