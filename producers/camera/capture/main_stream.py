"""The main stream of a camera whose sub stream is watched: kept open, and decoded when a picture of it is wanted."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from producers.camera.sources.sampling import Backoff
from producers.camera.sources.source import Grab, Source, SourceOptions
from sightline.errors import SourceError
from sightline.redaction import redact_text

log = logging.getLogger(__name__)

#: An older picture shows another moment than the one in which something moved.
_FRESH_S: Final = 2.0
#: Without a picture for so long it is away. Streams that break are open again within a few seconds.
_AWAY_S: Final = 10.0
#: It gave pictures for so long: the next trouble is a new one.
_GOOD_RUN_S: Final = 10.0

OpenSource = Callable[[str, SourceOptions, threading.Event], Source]


class MainStream:
    """A thread reads it; `newest` may be asked by another one, which decodes the picture."""

    def __init__(
        self,
        camera_id: str,
        url: str,
        options: SourceOptions,
        stop: threading.Event,
        *,
        open_source: OpenSource,
        tell: Callable[[str], None],
    ) -> None:
        """`stop` ends it; `tell` is given what goes wrong, without credentials."""
        self._camera_id = camera_id
        self._url = url
        self._options = dataclasses.replace(options, on_demand=True)
        self._stop = stop
        self._open_source = open_source
        self._tell = tell
        self._fresh_s = max(_FRESH_S, 1.5 / options.fps)  # a camera of single pictures is asked that rarely
        self._backoff = Backoff()
        self._newest: tuple[Grab | None, float] = None, time.monotonic()  #: and when it came
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera_id}-main", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    def newest(self) -> Grab | None:
        """The newest picture; None: there is none of now."""
        grab, came_s = self._newest
        return grab if time.monotonic() - came_s <= self._fresh_s else None

    @property
    def is_away(self) -> bool:
        """Whether no picture came for a while."""
        return time.monotonic() - self._newest[1] > max(_AWAY_S, self._fresh_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
                message = "it ended"
            except SourceError as error:
                message = redact_text(str(error), self._url)
            except Exception as error:  # noqa: BLE001 - the sub stream is read on, whatever is wrong here
                message = redact_text(repr(error), self._url)
            if self._stop.is_set():
                return
            wait_s = self._backoff.next_s()
            log.warning("camera %s: main stream: %s; again in %.1f s", self._camera_id, message, wait_s)
            self._tell(f"main stream: {message}")
            self._stop.wait(wait_s)

    def _read(self) -> None:
        source = self._open_source(self._url, self._options, self._stop)
        opened_s = time.monotonic()
        try:
            for grab in source.grabs():
                if self._stop.is_set():
                    return
                if not grab.damaged:
                    self._newest = grab, time.monotonic()
                if time.monotonic() - opened_s > _GOOD_RUN_S:
                    self._backoff.reset()
        finally:
            source.close()
