"""The deliver role: a lane for each sink, passages made final."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sightline.errors import SettingsError, StoreUnavailableError
from sightline.settings import Settings
from sightline.tracing import Tracer
from storage.database.engine import Database
from storage.sinks.deliveries import due_sinks
from storage.sinks.outbox import finalize_passages
from storage.sinks.sinks import Sink
from workers.deliver.runner import SinkRunner, pause
from workers.deliver.sender import open_sender
from workers.health import PATTERN

log = logging.getLogger(__name__)

_POLL_S = 0.2
_IDLE_POLL_S = 1.0  #: without sinks
_FINALIZE_EVERY_S = 1.0
_DATABASE_PAUSE_S = 2.0


class Deliverer:
    """Looks for sinks and due events. Any number may run on PostgreSQL; on SQLite one does."""

    def __init__(self, settings: Settings, database: Database, tracer: Tracer | None = None) -> None:
        self._settings = settings
        self._tracer = tracer or Tracer()
        self._database = database
        self._lanes: dict[str, SinkRunner] = {}
        self._ending: list[SinkRunner] = []
        self._known: dict[str, Sink] = {}
        self._refused: dict[str, Sink] = {}
        self._health_file = Path(tempfile.gettempdir()) / PATTERN.replace("*", str(os.getpid()))
        self._finalize_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set; then what is being sent is finished."""
        log.info("delivering")
        while not stop.is_set():
            pause_s = _POLL_S
            try:
                await self._look()
                await self._finalize_if_due()
                pause_s = _POLL_S if self._lanes else _IDLE_POLL_S
            except StoreUnavailableError as error:
                log.warning("waiting for the database: %s", error)
                pause_s = _DATABASE_PAUSE_S
            self._health_file.touch()
            await pause(stop, pause_s)
        for sink_id in list(self._lanes):
            self._end(sink_id)
        tasks = [lane.task for lane in self._ending if lane.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=self._settings.delivery_timeout_s + 2)
        self._health_file.unlink(missing_ok=True)

    async def _look(self) -> None:
        """Let the lanes follow the sinks, and wake those that have something to do."""
        self._drop_ended()
        found = await asyncio.to_thread(due_sinks, self._database, datetime.now(UTC))
        sinks = {sink.sink_id: sink for sink, _ in found}
        for removed in self._known.keys() - sinks.keys():
            self._remove(self._known[removed])
        self._known = sinks
        for sink_id, lane in list(self._lanes.items()):
            if sinks[sink_id] != lane.sink or not lane.sink.enabled:
                self._end(sink_id)
        for sink, due in found:
            if sink.enabled:
                lane = self._lanes.get(sink.sink_id) or self._begin(sink)
                if due and lane is not None:
                    lane.wake()

    def _begin(self, sink: Sink) -> SinkRunner | None:
        if self._refused.get(sink.sink_id) == sink:
            return None
        try:
            lane = SinkRunner(sink, open_sender(sink, self._settings), self._database, self._settings, self._tracer)
        except SettingsError as error:
            log.error("sink %s cannot be served: %s", sink.sink_id, error)
            self._refused[sink.sink_id] = sink
            return None
        log.info("sink %s: %s to %s", sink.sink_id, sink.kind, sink.shown_url)
        before = next((lane.task for lane in self._ending if lane.sink.sink_id == sink.sink_id), None)
        lane.start(before)
        self._lanes[sink.sink_id] = lane
        return lane

    def _end(self, sink_id: str, *, is_removed: bool = False) -> None:
        lane = self._lanes.pop(sink_id)
        lane.stop(is_removed=is_removed)
        self._ending.append(lane)

    def _remove(self, sink: Sink) -> None:
        """One that was paused, too, may have left something at its receiver."""
        if sink.sink_id in self._lanes or self._begin(sink) is not None:
            self._end(sink.sink_id, is_removed=True)

    def _drop_ended(self) -> None:
        """A lane that ended by a bug is begun anew with the next look; its events are due again after their lease."""
        for lane in [*self._ending, *self._lanes.values()]:
            if lane.task is not None and lane.task.done():
                if error := lane.task.exception():
                    log.error("sink %s: a bug ended its lane", lane.sink.sink_id, exc_info=error)
                self._ending = [other for other in self._ending if other is not lane]
                if self._lanes.get(lane.sink.sink_id) is lane:
                    del self._lanes[lane.sink.sink_id]

    async def _finalize_if_due(self) -> None:
        if time.monotonic() >= self._finalize_at:
            await asyncio.to_thread(self._finalize)
            self._finalize_at = time.monotonic() + _FINALIZE_EVERY_S

    def _finalize(self) -> None:
        gap = timedelta(seconds=self._settings.passage_gap_s)
        while finalize_passages(self._database, gap, datetime.now(UTC)):
            pass
