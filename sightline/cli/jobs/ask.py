"""`sightline ask`: a question to a language model, whose answer is printed as it comes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from sightline.chat.lookups.named import Found
from sightline.chat.lookups.told import prompt_of, sources_of
from sightline.chat.pieces import AnswerPieces, answer_of
from sightline.cli.jobs.looked_up import look_up
from sightline.cli.jobs.waiting import is_served
from sightline.cli.output import JsonFlag, err, print_json
from sightline.cli.queries import Data, settings_for
from sightline.client.client import Sightline, SubmittedJob
from sightline.client.whereabouts import say_where
from sightline.errors import (
    AnswerError,
    BadMessageError,
    BrokerUnavailableError,
    JobCancelledError,
    RetryableError,
    SourceError,
    WaitTimeoutError,
)
from sightline.local.installation import with_installation
from sightline.settings import Settings
from sightline.submission.remote import STDIN, read_stdin_text
from sightline.terminal import printable
from sightline.types import JobResult, Lane, Pipeline

if TYPE_CHECKING:
    from sightline.delivery.delta_stream import StreamEvent

_SOURCE: Final = "ask"
#: After how much silence at the beginning it is asked whether anybody will answer: again for one that is starting.
_LOOK_AFTER_S: Final = (2.0, 6.0)


class _NobodyError(Exception):
    """No worker answers questions."""


def ask(
    question: Annotated[str, typer.Argument(help="What you want to know; - reads it from standard input.")],
    image: Annotated[list[Path] | None, typer.Option(help="A picture it is about; may be given again.")] = None,
    sound: Annotated[list[Path] | None, typer.Option(help="A recording it is about; may be given again.")] = None,
    pipeline: Annotated[
        Literal["chat", "ask"] | None,
        typer.Option(help="With pictures: `chat` shows them to a model that sees; `ask` tells it what was found."),
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told first: who it is, how to answer.")] = None,
    model: Annotated[str | None, typer.Option(help="The model, where workers have several.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest answer.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, max=2, help="0: the likeliest words alone.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same one gives the same answer.")] = None,
    lookups: Annotated[
        bool,
        typer.Option(help="Look up what is stored, where the question is about that: passages, sources, jobs."),
    ] = True,
    lane: Annotated[Lane, typer.Option(help="Who is served first: interactive > live > bulk.")] = Lane.INTERACTIVE,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds without a word until it gives up.")] = 120,
    as_json: JsonFlag = False,
    data: Data = None,
) -> None:
    """Ask a language model. `sightline up --chat` starts a worker that answers.

    A question about vehicles that passed, sources or jobs is answered by what is stored, which the API looks up; what
    that was stands below the answer. With pictures or recordings, what is seen and said in them is found first, and the
    model goes by that: `sightline up --with ask` starts what it takes.

    The answer is printed as it comes. Ctrl-C ends it: nobody works on it any more. The exit code is 1 if there is no
    answer.
    """
    settings = with_installation(settings_for(data))
    given = {"system": system, "model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    options = {name: value for name, value in given.items() if value is not None}
    text = read_stdin_text(settings.max_text_mb).text if question == STDIN else question
    pictures, sounds = _files("--image", image), _files("--sound", sound)
    pipeline = pipeline or ("ask" if pictures or sounds else "chat")
    found = [] if pictures or sounds or not lookups else _look_up(text, settings)
    text = prompt_of(text, found)
    with Sightline(settings) as client:
        try:
            job = client.submit(
                *pictures, text=text, sound=sounds, pipeline=pipeline, lane=lane, source_id=_SOURCE, options=options
            )
            result = _listen(job, settings, timeout, as_json=as_json)
        except BrokerUnavailableError as error:
            raise BrokerUnavailableError(f"{say_where(settings, 'REDIS_URL')} ({error})") from error
    if as_json:
        looked_up = {"lookups": [one.model_dump(mode="json") for one in found]} if found else {}
        print_json({"job_id": job.job_id, **json.loads(result.frames[0].model_dump_json()), **looked_up})
    elif found:
        print(_shown(f"\n{sources_of(found)}"))


def _look_up(question: str, settings: Settings) -> list[Found]:
    """What is stored of what a question is about. Without an API the model is asked all the same, and that is said."""
    try:
        return look_up(question, settings)
    except (RetryableError, BadMessageError) as error:
        err.print(f"what is stored cannot be looked up, so the model knows nothing of it: {error}", style="yellow")
        return []


def _files(option: str, paths: list[Path] | None) -> list[Path]:
    for path in paths or []:
        if not path.is_file():
            raise SourceError(f"{option}: {path}: no such file")
    return paths or []


def _listen(job: SubmittedJob, settings: Settings, silent_s: float, *, as_json: bool) -> JobResult:
    """Print what comes; the result. Whoever ends the command ends the answer."""
    pieces = AnswerPieces()
    try:
        for event in _events(job, settings, silent_s):
            text = pieces.take(event)
            if text and not as_json:
                print(_shown(text), end="", flush=True)
            if event.result is not None:
                answer_of(event.result)
                _end_line(as_json)
                return event.result
    except KeyboardInterrupt:
        job.cancel()
        _end_line(as_json)
        err.print("cancelled")
        raise typer.Exit(130) from None
    except _NobodyError as error:
        job.cancel()
        raise WaitTimeoutError(
            f"nobody answers questions: {_missing(job.job.pipeline)}? The question was cancelled", job_id=job.job_id
        ) from error
    except WaitTimeoutError as error:
        job.cancel()
        raise WaitTimeoutError(
            f"no answer within {silent_s:g} s of silence: {_missing(job.job.pipeline)}? The question was cancelled",
            job_id=job.job_id,
        ) from error
    except (AnswerError, BadMessageError, JobCancelledError) as error:
        _end_line(as_json)
        err.print(f"no answer: {error}", style="red")
        raise typer.Exit(1) from error
    raise AssertionError("a stream ends with a result or an error")


def _events(job: SubmittedJob, settings: Settings, silent_s: float) -> Iterator[StreamEvent]:
    """What comes. If nothing does at first, workers are asked, so that nobody waits long for one who is not there.

    Raises:
        WaitTimeoutError: there was silence for too long.
        _NobodyError: nobody consumes the queue, and nobody began to within some seconds.
    """
    last_id = ""
    for look_after_s in _LOOK_AFTER_S if silent_s > sum(_LOOK_AFTER_S) else ():
        try:
            for event in job.stream(last_id or "0", silent_s=look_after_s):
                last_id = event.id
                yield event
            return
        except WaitTimeoutError as error:
            if last_id or is_served(settings):
                break
            if look_after_s == _LOOK_AFTER_S[-1]:
                raise _NobodyError from error
            err.print("no worker answers questions; waiting a few seconds for one that is starting")
    yield from job.stream(last_id or "0", silent_s=silent_s)


def _missing(pipeline: str) -> str:
    if pipeline == Pipeline.ASK:
        return "do workers that detect, transcribe and chat run (sightline up --with ask)"
    return "does a chat worker run (sightline up --chat)"


def _shown(text: str) -> str:
    """What a model says comes from others: nothing in it moves the cursor or the window."""
    return "\n".join(map(printable, text.split("\n")))


def _end_line(as_json: bool) -> None:
    if not as_json:
        print()
