"""The cameras that run now, kept in step with the rows."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping

from producers.camera.capture.reader import Reader
from producers.camera.counters import CameraCounters
from producers.camera.photos.known import KnownPhotos
from producers.camera.photos.outlet import PhotoOutlet
from producers.camera.photos.watcher import FolderWatcher
from producers.camera.publish.archive import ArchiveOutlet, EndedFiles
from producers.camera.publish.slots import LiveSlot, Publishes
from producers.camera.sources.opening import is_file
from producers.camera.sources.sampling import KEY_FRAMES_FPS
from producers.camera.sources.source import SourceOptions
from sightline.camera_status import CameraStatus
from sightline.errors import BadMessageError, BrokerUnavailableError
from sightline.images.header import ImageLimits
from sightline.pipelines import check_camera
from sightline.redaction import redact_url
from sightline.settings import Settings
from sightline.types import Lane, Pipeline
from storage.cameras import Camera, is_folder

log = logging.getLogger(__name__)


class Fleet:
    """Starts, restarts and stops readers. A reader that is stuck in a read is left behind: it publishes nothing any
    more, and its thread ends with the read time-out."""

    def __init__(self, settings: Settings, publisher: Publishes, ended_files: EndedFiles, photos: KnownPhotos) -> None:
        self.wake = threading.Event()  #: set when a live frame waits
        self._settings = settings
        self._publisher = publisher
        self._ended_files = ended_files
        self._photos = photos
        self._lock = threading.Lock()
        self._stopped = False
        self._held: set[str] | None = None
        self._cameras: dict[str, Camera] = {}
        self._counters: dict[str, CameraCounters] = {}
        self._readers: dict[str, Reader | FolderWatcher] = {}
        self._left_behind: list[Reader | FolderWatcher] = []

    def reconcile(self, rows: Iterable[Camera], held: Collection[str] | None = None) -> None:
        """Make what runs what the rows say: added, changed, paused and removed cameras.

        `held`: the cameras that are read here; the others are those of other processes. None: as before, and until now
        all of them.
        """
        all_rows = {camera.camera_id: camera for camera in rows}
        if held is not None:
            self._held = set(held)
        wanted = {name: row for name, row in all_rows.items() if self._held is None or name in self._held}
        with self._lock:
            if self._stopped:
                return
            left = self._cameras.keys() - wanted.keys()
            for camera_id in left:
                self._remove(camera_id)
            for camera_id, camera in wanted.items():
                if self._cameras.get(camera_id) != camera:
                    self._set(camera)
            self._left_behind = [reader for reader in self._left_behind if not reader.join(0)]
        for camera_id in left - all_rows.keys():  # outside the lock: it waits for Redis
            self._forget(camera_id)

    def live_slots(self) -> list[LiveSlot]:
        with self._lock:
            return [reader.outlet for reader in self._readers.values() if isinstance(reader.outlet, LiveSlot)]

    def adapting(self) -> set[Pipeline]:
        """The pipelines of cameras whose rate follows their queue."""
        with self._lock:
            return {reader.camera.pipeline for reader in self._sampling() if not reader.budget.is_fixed}

    def follow_queues(self, ages_s: Mapping[Pipeline, float]) -> None:
        """Adapt the rates to how long the oldest live frame of each pipeline has waited; those not named stay."""
        with self._lock:
            readers = self._sampling()
        for reader in readers:
            reader.follow_queue(ages_s.get(reader.camera.pipeline))

    def statuses(self) -> dict[str, CameraStatus]:
        with self._lock:
            statuses = {camera_id: counters.status() for camera_id, counters in self._counters.items()}
            for reader in self._sampling():
                camera_id = reader.camera.camera_id
                statuses[camera_id] = statuses[camera_id].model_copy(update={"budget_fps": reader.budget.fps})
            paused = {camera.camera_id for camera in self._cameras.values() if not camera.enabled}
        # Said here because the thread of a camera paused just now may still note a last frame.
        return statuses | {
            camera_id: statuses[camera_id].model_copy(update={"state": "paused"}) for camera_id in paused
        }

    def stop(self, timeout_s: float) -> bool:
        """Stop all readers. Returns whether every thread has ended in time."""
        ends_at = time.monotonic() + timeout_s
        with self._lock:
            self._stopped = True
            for camera_id in list(self._readers):
                self._stop_reader(camera_id)
            left = [reader for reader in self._left_behind if not reader.join(ends_at - time.monotonic())]
        for reader in left:
            log.warning("camera %s: still blocked in a read", reader.camera.camera_id)
        return not left

    def _sampling(self) -> list[Reader]:
        """Those that have a rate."""
        return [reader for reader in self._readers.values() if isinstance(reader, Reader)]

    def _set(self, camera: Camera) -> None:
        camera_id = camera.camera_id
        self._stop_reader(camera_id)
        self._cameras[camera_id] = camera
        counters = self._counters.setdefault(camera_id, CameraCounters())
        if not camera.enabled:
            log.info("camera %s: paused", camera_id)
            return
        try:
            check_camera(camera.pipeline, camera_id)
        except BadMessageError as error:  # of a package that was removed: the other cameras go on
            log.error("camera %s: not read: %s", camera_id, error)
            counters.note_error(str(error), "offline")
            return
        counters.set_state("starting")
        log.info("camera %s: reading %s (%s)", camera_id, redact_url(camera.url.get_secret_value()), camera.preset)
        self._readers[camera_id] = self._reader(camera, counters)
        self._readers[camera_id].start()

    def _remove(self, camera_id: str) -> None:
        self._stop_reader(camera_id)
        del self._cameras[camera_id], self._counters[camera_id]
        log.info("camera %s: read here no more", camera_id)

    def _forget(self, camera_id: str) -> None:
        try:
            self._ended_files.forget(camera_id)
            self._photos.forget(camera_id)
        except BrokerUnavailableError as error:
            log.warning("camera %s: which of its files were read stays noted: %s", camera_id, error)

    def _stop_reader(self, camera_id: str) -> None:
        reader = self._readers.pop(camera_id, None)
        if reader is not None:
            reader.stop()
            self._left_behind.append(reader)

    def _reader(self, camera: Camera, counters: CameraCounters) -> Reader | FolderWatcher:
        settings = self._settings
        live = camera.preset == "live"
        limits = ImageLimits.of(settings)
        if is_folder(camera.url.get_secret_value()):
            return FolderWatcher(
                camera,
                PhotoOutlet(camera.pipeline, Lane.LIVE if live else Lane.BULK, self._publisher, counters),
                counters,
                self._photos,
                jpeg_quality=settings.camera_jpeg_quality,
                limits=limits,
            )
        return Reader(
            camera,
            LiveSlot(camera.pipeline, counters, self.wake)
            if live
            else ArchiveOutlet(camera.pipeline, self._publisher, counters),
            counters,
            SourceOptions(
                preset=camera.preset,
                fps=camera.fps,
                loop=camera.loop,
                open_timeout_s=settings.camera_open_timeout_s,
                read_timeout_s=settings.camera_read_timeout_s,
                allow_private=settings.allow_private_urls,
                hardware=settings.camera_hardware_decoding,
                on_demand=live and camera.fps <= KEY_FRAMES_FPS,
                limits=limits,
            ),
            jpeg_quality=settings.camera_jpeg_quality,
            deadline_s=settings.live_deadline_s,
            limits=limits,
            ended_files=self._ended_files if not live and is_file(camera.url.get_secret_value()) else None,
        )
