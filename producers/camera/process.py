"""The camera process: loops beside the readers. Rows, leases, queues and statuses once a second, bundles each tick."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Literal

from producers.camera.fleet import Fleet
from producers.camera.lease import CameraLeases
from producers.camera.photos.known import KnownPhotos
from producers.camera.publish.archive import EndedFiles
from producers.camera.publish.bundler import LiveBundler
from producers.camera.publish.slots import Publishes
from sightline.camera_status import forget_statuses, write_statuses
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.errors import BrokerUnavailableError, StoreUnavailableError
from sightline.settings import Settings
from sightline.types import Lane, Pipeline
from storage.cameras import Camera

if TYPE_CHECKING:
    import redis

log = logging.getLogger(__name__)

Outcome = Literal["stopped", "late", "crashed"]

POLL_S = 1.0
#: Below the 5 s a stop may take; what is blocked in a read then is left to the end of the process.
STOP_S = 2.5


class CameraProcess:
    """Each loop has its own thread: a database or a Redis that hangs holds up neither the frames nor the stop."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publishes,
        redis: redis.Redis,
        list_cameras: Callable[[], Sequence[Camera]],
    ) -> None:
        self._redis = redis
        self._list_cameras = list_cameras
        self._known: set[str] = set()
        self._rows: Sequence[Camera] | None = None
        self._leases = CameraLeases(redis)
        self._ledger = Ledger(redis, LedgerLimits.from_settings(settings))
        self._deadline_s = settings.live_deadline_s
        self.fleet = Fleet(settings, publisher, EndedFiles(redis), KnownPhotos(redis))
        self._bundler = LiveBundler(
            publisher,
            self.fleet.live_slots,
            self.fleet.wake,
            tick_ms=settings.camera_tick_ms,
            deadline_s=settings.live_deadline_s,
            holds=self._leases.holds,
        )

    def run(self, stop: threading.Event) -> Outcome:
        """Work until `stop`. Returns within 5 s of it: `late` if a thread still hangs, `crashed` if a loop failed."""
        crashed = threading.Event()
        loops = [
            threading.Thread(target=_guarded, args=(loop, stop, crashed), name=loop.__name__.strip("_"), daemon=True)
            for loop in (
                self._follow_rows,
                self._follow_leases,
                self._follow_queues,
                self._write_statuses,
                self._bundler.run,
            )
        ]
        for loop in loops:
            loop.start()
        stop.wait()
        log.info("stopping")
        in_time = self.fleet.stop(STOP_S)
        for loop in loops:
            loop.join(0.5)
        self._leave()
        if crashed.is_set():
            return "crashed"
        return "stopped" if in_time and not any(loop.is_alive() for loop in loops) else "late"

    def _follow_rows(self, stop: threading.Event) -> None:
        answers = True
        while not stop.is_set():
            try:
                rows = self._list_cameras()
            except StoreUnavailableError as error:
                if answers:
                    log.warning("the cameras go on as they were last known: %s", error)
                answers = False
            else:
                if not answers:
                    log.info("the database answers again")
                answers = True
                self._rows = rows
            stop.wait(POLL_S)

    def _follow_leases(self, stop: threading.Event) -> None:
        """Read the cameras that are held here. Apart from the rows: a database that hangs must not cost the leases."""
        answers = True
        while not stop.wait(POLL_S / 2):
            rows = self._rows
            if rows is None:
                continue
            try:
                held = self._leases.renew([camera.camera_id for camera in rows])
                self.fleet.reconcile(rows, held.keep)
                if held.give_back:  # after they are read no more, so that no picture is sent twice
                    log.info("another camera process goes on with %s", ", ".join(held.give_back))
                    self._leases.release(held.give_back)
                answers = True
            except BrokerUnavailableError as error:
                if answers:
                    log.warning("cameras are read as before, leases cannot be renewed: %s", error)
                answers = False
                self.fleet.reconcile(rows)

    def _leave(self) -> None:
        try:
            self._leases.leave()
        except BrokerUnavailableError as error:
            log.warning("leases run out by themselves: %s", error)

    def _follow_queues(self, stop: threading.Event) -> None:
        answers = True
        while not stop.wait(POLL_S):
            try:
                ages_s = self._ages_s(self.fleet.adapting())
            except BrokerUnavailableError as error:
                if answers:
                    log.warning("cameras keep their rates: %s", error)
                answers, ages_s = False, {}
            else:
                answers = True
            self.fleet.follow_queues(ages_s)

    def _ages_s(self, pipelines: Iterable[Pipeline]) -> dict[Pipeline, float]:
        """How long the oldest live frame of each pipeline has waited for its end. What is past the deadline does not
        count: no worker will work on it, though it may be open until the message of a dead worker returns.
        """
        now = time.time()
        oldest = self._ledger.oldest_open(Lane.LIVE, pipelines, since=now - self._deadline_s)
        return {pipeline: 0.0 if at is None else max(0.0, now - at) for pipeline, at in oldest.items()}

    def _write_statuses(self, stop: threading.Event) -> None:
        answers = True
        while not stop.wait(POLL_S):
            statuses = self.fleet.statuses()
            try:
                # Who holds a camera now writes its status: only those of cameras that are gone are taken away.
                forget_statuses(self._redis, self._known - {row.camera_id for row in self._rows or ()})
                write_statuses(self._redis, statuses)
            except BrokerUnavailableError as error:
                if answers:
                    log.warning("statuses cannot be written: %s", error)
                answers = False
            else:
                answers = True
                self._known = set(statuses)
        try:
            forget_statuses(self._redis, self.fleet.statuses())
        except BrokerUnavailableError as error:
            log.warning("statuses expire by themselves: %s", error)


def _guarded(loop: Callable[[threading.Event], None], stop: threading.Event, crashed: threading.Event) -> None:
    """A loop that fails ends the process: half a camera process would look alive and do nothing."""
    try:
        loop(stop)
    except Exception:
        log.exception("a bug ended the process")
        crashed.set()
        stop.set()
