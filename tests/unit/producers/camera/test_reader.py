"""One camera thread, with scripted sources, and with clips for the archive."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from producers.camera.capture import reader as reader_module
from producers.camera.capture import thread as thread_module
from producers.camera.capture.reader import Reader
from producers.camera.counters import CameraCounters
from producers.camera.publish.archive import ArchiveOutlet
from producers.camera.publish.slots import EncodedFrame, LiveSlot
from producers.camera.sources.arrays import encode_jpeg
from producers.camera.sources.sampling import Backoff
from producers.camera.sources.source import SourceOptions
from sightline.errors import BacklogFullError, BrokerUnavailableError, SourceError, StoreUnavailableError
from sightline.ids import content_id
from sightline.images.header import ImageLimits, check_image
from sightline.types import Lane
from storage.cameras import Camera
from tests.cameras import FakePublisher, camera, picture, wait_until, write_clip
from tests.videos import cut_off, make_video


@dataclass
class Still:
    """A grab."""

    at_s: float
    captured_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    broken: bool = False
    damaged: bool = False
    image: Any = None

    def gray(self, width: int) -> Any:
        return cv2.cvtColor(cv2.resize(self.bgr(), (width, 120)), cv2.COLOR_BGR2GRAY)

    def bgr(self) -> Any:
        if self.broken:
            raise SourceError("a frame could not be decoded")
        return picture(0) if self.image is None else self.image


class Script:
    """A source that plays one step per opening: grabs, or an exception, at opening or after the grabs."""

    edition, name, shortfall = "1", "script", None

    def __init__(self, *openings: list[Still | Exception]) -> None:
        self.openings = list(openings)
        self.opened = 0
        self.closed = 0

    def __call__(self, url: str, options: SourceOptions, stop: threading.Event) -> "Script":
        self.opened += 1
        self.stop = stop
        self.steps = self.openings.pop(0) if self.openings else [SourceError("nothing there")]
        if self.steps and isinstance(self.steps[0], Exception):
            raise self.steps[0]
        return self

    def grabs(self) -> Iterator[Any]:
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            yield step

    def close(self) -> None:
        self.closed += 1


class Kept:
    """A slot that keeps every frame."""

    def __init__(self) -> None:
        self.frames: list[EncodedFrame] = []

    def begin(self) -> None: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...
    def put(self, frame: EncodedFrame) -> None:
        self.frames.append(frame)


Start = Callable[..., tuple[Reader, CameraCounters]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(thread_module, "Backoff", lambda: Backoff(0.05, 0.2))
    readers: list[Reader] = []

    def _start(row: Camera, outlet: Any, **options: Any) -> tuple[Reader, CameraCounters]:
        counters = options.pop("counters", CameraCounters())
        reader = Reader(
            row, outlet, counters, SourceOptions(preset=row.preset), jpeg_quality=90, deadline_s=5, **options
        )
        readers.append(reader)
        reader.start()
        return reader, counters

    yield _start
    for reader in readers:
        reader.stop()
    assert all(reader.join(2) for reader in readers)


def test_frames_are_sampled_encoded_and_named(start: Start) -> None:
    kept = Kept()
    script = Script([Still(n / 25) for n in range(25)])
    _, counters = start(camera(fps=5), kept, open_source=script)
    wait_until(lambda: counters.status().state == "ended")
    status = counters.status()
    assert (status.frames_read, status.sampled) == (25, 5)
    refs = [frame.ref for frame in kept.frames]
    assert {(ref.source_id, ref.name) for ref in refs} == {("gate", "script")}
    assert {(ref.sequence, ref.time_from) for ref in refs} == {("live", "camera")}
    assert [ref.seq for ref in refs] == [0, 5, 10, 15, 20]
    assert len({ref.frame_id for ref in refs}) == 5
    image = cv2.imdecode(np.frombuffer(kept.frames[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert np.abs(image.astype(int) - picture(0)).mean() < 2
    assert script.closed == 1


def test_pictures_are_sent_upright_and_what_is_outside_of_the_mask_moves_nobody(start: Start) -> None:
    kept = Kept()
    upper = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.3), (0.0, 0.3))  # the box moves below
    film: list[Still | Exception] = [Still(n / 10, image=np.rot90(picture(n))) for n in range(40)]
    _, counters = start(camera(motion=True, rotation=90, mask=(upper,)), kept, open_source=Script(film))
    wait_until(lambda: counters.status().state == "ended")
    assert 1 <= len(kept.frames) <= 12
    image = cv2.imdecode(np.frombuffer(kept.frames[-1].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (240, 320, 3)
    assert image[:60].min() > 60
    assert image[90:].max() < 30


def test_a_still_scene_is_gated(start: Start) -> None:
    kept = Kept()
    _, counters = start(camera(motion=True), kept, open_source=Script([Still(n / 10) for n in range(40)]))
    wait_until(lambda: counters.status().state == "ended")
    assert counters.status().gated + len(kept.frames) == counters.status().sampled == 40
    assert 1 <= len(kept.frames) <= 12


def test_a_still_scene_costs_little_where_the_rate_may_fall(start: Start) -> None:
    """Two minutes: the first second, then a heartbeat of 5 s; after ten seconds, at a fifth of the rate, of 25 s."""
    sent: list[int] = []
    for min_fps in (None, 2.0):
        kept = Kept()
        row = camera(motion=True, min_fps=min_fps)
        _, counters = start(row, kept, open_source=Script([Still(n / 10) for n in range(1200)]))
        wait_until(lambda counters=counters: counters.status().state == "ended", 30)
        status = counters.status()
        assert status.sampled == 1200 == status.thinned + status.gated + len(kept.frames)
        assert status.saved_percent == pytest.approx(100 - len(kept.frames) / 12, abs=0.1)
        assert (status.thinned > 850) == (min_fps is not None)
        sent.append(len(kept.frames))
    assert sent[0] == pytest.approx(11 + 119 / 5, abs=2)
    assert sent[1] <= 11 + 2 + 5


def test_a_lower_limit_that_archives_do_not_have_changes_no_name(start: Start, tmp_path: Path) -> None:
    """Or a file would be read again, under new names, after an update."""
    row = camera(url=write_clip(tmp_path / "clip.mp4"), preset="archive")
    publisher, counters = FakePublisher(), CameraCounters()
    start(row, ArchiveOutlet(row.pipeline, publisher, counters), counters=counters)
    wait_until(lambda: counters.status().state == "ended")
    file = Path(row.url.get_secret_value()).stat()
    text = (
        '{"camera_id":"gate","url":"**********","pipeline":"plates","fps":10.0,"preset":"archive","motion":false,'
        f'"enabled":true,"loop":false}}{row.url.get_secret_value()}'
    )
    edition = content_id(text, f"{file.st_size}:{file.st_mtime_ns}")
    assert publisher.frames[0].frame_id == content_id(edition, "0.000000")


def test_it_reconnects_and_goes_on_counting(start: Start) -> None:
    script = Script(
        [Still(0), SourceError("reset by peer")], [SourceError("refused")], [Still(0), SourceError("reset by peer")]
    )
    kept = Kept()
    _, counters = start(camera(), kept, open_source=script)
    wait_until(lambda: counters.status().frames_read == 2)
    wait_until(lambda: counters.status().state == "reconnecting")
    assert [frame.ref.seq for frame in kept.frames] == [0, 1]
    assert script.closed >= 2


def test_errors_never_show_the_password(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    url = "rtsp://admin:my s3cret@cam/ch1"
    script = Script([SourceError(f"cannot open {url!r}")], [RuntimeError(f"odd: {url}")])
    _, counters = start(camera(url=url), Kept(), open_source=script)
    wait_until(lambda: script.opened >= 3)
    assert "rtsp://***@cam/ch1" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "s3cret" not in caplog.text + str(counters.status())


def test_a_frame_that_cannot_be_decoded_is_counted_and_the_next_one_read(start: Start) -> None:
    kept = Kept()
    _, counters = start(camera(), kept, open_source=Script([Still(0), Still(1, broken=True), Still(2)]))
    wait_until(lambda: counters.status().state == "ended")
    assert (counters.status().dropped, counters.status().unreadable) == ({"unreadable": 1}, 1)
    assert [frame.ref.seq for frame in kept.frames] == [0, 2]


def test_damaged_frames_are_counted_and_the_next_good_one_is_taken(start: Start) -> None:
    kept = Kept()
    script = Script([Still(0), Still(1, damaged=True), Still(1.1), Still(2)])
    _, counters = start(camera(fps=1.0), kept, open_source=script)
    wait_until(lambda: counters.status().state == "ended")
    status = counters.status()
    assert (status.frames_read, status.unreadable, status.sampled, status.dropped) == (4, 1, 3, {})
    assert [frame.ref.seq for frame in kept.frames] == [0, 2, 3]
    assert status.last_error == "a picture arrived damaged"


def test_a_picture_above_the_limits_is_sent_as_good_as_fits(start: Start) -> None:
    kept = Kept()
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    script = Script([Still(0, image=noise), Still(1, image=noise)])
    start(camera(), kept, open_source=script, limits=ImageLimits(max_mb=0.12, max_mpx=50))
    wait_until(lambda: len(kept.frames) == 2)
    assert all(len(frame.jpeg) <= 120_000 for frame in kept.frames)
    image = cv2.imdecode(np.frombuffer(kept.frames[0].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == noise.shape
    assert encode_jpeg(noise, 90, ImageLimits(max_mb=20, max_mpx=50)) == encode_jpeg(noise, 90)
    small = encode_jpeg(noise, 90, ImageLimits(max_mb=20, max_mpx=0.1))
    assert check_image(small, max_mb=20, max_mpx=0.1).width == 365
    assert len(encode_jpeg(noise, 90, ImageLimits(max_mb=0.01, max_mpx=50))) <= 10_000


def test_a_stopped_reader_publishes_nothing_more(start: Start) -> None:
    counters = CameraCounters()
    slot = LiveSlot(camera().pipeline, counters, threading.Event())
    endless = [Still(n) for n in range(100_000)]
    reader, _ = start(camera(), slot, counters=counters, open_source=Script(endless))
    wait_until(slot.take)
    reader.stop()
    assert reader.join(1)
    assert slot.take() is None
    status = counters.status()
    assert status.sampled == sum(status.dropped.values()) + 1


def archive(start: Start, publisher: FakePublisher, url: object, **changes: Any) -> tuple[Reader, CameraCounters]:
    row = camera(url=url, preset="archive", **changes)
    counters = CameraCounters()
    return start(row, ArchiveOutlet(row.pipeline, publisher, counters), counters=counters)


def test_archive_publishes_every_frame_in_bulk_without_deadline(start: Start, tmp_path: Path) -> None:
    publisher = FakePublisher()
    _, counters = archive(start, publisher, write_clip(tmp_path / "clip.mp4", seconds=4))
    wait_until(lambda: counters.status().state == "ended")
    assert [len(job.frames) for job in publisher.jobs] == [16, 16, 8]
    assert {(job.lane, job.deadline_at) for job in publisher.jobs} == {(Lane.BULK, None)}
    assert [frame.seq for frame in publisher.frames] == list(range(40))
    assert publisher.frames[0].name == "clip.mp4"
    assert counters.status().published == counters.status().sampled == 40


def test_archive_waits_and_tries_again_with_the_same_ids(start: Start, tmp_path: Path) -> None:
    publisher = FakePublisher()
    publisher.trouble = [
        BacklogFullError("full", source_id="gate", retry_after_s=0.05),
        BrokerUnavailableError("down", retry_after_s=0.05),
        StoreUnavailableError("down", retry_after_s=0.05),
    ]
    _, counters = archive(start, publisher, write_clip(tmp_path / "clip.mp4", seconds=2))
    wait_until(lambda: counters.status().state == "ended")
    assert len({job.model_dump_json() for job in publisher.attempts[:4]}) == 1
    assert counters.status().published == 20
    assert counters.status().dropped == {}


def test_archive_reads_no_further_while_it_waits_and_stops_at_once(start: Start, tmp_path: Path) -> None:
    publisher = FakePublisher()
    publisher.trouble = [BacklogFullError("full", source_id="gate", retry_after_s=60)] * 9
    reader, counters = archive(start, publisher, write_clip(tmp_path / "clip.mp4", seconds=4))
    wait_until(lambda: publisher.attempts)
    time.sleep(0.2)
    assert counters.status().sampled == 16
    assert counters.status().last_error == "full"
    reader.stop()
    assert reader.join(1)
    assert publisher.jobs == []


def test_a_file_read_again_gives_the_same_jobs(start: Start, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.mp4", seconds=4)
    runs: list[list[Any]] = []
    for changes in ({}, {}, {"fps": 5.0}):
        publisher = FakePublisher()
        _, counters = archive(start, publisher, clip, **changes)
        wait_until(lambda counters=counters: counters.status().state == "ended")
        runs.append([(job.job_id, job.frames) for job in publisher.jobs])
    assert runs[0] == runs[1]
    assert not {job_id for job_id, _ in runs[0]} & {job_id for job_id, _ in runs[2]}


def test_a_file_that_took_the_place_of_one_that_ended_is_read(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "LOOK_AGAIN_S", 0.05)
    publisher, clip = FakePublisher(), write_clip(tmp_path / "clip.mp4", seconds=2)
    _, counters = archive(start, publisher, clip)
    wait_until(lambda: counters.status().state == "ended")
    assert counters.status().published == 20
    clip.unlink()
    time.sleep(0.2)
    assert counters.status().state == "ended"
    write_clip(clip, seconds=3)
    wait_until(lambda: counters.status().published == 50)
    wait_until(lambda: counters.status().state == "ended")
    time.sleep(0.2)
    assert counters.status().published == 50
    assert len({frame.frame_id for frame in publisher.frames}) == 50


def test_joined_files_give_every_frame_its_own_id(start: Start, tmp_path: Path) -> None:
    joined = make_video(tmp_path / "joined.ts")
    joined.write_bytes(joined.read_bytes() * 2)
    runs: list[list[str]] = []
    for _ in range(2):
        publisher = FakePublisher()
        _, counters = archive(start, publisher, joined)
        wait_until(lambda counters=counters: counters.status().state == "ended")
        runs.append([frame.frame_id for frame in publisher.frames])
    assert len(set(runs[0])) == 40
    assert runs[0] == runs[1]


def test_of_a_file_that_is_cut_off_the_camera_says_where(start: Start, tmp_path: Path) -> None:
    publisher = FakePublisher()
    _, counters = archive(start, publisher, cut_off(make_video(tmp_path / "a.mkv", frames=80), 0.6))
    wait_until(lambda: counters.status().state == "ended")
    assert counters.status().published > 20
    assert "of 0:08.0: the file is cut off or damaged there" in (counters.status().last_error or "")
