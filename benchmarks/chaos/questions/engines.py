"""Engines that die or hang at one point, when they are told to; and all sound is speech.

Names of the product are replaced, as in `roles.worker`, which calls this.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import sightline.pipelines.installed
import workers.stages.chat
import workers.stages.speech.stage
from benchmarks.chaos.forks.dying import die_if_told, is_told
from benchmarks.chaos.switches import DIE_IN_ANSWER_FILE, DIE_IN_SPEECH_FILE, HANG_FILE, HANG_S, HUNG_FILE, RUNS_FOLDER
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.pipelines.speech import TranscribeOptions
from sightline.settings import Settings
from sightline.wire.messages import Message
from workers.chat.engine import Answer, Question
from workers.chat.opening import open_engine
from workers.speech.engine import Heard, Samples, Stretch
from workers.speech.stub import StubEngine
from workers.stages.chat import ChatStage
from workers.stages.step import Step

_HALF = 5  #: pieces of an answer, after which who is told to dies
_work = ChatStage.work


def prepare(folder: Path, *, held_s: float) -> None:
    """Replace the names. Before anything of `workers.app` is used.

    `held_s`: how long a recording may be in work without progress; stages with a time of their own have too much here.
    """

    begun: dict[int, Message] = {}  #: what is tried again, as the server failed, has begun once

    def work(self: ChatStage, step: Step) -> Step:
        if id(step.message) not in begun:
            begun[id(step.message)] = step.message
            note.write(step.message.job.job_id + "\n")
        return _work(self, step)

    runs = folder / RUNS_FOLDER
    runs.mkdir(exist_ok=True)
    note = (runs / f"{CHAT_QUEUE}.{os.getpid()}").open("a", buffering=1)
    ChatStage.work = work
    workers.stages.chat.open_engine = lambda settings: FragileEngine(open_engine(settings), folder)
    workers.stages.speech.stage.open_engine = _open_dying
    workers.stages.speech.stage.find_speech = _all_of_it
    built_in = sightline.pipelines.installed.BUILT_IN
    sightline.pipelines.installed.BUILT_IN = tuple(_shortly_held(spec, held_s) for spec in built_in)  # pyright: ignore


class FragileEngine:
    """Answers as the engine does that it is given; of one answer nothing comes for long, or half of it."""

    def __init__(self, engine: Any, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    def begin(self, question: Question) -> Future[Answer]:
        tell, told = question.tell, list[None]()

        def tell_or_die(piece: Any) -> None:
            if piece:
                told.append(None)
            if len(told) == _HALF:
                die_if_told(DIE_IN_ANSWER_FILE)
            tell(piece)

        question.tell = tell_or_die
        if is_told(HANG_FILE):
            (self._folder / HUNG_FILE).touch()
            return self._begin_late(question)
        return self._engine.begin(question)

    def _begin_late(self, question: Question) -> Future[Answer]:
        late = Future[Answer]()

        def begin() -> None:
            try:
                late.set_result(self._engine.begin(question).result())
            except Exception as error:  # noqa: BLE001 - handed on
                late.set_exception(error)

        timer = threading.Timer(HANG_S, begin)
        timer.daemon = True
        timer.start()
        return late

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class _DyingReader(StubEngine):
    def read(self, stretches: Sequence[Stretch]) -> list[Heard | Exception]:
        die_if_told(DIE_IN_SPEECH_FILE)
        return super().read(stretches)


def _open_dying(_: Settings) -> _DyingReader:
    return _DyingReader()


def _all_of_it(sound: Samples, options: TranscribeOptions, **_: float) -> list[Stretch]:
    return [Stretch(sound, 0.0, options)] if len(sound) else []


def _shortly_held(spec: PipelineSpec, held_s: float) -> PipelineSpec:
    def shortly(stage: StageSpec) -> StageSpec:
        return replace(stage, held_s=held_s) if stage.held_s else stage

    return replace(spec, stages=tuple(map(shortly, spec.stages)))
