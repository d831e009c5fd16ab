"""Deletes what is old once an hour, in a thread of its own beside the sweeper of each writer."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import UTC, datetime
from typing import Final

from sightline.blobs.store import FrameStore
from sightline.errors import StoreUnavailableError
from sightline.settings import Settings
from storage.database.engine import Database
from storage.retention.retention import Horizons, remove_old

log = logging.getLogger(__name__)

_FIRST_AFTER_S: Final = 60.0  #: what was waiting while the writer was down comes first
_EVERY_S: Final = 3600.0
_THOROUGH_EVERY: Final = 24


class Retention:
    """A daemon thread. `run_once` does one round and is what tests call."""

    def __init__(self, database: Database, pictures: FrameStore, settings: Settings) -> None:
        self._database = database
        self._pictures = pictures
        self._settings = settings
        self._rounds = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the transaction it is in is over."""
        self._stopped.set()
        self._thread.join(10)

    def run_once(self) -> Counter[str]:
        """Raises StoreUnavailableError: the rest waits for the next round."""
        now = datetime.now(UTC)
        removed = remove_old(
            self._database,
            self._pictures,
            Horizons.from_settings(self._settings, now),
            now,
            wait=self._stopped.wait,
            thorough=self._rounds % _THOROUGH_EVERY == 0,
        )
        self._rounds += 1
        return removed

    def _run(self) -> None:
        pause_s = _FIRST_AFTER_S
        while not self._stopped.wait(pause_s):
            pause_s = _EVERY_S
            try:
                if removed := self.run_once():
                    log.info("deleted by age: %s", dict(removed))
            except StoreUnavailableError as error:
                log.warning("deleting what is old is put off: %s", error)
            except Exception:  # must not end by a bug: it is loud and tries again
                log.exception("deleting what is old failed")
