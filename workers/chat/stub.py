"""An engine for tests: it says back what it was asked, a word at a step, and keeps every promise of an engine."""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from sightline.settings import Settings
from sightline.wire.models import LoadedModel
from workers.chat.engine import Answer, BadQuestionError, Message, Question
from workers.chat.limits import fitting
from workers.chat.stop_strings import StopStrings
from workers.chat.texts import as_texts
from workers.models.registry import find_model

CONTEXT_TOKENS: Final = 2048  #: words


@dataclass(eq=False)
class _Running:
    question: Question
    words: list[str]
    prompt_tokens: int
    most: int
    future: Future[Answer] = field(default_factory=Future[Answer])
    said: list[str] = field(default_factory=list[str])  #: words
    told: list[str] = field(default_factory=list[str])  #: what the stop strings leave of them

    def __post_init__(self) -> None:
        self.stops = StopStrings(self.question.options.stop)

    def step(self) -> bool:
        """One more word, if there is one. Returns whether that was the end."""
        if self.question.is_called_off:
            self._fail()
            return True
        is_over = len(self.said) == len(self.words)
        if not is_over and len(self.said) < self.most:
            word = self.words[len(self.said)]
            self.said.append(word)
            is_over = len(self.said) == len(self.words)
            if text := self.stops.pass_on(word, is_last=is_over or len(self.said) == self.most):
                self.told.append(text)
                self.question.tell({"text": text})
            is_over = is_over or self.stops.is_met
        if not is_over and len(self.said) < self.most:
            return False
        finish_reason = "stop" if is_over else "length"
        self.future.set_result(Answer("".join(self.told), finish_reason, "stub", self.prompt_tokens, len(self.said)))
        return True

    def _fail(self) -> None:
        try:
            self.question.check()
        except Exception as error:  # noqa: BLE001 - handed on
            self.future.set_exception(error)


class StubEngine:
    model = LoadedModel(name="stub", sha256="", runtime="stub")
    lets_stand = True

    def __init__(self, *, most_at_once: int = 32, bulk_beside: int = 2, step_ms: float = 0.0) -> None:
        self.most_at_once = most_at_once
        self._bulk_beside = bulk_beside
        self._step_s = step_ms / 1000
        self._running: list[_Running] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="chat-stub", daemon=True)
        self._thread.start()

    @classmethod
    def from_settings(cls, settings: Settings) -> StubEngine:
        """Each step takes `call_ms` of the model `stub` in the registry."""
        step_ms = find_model("stub", settings).call_ms
        return cls(most_at_once=settings.chat_max_in_engine, bulk_beside=settings.chat_bulk_beside, step_ms=step_ms)

    def begin(self, question: Question) -> Future[Answer]:
        question.check()
        if question.options.response_format not in (None, {"type": "text"}):
            raise BadQuestionError("response_format: the stub says back what it is asked; leave it out")
        messages, tokens, most = fitting(as_texts(question.messages), question.options, _count, CONTEXT_TOKENS)
        words = _words(messages[-1])
        if question.options.seed is not None and question.options.temperature:
            random.Random(question.options.seed).shuffle(words)  # noqa: S311
        running = _Running(question, words, tokens, most)
        with self._changed:
            self._running.append(running)
            self._changed.notify_all()
        return running.future

    def close(self) -> None:
        with self._changed:
            self._closed = True
            for running in self._running:
                running.question.call_off()
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._running or self._closed)
                if not self._running:
                    return
                running = [one for one in self._running if not one.question.gives_way]
                bulk = [one for one in self._running if one.question.gives_way]
                running += bulk[: self._bulk_beside] if running else bulk
            time.sleep(self._step_s)
            ended = {one for one in running if one.step()}
            with self._changed:
                self._running = [one for one in self._running if one not in ended]


def _words(message: Message) -> list[str]:
    return re.findall(r"\s*\S+", message["content"])


def _count(messages: Sequence[Message]) -> int:
    return sum(len(_words(message)) for message in messages)
