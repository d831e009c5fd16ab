"""The chat stage: puts the questions of a job to the engine, and tells pieces of the answers as they come."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from sightline.blobs.names import frames_name
from sightline.errors import JobCancelledError, PoisonError
from sightline.pipelines import registry
from sightline.pipelines.ask import AskOptions, AskResult
from sightline.pipelines.chat import ChatOptions, ChatResult
from sightline.types import FrameError, Item, ItemResult, Lane, Pipeline, StageRun
from sightline.wire.messages import Job, Message
from sightline.wire.models import LoadedModel
from workers.batching.batcher import Batched
from workers.batching.engine import EngineRunner
from workers.batching.outcomes import outcome_of
from workers.chat.asked import Show, messages_of, picture_part
from workers.chat.engine import Answer, BadQuestionError, ChatEngine, Piece, Question
from workers.chat.findings import Findings, findings_of
from workers.chat.measures import ChatMeasures
from workers.chat.opening import open_engine
from workers.chat.pictures import Shown
from workers.stages.services import Services
from workers.stages.step import Step
from workers.stages.telling import Telling, Told


def open_stage(services: Services) -> ChatStage:
    return ChatStage(open_engine(services.settings), services)


class _Told(NamedTuple):
    """What a model is told with a question, and the pictures that it is shown."""

    findings: Findings
    pictures: Sequence[Mapping[str, Any]]

    def message(self, question: str) -> dict[str, Any]:
        text = self.findings.prompt(question, shown=len(self.pictures))
        content = [{"type": "text", "text": text}, *self.pictures] if self.pictures else text
        return {"role": "user", "content": content}


class ChatStage:
    """One engine for all jobs of the process."""

    task = "sightline.chat"

    def __init__(self, engine: ChatEngine, services: Services) -> None:
        self._engine = engine
        self._services = services
        self._runner = EngineRunner(
            engine.begin,
            max_in_engine=lambda: engine.most_at_once,
            name="chat",
            bulk_beside=services.settings.chat_bulk_beside,
            bulk_gives_way=engine.lets_stand,
        )
        self.runners = {"chat": self._runner}
        self._show = Shown(services.settings) if services.settings.chat_sees_pictures else None
        self._telling = Telling()
        self._measures = ChatMeasures()
        self.collect = self._measures.collect  #: for Prometheus

    @property
    def models(self) -> list[LoadedModel]:
        """Those that are open."""
        return [self._engine.model]

    def work(self, step: Step) -> Step:
        job = step.message.job
        waited_ms = max(0.0, (time.time() - step.message.handed_over_at) * 1000)
        keys = _keys_of(job, shows=self._show is not None)
        blobs = dict(zip(keys, self._services.frames.get_bundle(frames_name(job.job_id), keys), strict=True))
        told_by = self._findings(step, blobs) if job.pipeline == Pipeline.ASK else [None] * len(job.frames)
        most = self._services.settings.chat_answer_tokens
        asked = [self._question(item, blobs, of, most) for item, of in zip(job.frames, told_by, strict=True)]
        questions = [one for one in asked if isinstance(one, Question)]
        told = self._telling.begin(step.context, job, questions)
        asked_at = {number: time.monotonic() for number, one in enumerate(asked) if isinstance(one, Question)}
        for number, one in enumerate(asked):
            if isinstance(one, Question):
                one.gives_way = job.lane is Lane.BULK
                one.tell = partial(self._tell, told, asked_at, number)
        try:
            answers = self._answers(asked, job, questions, told)
        except JobCancelledError:
            if not told.is_stale:
                raise
            answers = None
        results = [
            ChatResult(frame=item, dropped="stale")
            if answers is None
            else self._result(item, answers[number], waited_ms)
            for number, item in enumerate(job.frames)
        ]
        if job.pipeline == Pipeline.ASK:
            results = [
                _with_findings(result, joined, of)
                for result, joined, of in zip(results, step.message.results, told_by, strict=True)
            ]
        return Step(registry().next_task(job.pipeline, self.task), Message(job=job, results=tuple(results)))

    def close(self) -> None:
        self._runner.close()
        self._engine.close()

    def _findings(self, step: Step, blobs: Mapping[str, bytes | None]) -> list[_Told | FrameError]:
        """What the stages before found on each item, and its pictures if the model sees: told with its question."""
        context_tokens = self._services.settings.chat_context_tokens
        found: list[_Told | FrameError] = []
        for number, (item, joined) in enumerate(zip(step.message.job.frames, step.message.results, strict=True)):
            assert isinstance(joined, AskResult)
            errors = [error for part in step.parts.values() if (error := part.results[number].error)]
            pictures = [] if joined.error or not self._show else _shown(item, blobs, self._show)
            findings = joined.error or findings_of(joined, errors, context_tokens, shown=len(pictures))
            found.append(findings if isinstance(findings, FrameError) else _Told(findings, pictures))
        return found

    def _question(
        self, item: Item, blobs: Mapping[str, bytes | None], told: _Told | FrameError | None, most_tokens: int
    ) -> Question | FrameError:
        """`most_tokens`: of an answer to a question that does not say it; 0: as many as there is room for."""
        if isinstance(told, FrameError):
            return told
        try:
            if told is not None:
                options = AskOptions.model_validate(item.options or {}).of_answer
                *system, asked = messages_of(_text_alone(item), blobs, options)
                return Question([*system, told.message(asked["content"])], _bounded(options, most_tokens))
            options = _bounded(ChatOptions.model_validate(item.options or {}), most_tokens)
            shown = {"show": self._show} if self._show else {}
            return Question(messages_of(item, blobs, options, **shown), options)
        except PoisonError as error:
            return FrameError(reason=error.reason, message=str(error)[:500], stage="chat")

    def _answers(
        self, asked: Sequence[Question | FrameError], job: Job, questions: Sequence[Question], told: Told
    ) -> list[Batched[Answer] | FrameError]:
        """Ask together, and wait for all of them."""
        try:
            tickets = self._runner.submit(questions, job.lane)
            for question in questions:
                question.when_called_off(lambda: self._runner.withdraw(tickets))
            mine = iter(tickets)
            return [one if isinstance(one, FrameError) else outcome_of(next(mine), "chat") for one in asked]
        except BaseException:
            told.call_off()
            raise
        finally:
            self._telling.end(told)

    def _tell(self, told: Told, silent_since: dict[int, float], number: int, piece: Piece) -> None:
        self._runner.advanced()
        self._telling.advances += 1
        if not piece:
            return
        if (since := silent_since.pop(number, None)) is not None:
            self._measures.began(time.monotonic() - since)
        told.add(number, piece)

    def _result(self, item: Item, answered: Batched[Answer] | FrameError, waited_ms: float) -> ChatResult:
        if isinstance(answered, FrameError):
            if answered.reason == BadQuestionError.reason:  # nothing broke: it is an answer to who asked
                return ChatResult(frame=item, refused=answered.message)
            return ChatResult(frame=item, error=answered)
        answer, model = answered.value, self._engine.model
        self._measures.answered(answer.prompt_tokens, answer.answer_tokens)
        run = StageRun(
            stage="chat",
            model=answer.model,
            model_sha256=model.sha256,
            runtime=model.runtime,
            worker=self._services.worker_name,
            queue_wait_ms=waited_ms + answered.wait_ms,
            inference_ms=answered.inference_ms,
            batch_size=answered.batch_size,
        )
        return ChatResult(
            frame=item,
            stages=(run,),
            answer=answer.text,
            finish_reason=answer.finish_reason,
            model=answer.model,
            prompt_tokens=answer.prompt_tokens,
            answer_tokens=answer.answer_tokens,
            tool_calls=answer.tool_calls,
        )


def _bounded(options: ChatOptions, most_tokens: int) -> ChatOptions:
    """A small model may go on for ever, and so block what waits behind it."""
    return options if options.max_tokens or not most_tokens else options.model_copy(update={"max_tokens": most_tokens})


def _keys_of(job: Job, *, shows: bool) -> list[str]:
    """Where that lies which the model is asked. Of `ask` it is told what was found, and shown pictures perhaps."""
    if job.pipeline != Pipeline.ASK:
        return [*job.keys]
    media = ("text", "image") if shows else ("text",)
    return [part.key for item in job.frames for part in item.parts if part.medium in media and part.key]


def _shown(item: Item, blobs: Mapping[str, bytes | None], show: Show) -> list[Mapping[str, Any]]:
    """The pictures of an item that can be shown; of the others it is told why they could not be examined."""
    pictures: list[Mapping[str, Any]] = []
    for number, medium in enumerate(item.media):
        if medium == "image":
            with suppress(PoisonError):
                pictures.append(picture_part(item, number, blobs, show))
    return pictures


def _text_alone(item: Item) -> Item:
    """The question, whose pictures and recordings are told as findings.

    Raises BadQuestionError: there is none, or more than one.
    """
    texts = tuple(part for part in item.parts if part.medium == "text")
    if len(texts) != 1:
        raise BadQuestionError(f"text: {len(texts)} given; ask one question, beside the pictures and recordings")
    return item.model_copy(update={"parts": texts})


def _with_findings(result: ChatResult, joined: ItemResult, told: _Told | FrameError | None) -> ItemResult:
    """The answer with what it goes by."""
    if result.error or result.dropped or not isinstance(told, _Told):
        return result
    assert isinstance(joined, AskResult)
    answered = {name: getattr(result, name) for name in result.model_fields_set}
    findings = told.findings
    return joined.model_copy(
        update=answered
        | {
            "stages": (*joined.stages, *result.stages),
            "shown": len(told.pictures),
            "used": findings.used,
            "left_out": findings.left_out,
            "left_out_by": "least_certain" if findings.left_out else None,
            "failed": findings.failed,
        }
    )
