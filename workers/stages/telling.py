"""Tells what chat engines say to whoever listens: pieces of all answers together, up to forty times a second.

A piece a token would be a round trip a token. The first of an answer is told at once, the others the less often the
more answers there are: so many pieces a second and no more, whatever the engine does. Bulk, to which next to nobody
listens, waits longer. The same thread looks who does not want the answer any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from sightline.errors import JobCancelledError
from sightline.retry import StoppedError
from sightline.types import Lane
from sightline.wire.messages import Job
from workers.chat.engine import Question
from workers.stages.context import Context, JobContext

_EVERY_S: Final = 0.025
_PIECES_A_SECOND: Final = 240
_RARELY_S: Final = 0.25  #: between two rounds, at most
_BULK_EVERY_S: Final = 0.2  #: between two pieces, at least


class Telling:
    """One per process; its thread ends with it."""

    def __init__(self) -> None:
        self._open: set[Told] = set()
        self._changed = threading.Condition()
        self._is_urgent = False
        self.advances = 0  #: pieces that came of any answer, and signs of life; its stage counts them
        threading.Thread(target=self._run, name="telling", daemon=True).start()

    def begin(self, context: Context, job: Job, questions: Sequence[Question]) -> Told:
        """From now on what is answered to these is told."""
        told = Told(self, context, job, questions)
        with self._changed:
            self._open.add(told)
            self._changed.notify_all()
        return told

    def end(self, told: Told) -> None:
        """Returns when all of it is told. Raises what kept it from being told."""
        with self._changed:
            told.is_ended = True
            self.hurry()
            self._changed.wait_for(lambda: told not in self._open)
        if told.error:
            raise told.error

    def hurry(self) -> None:
        with self._changed:
            self._is_urgent = True
            self._changed.notify_all()

    def _run(self) -> None:
        round_at = 0.0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._open)
                self._changed.wait_for(lambda: self._is_urgent, timeout=max(0.0, round_at - time.monotonic()))
                self._is_urgent = False
                told = list(self._open)
            now = time.monotonic()
            ended = [one for one in told if one.is_ended]
            is_round = now >= round_at
            self._tell([one for one in told if one.is_urgent or (is_round and one.is_due(now))])
            if is_round:  # of all at the same time: that is one message to Redis, and one to who listens to several
                round_at = now + min(_RARELY_S, max(_EVERY_S, len(told) / _PIECES_A_SECOND))
                for one in told:
                    one.look()
            with self._changed:
                self._open.difference_update(ended)
                self._changed.notify_all()

    def _tell(self, told: Sequence[Told]) -> None:
        try:
            JobContext.emit_together([(one.context, data) for one in told for data in one.take()])
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait for this thread are told
            for one in told:
                one.error = error
                one.call_off()


class Told:
    """What is said of one job."""

    def __init__(self, telling: Telling, context: Context, job: Job, questions: Sequence[Question]) -> None:
        self._telling = telling
        self._given = context
        self._job = job
        self._questions = questions
        self._pieces: list[tuple[int, Mapping[str, Any]]] = []
        self._change = threading.Lock()
        self._least_s = _BULK_EVERY_S if job.lane is Lane.BULK else 0.0
        self._told_at = 0.0
        self.is_ended = False
        self.is_stale = False
        self.error: Exception | None = None

    @property
    def context(self) -> JobContext:
        assert isinstance(self._given, JobContext)  # of others nothing is taken
        return self._given

    def add(self, number: int, piece: Mapping[str, Any]) -> None:
        """A piece of the answer to a question, by the engine's thread."""
        with self._change:
            is_first = not self._told_at and not self._pieces
            self._pieces.append((number, piece))
        if is_first:
            self._telling.hurry()

    @property
    def is_urgent(self) -> bool:
        """The first piece is told at once, and the last."""
        return self.is_ended or not self._told_at

    def is_due(self, now: float) -> bool:
        return now - self._told_at >= self._least_s

    def take(self) -> Sequence[Mapping[str, Any]]:
        """What is to be said now, texts that follow each other as one."""
        with self._change:
            pieces, self._pieces = self._pieces, []
        if not pieces or not isinstance(self._given, JobContext):
            return []
        self._told_at = time.monotonic()
        said: list[dict[str, Any]] = []
        for number, piece in pieces:
            last: dict[str, Any] = said[-1] if said else {}
            if "text" in piece and "text" in last and last.get("item", number) == number:
                last["text"] += piece["text"]
            else:
                said.append({**piece, **({"item": number} if len(self._questions) > 1 else {})})
        return said

    def look(self) -> None:
        """Hold the job as long as the engine advances; call the answers off if nobody wants them any more."""
        if self._job.deadline_at is not None and time.time() > self._job.deadline_at:
            self.is_stale = True
            self.call_off()
        with suppress(StoppedError):
            try:
                # Whoever waits in an engine that answers others is not stuck: its turn comes.
                self._given.progress(self._telling.advances)
            except JobCancelledError:
                self.call_off()

    def call_off(self) -> None:
        for question in self._questions:
            question.call_off()
