"""What was read of one recording, put together from what was read of its pieces."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sightline.pipelines.speech import Missing, Segment, TranscribeResult
from sightline.types import FrameError, Item, StageRun
from workers.stages.speech.shards import Shard

#: Of what a file says that it has, and has not.
CUT_OFF: Final = "cut_off"


@dataclass
class Merged:
    """One item. Pieces are added in the order of their times."""

    item: Item
    segments: list[Segment] = field(default_factory=list[Segment])
    missing: list[Missing] = field(default_factory=list[Missing])
    duration_s: float = 0.0
    language: str | None = None
    model: str | None = None
    run: StageRun | None = None
    error: FrameError | None = None

    def add(self, read: TranscribeResult) -> None:
        """What was read of the next piece."""
        self.error = self.error or read.error
        if read.error:
            return
        self.segments += read.segments
        self.missing += read.missing
        self.duration_s = max(self.duration_s, read.duration_s or 0.0)
        self.language = self.language or read.language
        self.model = self.model or read.model
        for run in read.stages:
            self.run = run if self.run is None else _together(self.run, run)

    def fail(self, shard: Shard | None, error: FrameError) -> None:
        """Nothing came of the next piece; None: nobody knows any more what that was."""
        if shard is not None and shard.error is not None:
            self.error = self.error or shard.error
            return
        start_s, end_s = (self.duration_s,) * 2 if shard is None else (shard.start_s, shard.end_s)
        self.missing.append(Missing(start_s=start_s, end_s=end_s, reason=error.reason, message=error.message))
        self.duration_s = max(self.duration_s, end_s)

    def result(self, engine: str) -> TranscribeResult:
        """Text and gaps; an error where nothing could be read of what is said."""
        error, unread = self.error, [piece for piece in self.missing if piece.reason != CUT_OFF]
        if error is None and unread and not self.segments:
            error = FrameError(reason=unread[0].reason, message=unread[0].message[:500], stage="transcribe")
        if error is not None:
            return TranscribeResult(frame=self.item, error=error)
        return TranscribeResult(
            frame=self.item,
            stages=() if self.run is None else (self.run,),
            text=" ".join(segment.text for segment in self.segments),
            segments=tuple(self.segments),
            missing=tuple(self.missing),
            language=self.language,
            duration_s=round(self.duration_s, 3),
            engine=engine,
            model=self.model,
        )


def shifted(segments: Iterable[Segment], by_s: float) -> list[Segment]:
    """The same, that much later."""
    return [
        segment.model_copy(
            update={
                "start_s": round(segment.start_s + by_s, 3),
                "end_s": round(segment.end_s + by_s, 3),
                "words": tuple(
                    word.model_copy(
                        update={"start_s": round(word.start_s + by_s, 3), "end_s": round(word.end_s + by_s, 3)}
                    )
                    for word in segment.words
                ),
            }
        )
        for segment in segments
    ]


def _together(one: StageRun, other: StageRun) -> StageRun:
    workers = dict.fromkeys([*one.worker.split(", "), other.worker])
    return one.model_copy(
        update={
            "worker": ", ".join(workers),
            "queue_wait_ms": max(one.queue_wait_ms, other.queue_wait_ms),
            "inference_ms": one.inference_ms + other.inference_ms,
        }
    )
