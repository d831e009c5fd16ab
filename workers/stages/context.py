"""What a stage may tell and ask while it works on a job: `step.context`."""

from __future__ import annotations

from sightline.celery.holds import Hold
from sightline.errors import JobCancelledError
from sightline.wire.messages import Job
from workers.stages.services import Services


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


class JobContext(Context):
    """Of a job off a queue."""

    def __init__(self, job: Job, hold: Hold, held_s: float | None, services: Services) -> None:
        """`held_s` is the stage's, see `StageSpec`."""
        self._job = job
        self._hold = hold
        self._held_s = held_s
        self._services = services
        self._done = float("-inf")
        hold.begin(held_s)
        self._asked_at = hold.since

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
