"""What a stage may tell and ask while it works on a job: `step.context`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from sightline.celery.holds import Hold
from sightline.delivery.delta_stream import Delta
from sightline.errors import JobCancelledError
from sightline.ids import new_id
from sightline.pipelines import StageSpec
from sightline.wire.messages import Job
from workers.stages.services import Services

T = TypeVar("T")


class Context:
    """Of a job that nobody watches, as in a unit test: nothing is told to anybody."""

    def check(self) -> None:
        """Ask, between two steps, whether the job is still wanted. Costs nothing.

        Raises:
            JobCancelledError: it is not; let it pass.
        """

    def progress(self, done: float) -> None:
        """Say how far the work is, in whatever grows: steps, bytes, seconds of sound.

        Each time it grew, the job is held for another `StageSpec.held_s`. Work that goes round in circles says the same
        number again and is given up after that time: another worker gets the job.

        Raises:
            JobCancelledError: the job was cancelled, or ended elsewhere; let it pass.
        """

    def emit(self, data: Any) -> None:
        """Say a piece of the answer (whatever JSON can hold) to whoever listens, of a stage whose spec `streams`.

        It is no result: only what the stage returns is stored. If the stage starts over, listeners are told.

        Raises:
            JobCancelledError: the job was cancelled; let it pass.
        """


class JobContext(Context):
    """Of a job off a queue."""

    def __init__(self, job: Job, hold: Hold, spec: StageSpec, services: Services) -> None:
        self._job = job
        self._hold = hold
        self._held_s = spec.held_s
        self._services = services
        self._done = float("-inf")
        hold.begin(spec.held_s)
        self._asked_at = hold.since
        self._stage = spec.name
        self._attempt = new_id() if spec.streams else ""
        self._said = 0

    def check(self) -> None:
        self._services.cancellations.check(self._job)

    def progress(self, done: float) -> None:
        self.check()
        if done <= self._done:
            return
        self._done = done
        self._hold.advance()
        overdue_after_s = max(self._services.settings.job_timeout_s, self._held_s or 0)
        if self._hold.since - self._asked_at < overdue_after_s / 4:
            return
        self._asked_at = self._hold.since
        if self._services.delivery.begin(self._job, held_s=self._held_s) <= 0:
            raise JobCancelledError(f"job {self._job.job_id} was cancelled, or ended elsewhere")

    def emit(self, data: Any) -> None:
        self.check()
        self.emit_together([(self, data)])

    @staticmethod
    def emit_together(said: Sequence[tuple[JobContext, Any]]) -> None:
        """Say pieces of several jobs at once, which costs hardly more than one. Nobody is asked who cancelled."""
        if said:
            deltas = [delta for context, data in said for delta in context._next(data)]
            teller = said[0][0]
            teller._insist(lambda: teller._services.deltas.add(*deltas))

    def _next(self, data: Any) -> Iterator[Delta]:
        if not self._attempt:
            raise RuntimeError(f"stage {self._stage!r}: emit: its StageSpec does not say streams=True")
        if not self._said:
            yield Delta(self._job.job_id, self._stage, self._attempt, 0)
        self._said += 1
        yield Delta(self._job.job_id, self._stage, self._attempt, self._said, data)

    def _insist(self, call: Callable[[], T]) -> T:
        said = self._services.delivery.patience.insist(lambda: (call(),), f"stream job {self._job.job_id}")
        assert said is not None
        return said[0]
