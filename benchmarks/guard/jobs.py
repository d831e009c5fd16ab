"""Jobs as they are on their way: with results, each of a vehicle and a time of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

from sightline.ids import new_id
from sightline.submission.sequences import LIVE
from sightline.types import Detection, FrameRef, FrameResult, Lane, Pipeline, Reading, StageRun
from sightline.wire.messages import Job, Message

_numbers = count()
_INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
_LETTERS = "ACDEFHJKLM"  #: ten of which none is taken for another one


def make_message(frames: int) -> Message:
    """A job of one source with one plate a frame, read: pictures of one camera, and of one vehicle."""
    number = next(_numbers)
    began_at = _INSTANT + timedelta(minutes=number)
    refs = [
        FrameRef(
            frame_id=new_id(),
            source_id="gate",
            captured_at=began_at + timedelta(seconds=n / 5),
            seq=n,
            sequence=LIVE,
            time_from="camera",
        )
        for n in range(frames)
    ]
    return _message(refs, [f"KA{number % 10_000:04}B"] * frames)


def make_photos(frames: int) -> Message:
    """A job of photos, all of one instant, each of another vehicle."""
    refs = [
        FrameRef(frame_id=new_id(), source_id="photos", captured_at=_INSTANT, seq=n, time_from="file")
        for n in range(frames)
    ]
    texts = [f"{next(_numbers):05}" for _ in refs]
    return _message(refs, ["K" + "".join(_LETTERS[int(digit)] for digit in text) + "7" for text in texts])


def _message(refs: list[FrameRef], texts: list[str]) -> Message:
    box = Detection(xyxy=(100, 100, 300, 160), label="plate", class_id=0, confidence=0.9)
    run = StageRun(
        stage="detect",
        model="guard",
        model_sha256="",
        runtime="none",
        worker="guard",
        queue_wait_ms=1.0,
        inference_ms=1.0,
        batch_size=8,
    )
    results = tuple(
        FrameResult(frame=ref, width=1280, height=720, detections=(box,), readings=(_read(text),), stages=(run,))
        for ref, text in zip(refs, texts, strict=True)
    )
    job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=tuple(refs))
    return Message(job=job, results=results)


def _read(text: str) -> Reading:
    return Reading(text=text, confidence=0.9, char_confidences=(0.9,) * len(text), detection_index=0, sharpness=9.0)
