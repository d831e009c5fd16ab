"""What is published: a seeded list of bundles, the same in every process that asks for it.

Six sources: four cameras whose frames travel together in the live lane, an import and an upload folder. Every picture
shows its own text, so that a reading can be traced to its picture.
"""

from __future__ import annotations

import hashlib
import random
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.questions import QUESTIONS
from benchmarks.chaos.questions.items import blobs_of, make_item
from sightline.settings import Settings
from sightline.submission.sequences import LIVE
from sightline.testing import make_picture
from sightline.types import FrameRef, Item, Lane, Pipeline
from sightline.wire.messages import Job

CAMERAS = ("cam0", "cam1", "cam2", "cam3")
#: A picture of this width cannot be worked on: see `roles.worker.FragileDetector` and `forks.find`.
POISON_WIDTH = 128
_WIDTH, _HEIGHT = 120, 96
_SIZES = (8, 16)
_FEW = (2, 4)  #: questions or recordings
_FRAMES_PER_VEHICLE = 4
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ23456789"


@dataclass(frozen=True)
class Bundle:
    """`first` is the number of its first frame; frames are numbered through the whole run."""

    index: int
    first: int
    size: int
    lane: Lane
    pipeline: Pipeline

    @property
    def end(self) -> int:
        return self.first + self.size


def plan_bundles(seed: int, frames: int, questions: float = 0.0) -> list[Bundle]:
    """Bundles of 8 or 16 that hold `frames` frames together; the last may be smaller.

    `questions`: the share of them that hold 2 or 4 questions or recordings instead.
    """
    rng = random.Random(f"load {seed}")
    bundles: list[Bundle] = []
    first = 0
    while first < frames:
        asks = rng.random() < questions if questions else False
        size = min(rng.choice(_FEW if asks else _SIZES), frames - first)
        lane = rng.choices((Lane.INTERACTIVE, Lane.LIVE, Lane.BULK), (2, 3, 5))[0]
        pipeline = rng.choices((Pipeline.PLATES, Pipeline.TEXT, Pipeline.OBJECTS, FORKS), (5, 2, 2, 2))[0]
        pipeline = rng.choice(QUESTIONS) if asks else pipeline
        bundles.append(Bundle(len(bundles), first, size, lane, pipeline))
        first += size
    return bundles


def make_job(bundle: Bundle, seed: int, settings: Settings) -> Job:
    """The job of a bundle, published now. Its ids follow from seed and numbers alone."""
    now = time.time()
    captured_at = datetime.fromtimestamp(now, UTC)

    def item(number: int) -> Item:
        frame_id, at = f"f{seed}-{number:07d}", captured_at + timedelta(milliseconds=number - bundle.first)
        if bundle.pipeline in QUESTIONS:
            return make_item(bundle.pipeline, frame_id, number, text_of(seed, number), at)
        source_id = _source_of(bundle, number)
        return FrameRef(frame_id=frame_id, source_id=source_id, captured_at=at, seq=number, sequence=LIVE)

    frames = tuple(map(item, range(bundle.first, bundle.end)))
    return Job(
        job_id=f"j{seed}-{bundle.index:06d}",
        pipeline=bundle.pipeline,
        lane=bundle.lane,
        frames=frames,
        published_at=now,
        deadline_at=now + settings.live_deadline_s if bundle.lane is Lane.LIVE else None,
    )


def draw_pixels(job: Job, seed: int, *, poison: bool) -> dict[str, bytes]:
    """The pictures of a job by frame id, or what its questions are about. The first of a poisoned job has
    `POISON_WIDTH`.
    """
    if job.pipeline in QUESTIONS:
        return {key: blob for item in job.frames for key, blob in blobs_of(item, text_of(seed, item.seq)).items()}
    widths = [POISON_WIDTH if poison and place == 0 else _WIDTH for place in range(len(job.frames))]
    return {
        frame.frame_id: make_picture(text_of(seed, frame.seq), width=width, height=_HEIGHT)
        for frame, width in zip(job.frames, widths, strict=True)
    }


def text_of(seed: int, number: int) -> str:
    """What the picture of a frame shows: seven characters, the same for the frames of one vehicle."""
    digest = hashlib.sha256(f"{seed} {number // _FRAMES_PER_VEHICLE}".encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:7])


def _source_of(bundle: Bundle, number: int) -> str:
    if bundle.lane is Lane.LIVE:
        return CAMERAS[number % len(CAMERAS)]
    return "import" if bundle.lane is Lane.BULK else "upload"
