"""Step one, slow: draw clips and read every picture through the real stages; kept, so that rules can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from benchmarks.passages import clips
from sightline.settings import Settings
from sightline.submission.jobs import NewFrame, make_job
from sightline.types import FrameResult, Lane, Pipeline, Value, Xyxy
from sightline.wire.messages import MAX_FRAMES_PER_JOB
from workers.tools.local import LocalSystem

START = datetime(2026, 1, 1, tzinfo=UTC)
_ROOT = Path(__file__).parents[2]
#: What decides what is drawn and how it is read. A change of any of these makes the readings new.
_DECISIVE = (
    *(f"benchmarks/passages/{name}.py" for name in ("clips", "fleets", "lanes", "picture", "scenarios")),
    "benchmarks/accuracy/clips.py",
    "training/plates/drawing/plate.py",
    "training/plates/drawing/styles.py",
    *(f"weights/plates-{name}" for name in ("detector.onnx", "detector.pt", "recognizer.onnx")),
)


class TruePlate(Value):
    """A plate on a picture. `share` of it can be seen."""

    vehicle: str
    text: str
    xyxy: Xyxy
    share: float


class ReadFrame(Value):
    """A picture as it is, and what the stages found on it."""

    time_s: float
    plates: tuple[TruePlate, ...]
    result: FrameResult


class ReadClip(Value):
    """A clip with everything that was read."""

    scenario: str
    number: int
    kind: clips.Kind
    fps: int
    frames: tuple[ReadFrame, ...]

    @property
    def source_id(self) -> str:
        return f"clip-{self.number}"


def read_clips(
    seed: int, numbers: list[int], settings: Settings, folder: Path, advance: Callable[[], None]
) -> list[ReadClip]:
    """The clips of a seed, from `folder` where they were read before.

    Raises:
        FileNotFoundError: fonts of plates are missing; names the Debian packages.
        ModelError: the models are not to be had on this machine.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{seed}-{_key(settings)}.jsonl"
    known = _kept(file)
    missing = [number for number in numbers if number not in known]
    for _ in range(len(numbers) - len(missing)):
        advance()
    if missing:
        with LocalSystem(settings) as system, file.open("a", encoding="utf-8") as kept:
            for number in missing:
                known[number] = _read(clips.draw(seed, number), system, settings)
                kept.write(known[number].model_dump_json(exclude_defaults=True) + "\n")
                kept.flush()
                advance()
    return [known[number] for number in numbers]


def _read(clip: clips.Clip, system: LocalSystem, settings: Settings) -> ReadClip:
    frames: list[ReadFrame] = []
    is_film = clip.kind != "photos"
    for start in range(0, len(clip.shots), MAX_FRAMES_PER_JOB):
        shots = clip.shots[start : start + MAX_FRAMES_PER_JOB]
        new = [
            NewFrame(shot.jpeg, START + timedelta(seconds=shot.time_s), position_s=shot.time_s if is_film else None)
            for shot in shots
        ]
        job, pixels = make_job(new, settings, pipeline=Pipeline.PLATES, lane=Lane.BULK, source_id=f"clip-{clip.number}")
        for shot, result in zip(shots, system.process(job, pixels), strict=True):
            plates = tuple(
                TruePlate(vehicle=one.vehicle, text=one.text, xyxy=one.xyxy, share=one.share) for one in shot.plates
            )
            frames.append(ReadFrame(time_s=shot.time_s, plates=plates, result=result.model_copy(update={"stages": ()})))
    return ReadClip(scenario=clip.scenario, number=clip.number, kind=clip.kind, fps=clip.fps, frames=tuple(frames))


def _kept(file: Path) -> dict[int, ReadClip]:
    """Clips by number; a line that was cut off is left out."""
    found: dict[int, ReadClip] = {}
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                clip = ReadClip.model_validate_json(line)
            except ValidationError:
                continue
            found[clip.number] = clip
    return found


def _key(settings: Settings) -> str:
    """Of drawing and reading, as 12 hex digits."""
    total = hashlib.sha256()
    for name in _DECISIVE:
        path = _ROOT / name
        total.update(hashlib.sha256(path.read_bytes()).digest() if path.is_file() else b"none")
    names = ("plates_model", "plates_recognizer", "recognizer", "min_confidence", "min_reading_confidence")
    total.update(repr([getattr(settings, name) for name in names]).encode())
    return total.hexdigest()[:12]
