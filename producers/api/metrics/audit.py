"""Whether the books balance, asked in the background: no scrape waits for it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from prometheus_client.core import Metric

from producers.api.accounting.hours import audit_hours
from producers.api.services import ApiServices
from sightline.errors import SightlineError
from sightline.metrics.families import gauge

log = logging.getLogger(__name__)

#: Of jobs published in this time, in whole hours.
_OVER: Final = timedelta(hours=1)
_EVERY_S: Final = 60.0
#: Counts, open frames and rows are read one after the other: while work flows they may miss each other.
_LOOKS: Final = 5
_PAUSE_S: Final = 0.2


class BackgroundAudit:
    """Of the last hour. Begun by a scrape once the last one is a minute old."""

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._turn = threading.Lock()
        self._begun_at = float("-inf")
        self._found: tuple[bool, float] | None = None  #: balanced, and when

    def collect(self) -> Iterator[Metric]:
        now = time.monotonic()
        with self._turn:
            is_due = now - self._begun_at >= _EVERY_S
            self._begun_at = now if is_due else self._begun_at
        if is_due:
            threading.Thread(target=self.look, name="audit", daemon=True).start()
        if self._found is not None:
            balanced, at = self._found
            yield gauge("sightline_audit_balanced", "Whether every frame of the last hour is accounted for.", balanced)
            yield gauge("sightline_audit_age_seconds", "Since that was looked at.", now - at)

    def look(self) -> None:
        """Audit now."""
        try:
            for _ in range(_LOOKS):
                balanced = audit_hours(self._services, datetime.now(UTC) - _OVER, None).balanced
                self._found = balanced, time.monotonic()
                if balanced:
                    return
                time.sleep(_PAUSE_S)
        except SightlineError as error:
            log.info("the books cannot be looked at now: %s", error)
