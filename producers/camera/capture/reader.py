"""A stream or a file: read, sample, gate, encode, put."""

from __future__ import annotations

import logging
import time

from producers.camera.capture.health import Health
from producers.camera.capture.main_stream import MainStream, OpenSource
from producers.camera.capture.motion import GRAY_WIDTH, MotionGate
from producers.camera.capture.thread import CameraThread
from producers.camera.capture.view import View
from producers.camera.counters import CameraCounters
from producers.camera.publish.archive import EndedFiles
from producers.camera.publish.budget import Budget
from producers.camera.publish.slots import EncodedFrame, Outlet
from producers.camera.sources.arrays import encode_jpeg
from producers.camera.sources.files import file_edition
from producers.camera.sources.opening import file_path, is_file, open_source
from producers.camera.sources.sampling import KeyFrameSampler
from producers.camera.sources.source import BgrImage, Grab, Source, SourceOptions
from sightline.errors import BrokerUnavailableError, SourceError
from sightline.ids import content_id, new_id
from sightline.images.header import ImageLimits
from sightline.submission.sequences import LIVE
from sightline.types import FrameRef
from sightline.video.sampler import Sampler
from storage.cameras import Camera

log = logging.getLogger(__name__)

#: Frames came for so long: the next trouble is a new one, and the first retry comes quickly.
GOOD_RUN_S = 10.0
#: A file that was read to its end is looked at again and again, for another one in its place.
LOOK_AGAIN_S = 2.0


