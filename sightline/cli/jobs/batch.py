"""`sightline submit prompts.jsonl --pipeline chat --out answers.jsonl`: many questions, in OpenAI's batch format."""

from __future__ import annotations

import asyncio
import re
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sightline.chat.batch import AnswerFile, Prompt, answered, failed, has_failed, read_prompts
from sightline.chat.completion import completion_of
from sightline.chat.lookups.named import Found
from sightline.chat.lookups.told import prompt_of
from sightline.chat.pieces import answer_of
from sightline.chat.question import question_of, urls_of
from sightline.chat.request import ChatRequest
from sightline.cli.jobs.looked_up import look_up
from sightline.cli.jobs.waiting import what_is_waited_for
from sightline.cli.output import err, line, out, print_json
from sightline.client.awaited import AsyncSightline
from sightline.client.client import Sightline
from sightline.client.many import in_order
from sightline.errors import (
    BacklogFullError,
    BadMessageError,
    RetryableError,
    SettingsError,
    SightlineError,
    WaitTimeoutError,
)
from sightline.ids import content_id
from sightline.images.header import ImageLimits
from sightline.settings import Settings
from sightline.submission.jobs import make_job
from sightline.submission.remote import read_remote
from sightline.types import JobResult, Lane, Pipeline
from sightline.wire.messages import Job

#: More than workers hold at once, so that none waits for the next.
_AT_ONCE: Final = 128
_LOOK_EVERY_S: Final = 60.0
#: Without an answer: then it is said what is waited for.
_SILENT_S: Final = 10.0


@dataclass(frozen=True)
class Batch:
    """A file of questions, where its answers go, and how they are asked."""

    questions: Path
    answers: Path
    lane: Lane
    source: str
    as_json: bool


def is_batch(paths: list[str], pipeline: Pipeline, answers: Path | None) -> bool:
    """Whether it is a batch that is submitted. Raises BadMessageError: it is half of one."""
    is_given = pipeline == Pipeline.CHAT and any(path.endswith(".jsonl") for path in paths)
    if answers is not None and (len(paths) != 1 or not is_given):
        raise BadMessageError("--out: takes one file of questions, as prompts.jsonl, and --pipeline chat", field="out")
    if is_given and answers is None:
        raise BadMessageError("--out: name the file for the answers, as --out answers.jsonl", field="out")
    return is_given


def run_batch(settings: Settings, batch: Batch) -> None:
    """Ask all questions that have no answer in the file yet. Exit code 1: one failed.

    Raises:
        BadMessageError: there are none, or the answers are to others.
        RetryableError: broker or store went away; the same command goes on later.
    """
    total = sum(1 for _ in read_prompts(batch.questions))
    if not total:
        raise BadMessageError(
            f"{batch.questions}: there is no question in it; write one JSON object a line, with `custom_id` and `body`",
            field="paths",
        )
    with closing(AnswerFile(batch.answers)) as file:
        wrong = _go_on(settings, batch, file, total)
    if batch.as_json:
        print_json({"questions": total, "answered": total - wrong, "failed": wrong, "answers": str(batch.answers)})
    else:
        out.print(line(f"{total - wrong} of {total} questions answered, in {batch.answers}"))
    if wrong:
        raise typer.Exit(1)


def _go_on(settings: Settings, batch: Batch, file: AnswerFile, total: int) -> int:
    """Returns how many failed, those of earlier runs among them."""
    if len(file.lines) > total:
        raise BadMessageError(
            f"--out: {batch.answers} has {len(file.lines)} answers, to {total} questions: it is of another file; "
            "name a new one",
            field="out",
        )
    for number, prompt in enumerate(islice(read_prompts(batch.questions), len(file.lines))):
        file.check(prompt, number)
    done = len(file.lines)
    try:
        return file.failed + asyncio.run(_ask_all(settings, batch, file, done, total))
    except KeyboardInterrupt:
        err.print(f"stopped; the same command goes on with {batch.answers}. Questions that were asked are answered.")
        raise typer.Exit(130) from None
    except RetryableError as error:
        raise type(error)(f"{error}; the same command goes on with {batch.answers}") from error


