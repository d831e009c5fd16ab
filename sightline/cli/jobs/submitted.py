"""What `sightline submit` prints, as it comes and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.text import Text

from sightline.cli.jobs.transcripts import Transcripts
from sightline.cli.output import err, line, out, print_json
from sightline.errors import SightlineError
from sightline.pipelines.chat import ChatResult
from sightline.submission.left_out import LeftOut, say_left_out
from sightline.types import FrameResult, ItemResult
from sightline.video.report import VideoReport
from sightline.wire.messages import Job

#: A file, or what is no file here: a URL, `-`, or a text of `--text`.
What = Path | str


#: Jobs whose ids are printed for people.
_FEW: Final = 5


class GivenText(str):
    """A text as it stands in the command."""

    __slots__ = ()


@dataclass(frozen=True)
class Submitted:
    path: What
    job: Job | None = None
    error: SightlineError | None = None
    video: VideoReport | None = None  #: the file was a video, and this is all of it
    note: str = ""  #: what of the file was not submitted
    is_known: bool = False  #: it was submitted before, and adds nothing


@dataclass(frozen=True)
class Finished:
    path: What
    frames: tuple[ItemResult, ...]
    job_id: str


class Printer:
    """Prints results as they come; returns how many of them are failures."""

    def __init__(self, *, as_json: bool, wait: bool, transcripts: Transcripts | None = None) -> None:
        self._as_json = as_json
        self._transcripts = transcripts
        self._wait = wait
        self._jobs: list[tuple[What, str]] = []
        self._known = 0  #: of these
        self._videos: list[tuple[What, VideoReport]] = []
        self._notes: list[tuple[What, str]] = []

    def show(self, done: Submitted | Finished) -> int:
        if isinstance(done, Finished):
            return sum(self._show_frame(done, frame) for frame in done.frames)
        if done.error is not None:
            self._print(
                {"file": str(done.path), "error": {"reason": done.error.reason, "message": str(done.error)}},
                line((str(done.path), "red"), f"  {str(done.error).removeprefix(f'{done.path}: ')}"),
            )
            return 1
        if done.video is not None:
            self._videos.append((done.path, done.video))
            return int(done.video.ended_early is not None)
        if done.job is not None:
            self._jobs.append((done.path, done.job.job_id))
            self._known += done.is_known
        if done.note:
            self._notes.append((done.path, done.note))
        if not self._wait and self._as_json and done.job:
            known = {"known": True} if done.is_known else {}
            print_json({"file": str(done.path), "job_id": done.job.job_id, "frames": len(done.job.frames), **known})
        return 0

    def close(self, left_out: Sequence[LeftOut] = (), taken: int = 0) -> None:
        """What became of the videos comes last, where it is seen, and what was left out of folders.

        For programs a video is an object more: only if there is something to tell.
        """
        for path, report in self._videos:
            if not (self._as_json and report.is_whole):
                self._print({"file": str(path), "video": report.as_json()}, line(f"{_name(path):<28} ", f"{report}"))
        for path, note in self._notes:
            self._print({"file": str(path), "note": note}, line(f"{_name(path):<28} ", (note, "yellow")))
        if not self._wait and not self._as_json:
            if len(self._jobs) <= _FEW:
                for path, job_id in self._jobs:
                    out.print(line(f"{_name(path):<28} ", (f"job {job_id}", "dim")))
            new = len(self._jobs) - self._known
            known = f"; {self._known} of before, which add nothing" if self._known else ""
            out.print(f"{new} job{'' if new == 1 else 's'} submitted{known}")
        if self._as_json:
            for path, why in left_out:
                print_json({"file": str(path), "left_out": why})
        elif left_out:
            err.print(line((say_left_out(left_out, taken), "yellow")), soft_wrap=True)

    def tell_stopped(self) -> None:
        """After Ctrl-C."""
        said = f"stopped; {len(self._jobs)} jobs were submitted, and jobs go on: `sightline jobs` shows how they end"
        err.print(f"{said}. Submitting the same files again adds nothing.", soft_wrap=True)

    def _show_frame(self, done: Finished, frame: ItemResult) -> int:
        if self._transcripts is not None and not (frame.error or frame.dropped):
            written = self._transcripts.write(_name(done.path), frame)
            if written is not None:
                self._print({"file": str(done.path), "job_id": done.job_id, "written": written}, line(written))
            return 0
        row: dict[str, Any] = {"file": str(done.path), "job_id": done.job_id, **frame.model_dump(mode="json")}
        self._print(row, line(f"{_name(done.path):<28} ", *_found(frame)))
        is_refused = isinstance(frame, ChatResult) and frame.refused is not None
        return int(frame.error is not None or is_refused)

    def _print(self, row: dict[str, Any], text: Text) -> None:
        if self._as_json:
            print_json(row)
        else:
            out.print(text)


def _name(path: What) -> str:
    return path.name if isinstance(path, Path) else path


def _found(frame: ItemResult) -> list[str | tuple[str, str]]:
    """What came of a frame, in parts of a line."""
    if frame.error:
        return [(f"dead: {frame.error.message}", "red")]
    if frame.dropped:
        return [(f"dropped: {frame.dropped}", "yellow")]
    if not isinstance(frame, FrameResult):
        return [frame.summary or ("nothing found", "dim")]
    if not frame.readings and any(run.stage == "ocr" for run in frame.stages):
        return [(f"{len(frame.detections)} detections, no text", "dim")]
    if not frame.readings:
        labels = Counter(detection.label for detection in frame.detections).most_common()
        return [(", ".join(f"{count} {label}" for label, count in labels) or "nothing found", "dim" * (not labels))]
    parts: list[str | tuple[str, str]] = []
    for reading in frame.readings:
        parts += ["  "] * bool(parts) + [(reading.words, "bold"), (f" {reading.confidence:.2f}", "dim")]
    return parts
