import contextlib
import functools
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from producers.camera.sources.opening import open_source
from producers.camera.sources.source import Source, SourceOptions
from sightline.errors import SourceError
from sightline.video import picture as picture_module
from tests.cameras import picture, write_clip
from tests.videos import cut_off, damage_packet, make_video

ARCHIVE = SourceOptions(preset="archive")
HLS = {"hls_time": "4", "hls_list_size": "0"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=1, fps=10)


_open: list[Source] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _open:
        _open.pop().close()


def opened(url: object, options: SourceOptions = ARCHIVE, stop: threading.Event | None = None) -> Source:
    """It is closed at the end of the test."""
    _open.append(open_source(str(url), options, stop or threading.Event()))
    return _open[-1]


def test_archive_file_gives_every_frame_at_once(clip: Path) -> None:
    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise AssertionError(f"waits {timeout} s")

    grabs = list(opened(str(clip), ARCHIVE, Impatient()).grabs())
    assert [grab.at_s for grab in grabs] == pytest.approx([n / 10 for n in range(10)])


def test_pixels_are_upright_bgr_and_a_small_gray_image(clip: Path) -> None:
    grab = next(iter(opened(clip.as_uri()).grabs()))
    image = grab.bgr()
    assert image.shape == (240, 320, 3)
    assert np.abs(image.astype(int) - picture(0)).mean() < 3
    assert grab.gray(160).shape == (120, 160)