async def _ask_all(settings: Settings, batch: Batch, file: AnswerFile, done: int, total: int) -> int:
    """Returns how many failed."""
    wrong = 0
    async with AsyncSightline(settings) as waiting:
        with Sightline(settings) as client, _progress() as progress:
            bar = progress.add_task("answered", total=total, completed=done)
            asker = _Asker(client, waiting, batch)
            prompts = islice(read_prompts(batch.questions), done, None)
            telling = asyncio.create_task(asker.tell_what_it_waits_for())
            try:
                async for answer in in_order(asker.ask, prompts, at_once=_AT_ONCE):
                    file.append(answer)
                    wrong += has_failed(answer)
                    asker.answered_at = time.monotonic()
                    progress.advance(bar)
            finally:
                telling.cancel()
    return wrong


class _Asker:
    """Asks one question after the other, each under a key of its own: one that is asked again is the same job."""

    def __init__(self, client: Sightline, waiting: AsyncSightline, batch: Batch) -> None:
        self._client = client
        self._waiting = waiting
        self._batch = batch
        self._kept_out = 0  #: questions that are not taken now
        self.answered_at = time.monotonic()

    async def tell_what_it_waits_for(self) -> None:
        """Whenever no answer came for some time: why, each cause once. Until it is cancelled."""
        told = ""
        while True:
            await asyncio.sleep(max(0.1, self.answered_at + _SILENT_S - time.monotonic()))
            if time.monotonic() - self.answered_at < _SILENT_S:
                continue
            try:
                cause = await asyncio.to_thread(what_is_waited_for, self._client.settings, is_full=self._kept_out > 0)
            except RetryableError as error:
                cause = str(error)
            kind = re.sub(r"\d+", "", cause)  # not again for each number
            if kind != told:
                err.print(f"no answer for {_SILENT_S:g} s: {cause}")
                told = kind
            await asyncio.sleep(_SILENT_S)

    async def ask(self, prompt: Prompt) -> dict[str, Any]:
        """The line of its answer. Raises RetryableError: all have to wait."""
        if prompt.asked is None or prompt.error is not None:
            return failed(prompt, prompt.error or BadMessageError("no question"))
        job_id = ""
        try:
            found = await asyncio.to_thread(self._look_up, prompt.asked)
            job, stored = await asyncio.to_thread(self._make_job, prompt, found)
            job_id = job.job_id
            await self._publish(job, stored)
            del stored
            answer = answer_of(await self._result(job_id))
        except (RetryableError, SettingsError):
            raise
        except SightlineError as error:
            return failed(prompt, error, job_id)
        created = int(time.time())
        completion = completion_of(answer, job_id, model=prompt.asked.model, created=created, lookups=found)
        return answered(prompt, completion, job_id)

    def _look_up(self, asked: ChatRequest) -> list[Found] | None:
        """What is stored of what a question that asks for it is about; None: it does not ask."""
        if not asked.lookups:
            return None
        return look_up(asked.question(), self._client.settings, asked.asked_at)

    def _make_job(self, prompt: Prompt, found: list[Found] | None) -> tuple[Job, dict[str, bytes]]:
        assert prompt.asked is not None
        asked = prompt.asked
        if found:
            asked = asked.with_question(prompt_of(asked.question(), found))
        settings = self._client.settings
        limits = ImageLimits.of(settings)
        fetched = {url: read_remote(url, limits).data for url in urls_of(asked)}
        items, options = question_of(asked, fetched, settings)
        return make_job(
            items,
            settings,
            pipeline=Pipeline.CHAT,
            lane=self._batch.lane,
            source_id=self._batch.source,
            options=options,
            idempotency_key=content_id(str(self._batch.answers.resolve()), prompt.text),
        )

    async def _publish(self, job: Job, stored: dict[str, bytes]) -> None:
        while True:
            try:
                await asyncio.to_thread(self._client.publisher.publish, job, stored)
                return
            except BacklogFullError as full:
                self._kept_out += 1
                try:
                    await asyncio.sleep(full.retry_after_s)
                finally:
                    self._kept_out -= 1

    async def _result(self, job_id: str) -> JobResult:
        while True:
            try:
                return await self._waiting.wait(job_id, _LOOK_EVERY_S)
            except WaitTimeoutError:
                ledger = self._client.publisher.ledger
                if not await asyncio.to_thread(ledger.which_are_open, [job_id]):
                    raise


def _progress() -> Progress:
    columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)
