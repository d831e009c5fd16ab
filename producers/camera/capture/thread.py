"""The thread of one camera: it works until it is stopped, and tries again for as long as the camera is wanted."""

from __future__ import annotations

import abc
import logging
import threading
import traceback
from typing import Generic, Protocol, TypeVar

from producers.camera.counters import CameraCounters
from producers.camera.sources.sampling import Backoff
from sightline.errors import RetryableError, SourceError
from sightline.redaction import redact_text
from storage.cameras import Camera


class Closes(Protocol):
    """Where its frames go."""

    def close(self) -> None:
        """It is not wanted any more; frames that come now are not published."""
        ...


OutletT = TypeVar("OutletT", bound=Closes)

log = logging.getLogger(__name__)


class CameraThread(abc.ABC, Generic[OutletT]):
    """For one state of a camera's row: a changed row gets a new one."""

    def __init__(self, camera: Camera, outlet: OutletT, counters: CameraCounters) -> None:
        self.camera = camera
        self.outlet = outlet
        self._counters = counters
        self._url = camera.url.get_secret_value()
        self._urls = [url.get_secret_value() for url in (camera.url, camera.sub_url) if url is not None]
        self._stop = threading.Event()
        self._backoff = Backoff()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.camera_id}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Publish nothing from now on. The thread ends at its next frame, or with its read time-out."""
        self._stop.set()
        self.outlet.close()

    def join(self, timeout_s: float) -> bool:
        """Whether the thread has ended."""
        self._thread.join(max(0.0, timeout_s))
        return not self._thread.is_alive()

    @abc.abstractmethod
    def _work(self) -> bool:
        """Read what there is; False: nothing more will come. Raises where it broke, and is called again then."""

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._work():
                    return
                continue
            except (SourceError, RetryableError) as error:
                wait_s = self._retry_in_s(str(error))
                log.warning("camera %s: %s; again in %.1f s", self.camera.camera_id, self._redacted(error), wait_s)
            except Exception as error:  # noqa: BLE001 - a bug must not end one camera silently, nor the others at all
                wait_s = self._retry_in_s(repr(error))
                trace = self._redacted(traceback.format_exc())
                log.error("camera %s: a bug; again in %.1f s\n%s", self.camera.camera_id, wait_s, trace)
            self._stop.wait(wait_s)

    def _retry_in_s(self, message: str) -> float:
        if not self._stop.is_set():
            self._counters.note_error(self._redacted(message), "reconnecting")
        return self._backoff.next_s()

    def _redacted(self, error: Exception | str) -> str:
        return redact_text(str(error), *self._urls)
