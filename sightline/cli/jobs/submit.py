"""`sightline submit`: photos, videos, texts, recordings and folders become jobs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from sightline.cli.jobs.batch import Batch, is_batch, run_batch
from sightline.cli.jobs.submitted import Finished, GivenText, Printer, Submitted, What
from sightline.cli.jobs.transcripts import Form, gives_transcripts, wanted
from sightline.cli.output import JsonFlag, err
from sightline.cli.pipelines import pipeline_option
from sightline.cli.queries import settings_for
from sightline.client.client import Sightline
from sightline.client.whereabouts import say_where
from sightline.errors import (
    BacklogFullError,
    BadMessageError,
    BrokerUnavailableError,
    RetryableError,
    SettingsError,
    SightlineError,
    WaitTimeoutError,
)
from sightline.images.header import ImageLimits
from sightline.local.installation import with_installation
from sightline.pipelines import DEFAULT, check_media, registry
from sightline.pipelines.items import check_options
from sightline.settings import Settings
from sightline.submission.files import SUFFIXES, find_burst, find_files, is_picture, is_sound, is_text, read_frames
from sightline.submission.jobs import NewItem, make_job
from sightline.submission.left_out import find_left_out, say_left_out
from sightline.submission.remote import STDIN, is_remote, read_remote, read_remote_sound, read_stdin_text
from sightline.submission.sequences import SUBMITTED
from sightline.submission.sounds import SOUND_SUFFIXES, read_sound
from sightline.submission.texts import TEXT_SUFFIXES, NewText, read_text
from sightline.types import Lane, Pipeline, SourceId
from sightline.video.report import VideoReport
from sightline.wire.messages import Job

#: Frames of a file that travel in one job; a photo is one.
_BUNDLE = 16
_READERS = 8
_WAIT_EACH_S = 600.0


def submit(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            help="Photos, videos or folders; a photo also as a URL, or as - on standard input. Text files or "
            "recordings, where the pipeline takes such."
        ),
    ] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="A text, where the pipeline takes text; may be given again.")
    ] = None,
    pipeline: Annotated[Pipeline, pipeline_option("What to do with them.")] = DEFAULT,
    lane: Annotated[Lane, typer.Option(help="Who is served first: interactive > live > bulk.")] = Lane.BULK,
    source: Annotated[str, typer.Option(help="Source id the rows get.")] = "files",
    fps: Annotated[float, typer.Option(min=0.01, max=60, help="Frames a second taken from videos.")] = 2.0,
    sequence: Annotated[
        bool,
        typer.Option("--sequence", help="The files follow each other, as pictures of one camera do."),
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(help="NAME=VALUE, how the pipeline is to work on them, where it has options; may be given again."),
    ] = None,
    form: Annotated[
        Form | None, typer.Option("--format", help="Print the transcript so, or write it so. Both wait for it.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the results and print them.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for the answers, where questions are submitted as a .jsonl file; for the transcript of a "
            "recording, as .txt, .srt, .vtt or .json, or a folder for those of several."
        ),
    ] = None,
    as_json: JsonFlag = False,
    data: Annotated[Path | None, typer.Option(help="Data folder of `sightline up`, to find its Redis.")] = None,
) -> None:
    r"""Submit photos and videos. Submitting the same ones again adds nothing.

    A photo's capture time is what its camera wrote into it (EXIF), else its file's modification time. That of a video's
    frame is the start of the recording (as the video says, else from its file's modification time) plus its position.
    Passages are ordered by these times.

    Photos stand alone: two with different plates are two cars. The frames of a video follow each other: a plate that is
    read differently in the next frame may be the same car. --sequence says that all these files follow each other, in
    the order of their times, as pictures of one camera do.

    JPEG, PNG and WebP are submitted as they are; HEIC, AVIF, TIFF, BMP, GIF and JPEG 2000 become JPEG (pip install
    'sightline\[pictures]'), of a file with several pictures the first (of HEIC the main one), which is said.

    Damaged pictures of a video are left out. At the end there is a line for each video: `112 frames, 1 unreadable at
    0:23.4`. The exit code is 1 if a file gave nothing or a video breaks off before its end; single pictures leave it 0.

    Of a recording --out meeting.srt makes a file with subtitles; .vtt, .txt and .json are the others. A recording may
    be a video, of which the sound is read.

    What of a folder is no photo or video that can be read is named at the end, with the reason, and the exit code is 3
    if nothing else went wrong; so are unfinished uploads (.part, .tmp) and what a watched folder has put away (_read,
    _unreadable). Hidden files and folders do not count. Ctrl-C ends the command, not its jobs.

    prompts.jsonl --pipeline chat --out answers.jsonl: questions to a language model in OpenAI's batch format, one JSON
    a line with `custom_id` and `body`. Answers are written in the order of the questions; a bad line is an error in its
    place. After an interruption the same command goes on.
    """
    settings = with_installation(settings_for(data))
    _check_source(source)
    if not gives_transcripts(pipeline) and is_batch(paths or [], pipeline, out):
        run_batch(settings, Batch(Path((paths or [""])[0]), out or Path(), lane, source, as_json))
        return
    said = _parse_options(pipeline, option or [])
    paths, media = paths or [], registry().get(pipeline).accepts
    if "" in paths:  # as a path it would be this folder, with all that lies in it
        raise BadMessageError("path '': names nothing; for the folder you are in write .", field="paths")
    local = [Path(path) for path in paths if not is_remote(path)]
    files = find_files(local, media)
    left_out = find_left_out(local, files)
    texts = [GivenText(one) for one in dict.fromkeys(text or ())]
    inputs: list[What] = [*texts, *dict.fromkeys(path for path in paths if is_remote(path)), *files]
    if not inputs and not paths:
        raise BadMessageError("paths: none given; name files or folders, or give --text", field="paths")
    if not inputs and "image" not in media:
        what = " or ".join(["text files"] * ("text" in media) + ["recordings"] * ("audio" in media))
        suffixes = sorted(TEXT_SUFFIXES if "audio" not in media else SOUND_SUFFIXES)
        raise BadMessageError(f"paths: no {what} in {', '.join(paths)}; {pipeline} takes {' '.join(suffixes)}")
    if not inputs:
        others = f"; {say_left_out(left_out, 0)}" if left_out else ""
        raise BadMessageError(
            f"paths: no photos or videos in {', '.join(paths)}{others}; known are {' '.join(sorted(SUFFIXES))}"
        )
    transcripts = wanted(pipeline, out, form, len(inputs))
    wait, failed = wait or transcripts is not None, 0
    with Sightline(settings) as client, _progress(len(inputs)) as progress:
        sending = progress.add_task("submitted", total=len(inputs))
        finishing = progress.add_task("finished", total=len(inputs), visible=wait)
        printer = Printer(as_json=as_json, wait=wait, transcripts=transcripts)
        options = _Options(pipeline, lane, source, fps, SUBMITTED if sequence else find_burst(files), said)
        try:
            for done in _submit_all(client, inputs, options, wait=wait):
                progress.advance(finishing if isinstance(done, Finished) else sending)
                failed += printer.show(done)
        except KeyboardInterrupt:
            printer.tell_stopped()
            raise typer.Exit(130) from None
        except BrokerUnavailableError as error:
            raise BrokerUnavailableError(f"{say_where(settings, 'REDIS_URL')} ({error})") from error
        printer.close(left_out, len(files))
    if failed:
        raise typer.Exit(1)
    if left_out:
        raise typer.Exit(3)


@dataclass(frozen=True)
class _Options:
    """What is the same for all files. `sequence`: None leaves each file its own, or none."""

    pipeline: Pipeline
    lane: Lane
    source: str
    fps: float
    sequence: str | None
    said: Mapping[str, Any]
    stop: threading.Event = field(default_factory=threading.Event)  #: what is not submitted yet will not be


def _check_source(source: str) -> None:
    """Once and by the name of the option, instead of once a file."""
    try:
        TypeAdapter(SourceId).validate_python(source)
    except ValidationError as error:
        raise BadMessageError(
            f"--source: {source!r} is no source id: 1 to 64 letters, digits, _ . -, a letter or digit first",
            field="source_id",
        ) from error


def _parse_options(pipeline: Pipeline, given: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` by name; a value that is JSON (a number, true, a list) is that, else a text."""
    said: dict[str, Any] = {}
    for one in given:
        name, sign, value = one.partition("=")
        if not (name and sign):
            raise BadMessageError(f"--option: {one!r} is no NAME=VALUE, as temperature=0", field="options")
        try:
            said[name] = json.loads(value)
        except ValueError:
            said[name] = value
    if said:
        check_options(pipeline, said, "--option")
    return said


def _submit_all(
    client: Sightline, files: list[What], options: _Options, *, wait: bool
) -> Iterator[Submitted | Finished]:
    """Read and publish with a pool of threads; yields each submission, then each result, in the order of the files."""
    waiting: list[Submitted] = []
    pool = ThreadPoolExecutor(_READERS)
    try:
        futures: list[Future[list[Submitted]]] = [pool.submit(_submit_file, client, path, options) for path in files]
        for future in futures:
            for submitted in future.result():
                yield submitted
                waiting.append(submitted)
    finally:
        options.stop.set()
        pool.shutdown(cancel_futures=True)
    if wait:
        for submitted in waiting:
            if submitted.job is not None:
                yield _wait(client, submitted.path, submitted.job)


def _submit_file(client: Sightline, path: What, options: _Options) -> list[Submitted]:
    """One job a photo, one job for every so many frames of a video. A bad file is an answer, not the end."""
    submitted: list[Submitted] = []
    report = VideoReport()
    try:
        for frames in _batched(_read(path, options, client.settings, report), _BUNDLE):
            job, pixels = make_job(
                frames,
                client.settings,
                pipeline=options.pipeline,
                lane=options.lane,
                source_id=options.source,
                sequence=options.sequence,
                options=options.said,
            )
            is_known = _publish(client, job, pixels, options.stop)
            note = next(filter(None, (frame.note for frame in frames)), "")
            submitted.append(Submitted(path, job, note=note, is_known=is_known))
        if report.frames:
            submitted.append(Submitted(path, video=report))
    except (RetryableError, SettingsError):
        raise
    except SightlineError as error:
        submitted.append(Submitted(path, error=error))
    return submitted


def _read(path: What, options: _Options, settings: Settings, report: VideoReport) -> Iterator[NewItem]:
    """What becomes items of one input."""
    media, limits = registry().get(options.pipeline).accepts, ImageLimits.of(settings)
    if isinstance(path, GivenText):
        return iter([NewText(path, datetime.now(UTC), time_from="received")])
    if isinstance(path, Path):
        if is_sound(path, media):
            return iter([read_sound(path, settings.max_sound_mb)])
        if is_text(path, media):
            return iter([_read_text(path, options.pipeline)])
        if path.suffix.lower() in TEXT_SUFFIXES and not is_picture(path):
            check_media(options.pipeline, ["text"], path.name)
        if "image" not in media and is_picture(path):
            check_media(options.pipeline, ["image"], path.name)
        return iter(read_frames(path, fps=options.fps, limits=limits, report=report))
    if path == STDIN and media == ("text",):
        return iter([read_stdin_text(settings.max_text_mb)])
    if "image" not in media and "audio" in media:
        return iter([read_remote_sound(path, settings.max_sound_mb)])
    return iter([read_remote(path, limits)])


def _read_text(path: Path, pipeline: Pipeline) -> NewText:
    """Raises BadMessageError as `read_text` does, or since it is a picture and the pipeline takes none."""
    try:
        return read_text(path)
    except BadMessageError:
        if is_picture(path):
            check_media(pipeline, ["image"], path.name)
        raise


def _publish(client: Sightline, job: Job, pixels: dict[str, bytes], stop: threading.Event) -> bool:
    """Whether it was known. Files are never dropped: where the backlog is full, wait for room."""
    while True:
        try:
            return client.publisher.submit(job, pixels).is_known
        except BacklogFullError as full:
            if stop.wait(full.retry_after_s):
                raise


def _wait(client: Sightline, path: What, job: Job) -> Finished:
    try:
        return Finished(path, client.wait(job.job_id, _WAIT_EACH_S).frames, job.job_id)
    except WaitTimeoutError as error:
        raise WaitTimeoutError(f"{path}: {error} (are workers running?)", job_id=job.job_id) from error


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


def _progress(total: int) -> Progress:
    return Progress(
        TextColumn("{task.description:>9}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal or total < 2,
    )


def _batched(frames: Iterable[NewItem], size: int) -> Iterator[list[NewItem]]:
    iterator = iter(frames)
    while bundle := list(islice(iterator, size)):
        yield bundle