def test_archive_times_count_from_the_recording_as_the_file_says(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", metadata={"creation_time": "2026-03-01T12:00:00.000000Z"})
    times = [grab.captured_at for grab in opened(clip).grabs()]
    assert times[0] == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert times[-1] - times[0] == timedelta(seconds=1.9)


def test_archive_times_end_at_the_last_write_of_a_file_that_says_nothing(clip: Path) -> None:
    times = [grab.captured_at for grab in opened(clip).grabs()]
    assert times[-1].timestamp() == pytest.approx(clip.stat().st_mtime - 0.1, abs=0.01)


def test_live_file_plays_at_its_own_speed(clip: Path) -> None:
    started = time.monotonic()
    grabs = list(opened(clip, SourceOptions(preset="live")).grabs())
    assert time.monotonic() - started > 0.85
    assert time.time() - grabs[-1].captured_at.timestamp() < 60


def test_a_paced_file_stops_at_once(clip: Path) -> None:
    stop = threading.Event()
    grabs = opened(str(clip), SourceOptions(preset="live", loop=True), stop).grabs()
    next(grabs)
    next(grabs)
    stop.set()
    assert len(list(grabs)) <= 1


def test_loop_goes_on_with_growing_time_stamps(clip: Path) -> None:
    grabs = opened(clip, SourceOptions(preset="archive", loop=True)).grabs()
    stamps = [next(grabs).at_s for _ in range(25)]
    assert stamps == pytest.approx([n / 10 for n in range(25)])


@pytest.mark.parametrize(
    "url", ["ftp://user:s3cret@cam/x", "rtsp://user:s3cret@127.0.0.1:1/x", "http://user:s3cret@127.0.0.1:1/"]
)
def test_errors_hide_the_password(url: str) -> None:
    with pytest.raises(SourceError, match=r"\*\*\*@") as error:
        opened(url)
    assert "s3cret" not in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        opened(tmp_path / "missing.mp4")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no video")
    with pytest.raises(SourceError, match=r"broken\.mp4"):
        opened(broken)


def test_a_server_that_accepts_and_says_nothing_costs_the_open_time_out() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(SourceError, match=r"did not open within 0\.5 s"),
    ):
        opened(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x", SourceOptions(open_timeout_s=0.5))


def test_pictures_of_a_phone_held_upright_are_turned(tmp_path: Path) -> None:
    grab = next(iter(opened(make_video(tmp_path / "phone.mp4", rotation=90)).grabs()))
    assert np.abs(grab.bgr().astype(int) - np.rot90(picture(0))).mean() < 3


def test_damaged_pictures_are_told_and_the_file_read_on(tmp_path: Path) -> None:
    path = damage_packet(make_video(tmp_path / "a.mkv", frames=60), 25)
    source = opened(path)
    damaged = [grab.damaged for grab in source.grabs()]
    assert (len(damaged), damaged.index(True), sum(damaged), source.shortfall) == (60, 25, 1, None)


def test_a_file_that_is_cut_off_ends_and_says_where(tmp_path: Path) -> None:
    source = opened(cut_off(make_video(tmp_path / "a.mkv", frames=80), 0.6))
    assert len(list(source.grabs())) > 20
    assert source.shortfall is not None
    assert " of 0:08.0: the file is cut off or damaged there" in source.shortfall


class _Waits(threading.Event):
    """Nobody stops, and nobody waits: how long is noted."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.seconds.append(timeout)
        return False


def test_a_live_file_whose_stamps_jump_two_hours_never_waits_for_them(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", stamp=lambda index: index + (72_000 if index >= 10 else 0))
    waits = _Waits()
    assert len(list(opened(str(path), SourceOptions(), waits).grabs())) == 20
    assert max(waits.seconds) <= 2


class _Mjpeg(BaseHTTPRequestHandler):
    """Ten pictures, then silence."""

    silence = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        for index in range(10):
            jpeg = cv2.imencode(".jpg", picture(index))[1].tobytes()
            if self.path == "/cut" and index % 2:
                jpeg = jpeg[: int(len(jpeg) * 0.4)]
            boundary = b"" if self.path == "/no-boundary" and not index else b"--frame\r\n"
            kind = b"" if self.path == "/no-type" else b"Content-Type: image/jpeg\r\n"
            self.wfile.write(boundary + kind + b"Content-Length: %d\r\n\r\n" % len(jpeg) + jpeg + b"\r\n")
            time.sleep(0.05)
        if self.path == "/silent":
            self.silence.wait(10)

    def log_message(self, *_: object) -> None: ...


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def mjpeg_url() -> Iterator[str]:
    _Mjpeg.silence.clear()
    with HTTPServer(("127.0.0.1", 0), _Mjpeg) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        _Mjpeg.silence.set()
        server.shutdown()
        thread.join(5)


def test_mjpeg_over_http_ends_with_an_error_so_that_it_is_opened_again(mjpeg_url: str) -> None:
    source = opened(mjpeg_url, SourceOptions())
    stamps: list[float] = []
    with pytest.raises(SourceError):
        stamps.extend(grab.at_s for grab in source.grabs() if grab.bgr().shape == (240, 320, 3))
    assert len(stamps) >= 9
    assert 0.2 < stamps[-1] - stamps[0] < 2


@pytest.mark.parametrize("path", ["no-boundary", "no-type"])
def test_mjpeg_of_cheap_cameras_plays(mjpeg_url: str, path: str) -> None:
    images: list[Any] = []
    with pytest.raises(SourceError):
        images.extend(grab.bgr() for grab in opened(f"{mjpeg_url}/{path}", SourceOptions()).grabs())
    assert len(images) >= 9
    assert np.abs(images[0].astype(int) - picture(0)).mean() < 3


def test_a_cut_off_picture_of_live_mjpeg_is_unreadable(mjpeg_url: str) -> None:
    grabs = opened(f"{mjpeg_url}/cut", SourceOptions()).grabs()
    for _ in range(4):
        assert np.abs(next(grabs).bgr().astype(int) - picture(0)).mean() < 30
        with pytest.raises(SourceError, match="could not be decoded"):
            next(grabs).bgr()


@contextlib.contextmanager
def served(folder: Path, handler: type[SimpleHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)


def test_a_live_file_over_http_is_played_at_the_speed_of_time(clip: Path) -> None:
    waits = _Waits()
    with served(clip.parent, _Quiet) as url:
        grabs = opened(f"{url}/{clip.name}", SourceOptions(), waits).grabs()
        stamps: list[float] = []
        with pytest.raises(SourceError, match="the stream ended"):
            stamps.extend(grab.at_s for grab in grabs)
    assert [at_s - stamps[0] for at_s in stamps] == pytest.approx([n / 10 for n in range(10)])
    assert max(waits.seconds) > 0.5  # for the last, had nobody waited for the ones before


def test_a_stream_that_runs_ahead_of_time_is_held_back(tmp_path: Path) -> None:
    """A file whose length nobody knows: the server cannot say what is at its end."""
    make_video(tmp_path / "a.ts", frames=100)
    waits = _Waits()
    with served(tmp_path, _Quiet) as url, pytest.raises(SourceError, match="the stream ended"):
        for _ in opened(f"{url}/a.ts", SourceOptions(), waits).grabs():
            pass
    assert 60 < len(waits.seconds) < 75  # three seconds may come at once
    assert max(waits.seconds) > 4


def test_pieces_of_a_live_stream_are_played_at_the_speed_of_time(tmp_path: Path) -> None:
    """HLS: four seconds of pictures arrive in one moment."""
    make_video(tmp_path / "live.m3u8", frames=40, fps=5, format="hls", container_options=HLS)
    waits = _Waits()
    with served(tmp_path, _Quiet) as url:
        grabs = opened(f"{url}/live.m3u8", SourceOptions(), waits).grabs()
        stamps: list[float] = []
        with pytest.raises(SourceError, match="the stream ended"):
            stamps.extend(grab.at_s for grab in grabs)
    assert [at_s - stamps[0] for at_s in stamps] == pytest.approx([n / 5 for n in range(40)], abs=0.01)
    assert max(waits.seconds) > 6


class _Refusing(_Quiet):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_error(int(self.path.strip("/")))


def test_errors_are_told_with_their_cure(tmp_path: Path) -> None:
    with served(tmp_path, _Refusing) as url:
        for address, words in (
            (f"{url}/401", "it wants a user name and a password (401): write user:password@ in front of the host"),
            (f"{url}/401".replace("//", "//admin:s3cret@"), "user name or password is wrong (401)"),
            (f"{url}/403", "it refuses this user (403)"),
            (f"{url}/404", "there is no such stream there (404); look up its path in the camera's manual"),
            (f"{url}/503", "it answers with an error of its own (5xx)"),
            ("rtsp://admin:s3cret@127.0.0.1:1/x", "nothing answers at this port; is the port right"),
            ("rtsp://no-such-camera.invalid/x", "the name 'no-such-camera.invalid' is not known"),
        ):
            with pytest.raises(SourceError) as error:
                opened(address, SourceOptions())
            assert words in str(error.value)
            assert "s3cret" not in str(error.value)


def test_a_page_is_no_camera(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html><body>Log in</body></html>" * 100)
    with served(tmp_path, _Quiet) as url, pytest.raises(SourceError, match="comes from there is no video that can be"):
        opened(f"{url}/index.html", SourceOptions())


def test_archive_over_http_ends_and_counts_its_times_from_the_opening(clip: Path) -> None:
    with served(clip.parent, _Quiet) as url:
        times = [grab.captured_at for grab in opened(f"{url}/{clip.name}").grabs()]
    assert times[0].timestamp() == pytest.approx(time.time(), abs=2)
    assert [(at - times[0]).total_seconds() for at in times] == pytest.approx([n / 10 for n in range(10)])


def test_mjpeg_that_falls_silent_costs_the_read_time_out(mjpeg_url: str) -> None:
    source = opened(f"{mjpeg_url}/silent", SourceOptions(read_timeout_s=0.5))
    with pytest.raises(SourceError, match=r"silent for 0\.5 s"):
        for _ in source.grabs():
            pass
    source.close()


def test_mjpeg_frames_nobody_asks_for_are_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Any] = []
    decode = picture_module._decode_alone
    monkeypatch.setattr(picture_module, "_decode_alone", lambda packet: decoded.append(packet) or decode(packet))
    grabs = opened(write_clip(tmp_path / "clip.avi", seconds=1, codec="mjpeg")).grabs()
    images = [grab.bgr() for index, grab in enumerate(grabs) if index % 5 == 0]
    assert [image.shape for image in images] == [(240, 320, 3)] * 2
    assert len(decoded) == 1  # but for the first, which says whether they are interlaced
