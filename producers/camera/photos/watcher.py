"""The thread of a watched folder: look, wait until a photo is whole, publish it, put it away."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, cast

import cv2
import numpy as np

from producers.camera.capture.thread import CameraThread
from producers.camera.capture.view import View
from producers.camera.counters import CameraCounters
from producers.camera.photos.after import Afterwards
from producers.camera.photos.folder import DroppedFile, Folder
from producers.camera.photos.known import KnownPhotos, Memory
from producers.camera.photos.outlet import PhotoOutlet
from producers.camera.publish.slots import EncodedFrame
from producers.camera.sources.arrays import encode_jpeg
from producers.camera.sources.opening import file_path
from producers.camera.sources.source import BgrImage
from sightline.errors import BadImageError, BrokerUnavailableError, SourceError
from sightline.images.conversion import opaque
from sightline.images.header import ImageLimits, check_image
from sightline.submission.jobs import AHEAD, NewFrame
from sightline.types import FrameRef
from storage.cameras import Camera

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
#: A folder of very many files is looked at more rarely: looking takes a tenth of the time at most.
_TIMES_OF_LOOK: Final = 10
#: An upload may stall. What is no whole picture after so long a silence will not become one.
PATIENCE_S: Final = 60.0


class FolderWatcher(CameraThread[PhotoOutlet]):
    """Every photo of the folder counts: neither a rate nor the motion gate leaves one out."""

    def __init__(
        self,
        camera: Camera,
        outlet: PhotoOutlet,
        counters: CameraCounters,
        photos: KnownPhotos,
        *,
        jpeg_quality: int,
        limits: ImageLimits,
    ) -> None:
        super().__init__(camera, outlet, counters)
        self._photos = photos
        self._jpeg_quality = jpeg_quality
        self._limits = limits
        self._view = View.of_camera(camera)
        self._failed: dict[str, str] = {}  #: by place: the edition that was no whole picture when it was looked at

    def _work(self) -> bool:
        path = file_path(self._url)
        folder, memory = Folder(path), Memory(self.camera.camera_id, self._photos)
        afterwards = Afterwards(path, self.camera.after_reading)
        while not self._stop.is_set():
            began_s = time.monotonic()
            files = folder.settled(began_s, memory.has)
            looked_s = time.monotonic() - began_s
            self._counters.set_state("running")
            self._backoff.reset()
            for file in files:
                if not self._stop.is_set() and self._is_due(file):
                    self._take(file, memory, afterwards)
            memory.keep_only(folder.places)
            self._failed = {place: edition for place, edition in self._failed.items() if place in folder.places}
            self._stop.wait(max(LOOK_EVERY_S, _TIMES_OF_LOOK * looked_s))
        return False

    def _is_due(self, file: DroppedFile) -> bool:
        """One that was no picture is looked at once more, when its patience is over."""
        return self._failed.get(file.place) != file.edition or file.quiet_s >= PATIENCE_S

    def _take(self, file: DroppedFile, memory: Memory, afterwards: Afterwards) -> None:
        try:
            frame = self._frame(file)
        except FileNotFoundError:
            return
        except (BadImageError, SourceError, OSError) as error:
            if file.quiet_s < PATIENCE_S:
                self._failed[file.place] = file.edition
            else:
                self._set_aside(file, _why(error), memory, afterwards)
            return
        self._counters.count_read()
        self._counters.count_sampled()
        if self.outlet.publish(frame):
            self._put_away(file, memory, lambda: afterwards.of_read(file))

    def _set_aside(self, file: DroppedFile, why: str, memory: Memory, afterwards: Afterwards) -> None:
        said = f"{file.name}: {why}"
        log.warning("camera %s: unreadable: %s", self.camera.camera_id, said)
        self._counters.count_read()
        self._counters.count_unreadable()
        self._counters.note_error(said)
        self._put_away(file, memory, lambda: afterwards.of_unreadable(file, why))

    def _put_away(self, file: DroppedFile, memory: Memory, put_away: Callable[[], bool]) -> None:
        try:
            if put_away():
                return
        except SourceError as error:  # not read again, wherever it lies
            log.warning("camera %s: %s", self.camera.camera_id, error)
            self._counters.note_error(str(error))
        try:
            memory.add(file)
        except BrokerUnavailableError as error:  # it would be read again, after a restart, for nothing but work
            log.warning("camera %s: that %s was read could not be noted: %s", self.camera.camera_id, file.name, error)

    def _frame(self, file: DroppedFile) -> EncodedFrame:
        """The photo as it is, or as its camera's view wants it. Raises what is wrong with it."""
        if file.size > self._limits.max_mb * 1e6:
            raise BadImageError(f"{file.size / 1e6:.1f} MB, at most {self._limits.max_mb:g} MB are accepted")
        data = file.path.read_bytes()
        is_future = file.written_at > datetime.now(UTC) + AHEAD
        photo = NewFrame.photo(data, file.name, limits=self._limits, modified_at=None if is_future else file.written_at)
        check_image(photo.data, max_mb=self._limits.max_mb, max_mpx=self._limits.max_mpx)
        ref = FrameRef(
            frame_id=photo.frame_id(self.camera.camera_id, self.camera.pipeline),
            source_id=self.camera.camera_id,
            captured_at=photo.captured_at,
            name=file.name[-255:],
            time_from=photo.time_from,
        )
        return EncodedFrame(ref, self._viewed(photo.data))

    def _viewed(self, data: bytes) -> bytes:
        if not self.camera.rotation and not self.camera.looked_at:
            return data
        shown = opaque(data, self._limits)
        image = cv2.imdecode(np.frombuffer(shown, np.uint8), cv2.IMREAD_COLOR)  # upright, as its EXIF says
        if image is None:
            raise SourceError("the picture could not be decoded")
        return encode_jpeg(self._view.apply(cast("BgrImage", image)), self._jpeg_quality, self._limits)


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).removeprefix("image: ")