class Reader(CameraThread[Outlet]):
    """Reads a stream or a file. Of a camera with two streams it watches the smaller one, and sends of the other."""

    def __init__(
        self,
        camera: Camera,
        outlet: Outlet,
        counters: CameraCounters,
        options: SourceOptions,
        *,
        jpeg_quality: int,
        deadline_s: float,
        limits: ImageLimits | None = None,
        ended_files: EndedFiles | None = None,
        open_source: OpenSource = open_source,
    ) -> None:
        super().__init__(camera, outlet, counters)
        self.budget = Budget(camera.min_fps, camera.fps, deadline_s=deadline_s)
        self._options = options
        self._jpeg_quality = jpeg_quality
        self._limits = limits
        self._ended_files = ended_files
        self._open_source = open_source
        # Names the frames of an archive: a field that changes none of them must not change their names.
        seen = camera.model_copy(update={"enabled": True, "mask": camera.looked_at})
        unnamed = {"min_fps", "after_reading", "zones", "sub_url"} | {
            name for name in ("rotation", "mask") if not getattr(seen, name)
        }
        self._row = seen.model_dump_json(exclude=unnamed) + self._url
        self._view = View.of_camera(camera)
        self._seq = 0
        self._watched = self._urls[-1]
        self._main = self._main_stream() if camera.sub_url is not None else None
        self._sent: Grab | None = None  #: the newest picture of the main stream that was sent

    def start(self) -> None:
        super().start()
        if self._main is not None:
            self._main.start()

    def join(self, timeout_s: float) -> bool:
        ends_at = time.monotonic() + timeout_s
        ended = super().join(timeout_s)
        return (self._main is None or self._main.join(ends_at - time.monotonic())) and ended

    def follow_queue(self, age_s: float | None) -> None:
        """Adapt the rate; `age_s` as in `Budget.look`."""
        self.budget.look(time.monotonic(), age_s, self._counters.refused)

    def _work(self) -> bool:
        edition = self._read_to_the_end()
        if not self._stop.is_set():
            self._counters.set_state("ended")
            log.info("camera %s: the file ended", self.camera.camera_id)
        if not self._waits_for_another_file(edition):
            return False
        log.info("camera %s: the file is another one now", self.camera.camera_id)
        return True

    def _read_to_the_end(self) -> str:
        """What was read. Returns when the source ended by itself or the reader was stopped; raises when it broke."""
        source = self._open_source(self._watched, self._options, self._stop)
        try:
            edition = content_id(self._row, source.edition)
            if self._ended_files is not None and self._ended_files.has(self.camera.camera_id, edition):
                return source.edition
            self.outlet.begin()
            self._read(source, edition)
            if self._stop.is_set():
                return source.edition
            self.outlet.finish()
            if source.shortfall is not None:
                self._counters.note_error(source.shortfall)
            if self._ended_files is not None and not self._stop.is_set():
                self._note_ended(self._ended_files, edition)
            return source.edition
        finally:
            source.close()

    def _waits_for_another_file(self, edition: str) -> bool:
        """Waits until another file lies in the place of the one that ended, whole; False: stopped meanwhile."""
        if self.camera.preset == "live" or not is_file(self._url):
            return False
        path, seen = file_path(self._url), edition
        while not self._stop.wait(LOOK_AGAIN_S):
            try:
                now = file_edition(path)
            except OSError:  # there is none just now
                continue
            if now == seen != edition:  # and it does not grow any more
                return True
            seen = now
        return False

    def _read(self, source: Source, edition: str) -> None:
        sampler = KeyFrameSampler(self.camera.fps) if self._options.on_demand else Sampler(self.camera.fps)
        gate = MotionGate() if self.camera.motion else None
        health = Health() if self.camera.preset == "live" else None
        first_frame_s: float | None = None
        if self.camera.preset == "archive":
            self._seq = 0
        for grab in source.grabs():
            if self._stop.is_set():
                return
            self._counters.count_read()
            self._seq += 1
            if grab.damaged:
                self._counters.count_unreadable()
                self._counters.note_error("a picture arrived damaged")
                continue
            first_frame_s = first_frame_s or time.monotonic()
            if time.monotonic() - first_frame_s > GOOD_RUN_S:
                self._backoff.reset()
            if _takes(sampler, grab):
                self._take(self._view.of(grab), gate, health, source, edition)

    def _take(self, grab: Grab, gate: MotionGate | None, health: Health | None, source: Source, edition: str) -> None:
        self._counters.count_sampled()
        if not self.budget.takes(grab.at_s):
            self._counters.count_thinned()
            return
        try:
            if health is not None and health.wants(grab.at_s):
                self._note_health(health, grab)
            if gate is not None and not self._passes(gate, grab):
                self._counters.count_gated()
                return
            if self._main is not None:
                main = self._main.newest()
                if main is not None and main is self._sent:
                    self._counters.count_dropped("repeated")
                    return
                grab, image = self._best(main, grab)
            else:
                image = grab.bgr()
            jpeg = encode_jpeg(image, self._jpeg_quality, self._limits)
        except SourceError as error:
            self._counters.count_unreadable()
            self._counters.count_dropped("unreadable")
            self._counters.note_error(self._redacted(error))
            return
        live = self.camera.preset == "live"
        ref = FrameRef(
            frame_id=new_id() if live else content_id(edition, f"{grab.at_s:.6f}"),
            source_id=self.camera.camera_id,
            captured_at=grab.captured_at,
            seq=self._seq - 1,
            name=source.name[:255],
            sequence=LIVE,
            time_from="camera" if live else "video",
        )
        self.outlet.put(EncodedFrame(ref, jpeg))

    def _best(self, main: Grab | None, sub: Grab) -> tuple[Grab, BgrImage]:
        """Of the main stream, if it has a whole picture of now. Raises `SourceError`."""
        if main is not None:
            try:
                image = self._view.of(main).bgr()
            except SourceError as error:
                self._counters.note_error(f"main stream: {self._redacted(error)}")
            else:
                self._sent = main
                return main, image
        self._counters.count_from_sub()
        return sub, sub.bgr()

    def _main_stream(self) -> MainStream:
        return MainStream(
            self.camera.camera_id,
            self._url,
            self._options,
            self._stop,
            open_source=self._open_source,
            tell=self._counters.note_error,
        )

    def _passes(self, gate: MotionGate, grab: Grab) -> bool:
        passes = gate.passes(grab.gray(GRAY_WIDTH), grab.at_s, self.budget.slowdown)
        self.budget.note_motion(gate.moved_at_s)
        return passes

    def _note_health(self, health: Health, grab: Grab) -> None:
        health.look(grab.gray(GRAY_WIDTH), grab.at_s)
        condition = health.condition or ("sub_only" if self._main is not None and self._main.is_away else None)
        if condition != self._counters.condition:
            log.warning("camera %s: %s", self.camera.camera_id, condition or "sees again")
            self._counters.condition = condition

    def _note_ended(self, ended_files: EndedFiles, edition: str) -> None:
        try:
            ended_files.add(self.camera.camera_id, edition)
        except BrokerUnavailableError as error:  # the file would be read again, after a restart, for nothing but work
            log.warning("camera %s: that its file was read could not be noted: %s", self.camera.camera_id, error)


def _takes(sampler: Sampler | KeyFrameSampler, grab: Grab) -> bool:
    if isinstance(sampler, KeyFrameSampler):
        return sampler.takes(grab.at_s, is_key=grab.is_key)
    return sampler.takes(grab.at_s)
