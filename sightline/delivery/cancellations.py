"""Which jobs were cancelled, as a worker is told of those that it has in hand."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from sightline.delivery.ledger import Ledger
from sightline.errors import BrokerUnavailableError, JobCancelledError
from sightline.wire.messages import Job

log = logging.getLogger(__name__)

#: The rule that drops what was cancelled.
CANCELLED: Final = "cancelled"
_LOOK_EVERY_S: Final = 1.0
_REMEMBERED_S: Final = 3600.0


class Cancellations:
    """One look a second into the ledger for a whole process; asking costs nothing. Safe to use from several threads."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._ledger = ledger
        self._clock = clock
        self._seen_until = 0.0
        self._cancelled_at: dict[str, float] = {}

    def start(self) -> None:
        threading.Thread(target=self._run, name="cancellations", daemon=True).start()

    def look(self) -> None:
        """Be told of what was cancelled since the last look. Raises `BrokerUnavailableError`."""
        if fresh := self._ledger.cancelled_since(self._seen_until):
            self._seen_until = max(fresh.values())
            oldest = self._clock() - _REMEMBERED_S
            # One new dictionary in place of the old: other threads read it meanwhile.
            known = {job_id: at for job_id, at in self._cancelled_at.items() if at > oldest}
            self._cancelled_at = known | fresh

    def has(self, job: Job) -> bool:
        """Whether this publish of the job was cancelled. One that was published again later was not."""
        return self._cancelled_at.get(job.job_id, 0.0) > job.published_at

    def check(self, job: Job) -> None:
        """Raises `JobCancelledError` if it was."""
        if self.has(job):
            raise JobCancelledError(f"job {job.job_id} was cancelled")

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except BrokerUnavailableError as error:
                log.warning("what was cancelled is not known just now: %s", error)
            time.sleep(_LOOK_EVERY_S)
