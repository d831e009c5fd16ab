"""Which files are submitted, and which frames a video gives."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sightline.client.images import read_image
from sightline.errors import BadImageError, SourceError
from sightline.images.header import ImageLimits, check_image
from sightline.settings import load_settings
from sightline.submission.files import find_files, read_frames
from sightline.submission.jobs import NewFrame, make_job
from sightline.submission.sounds import read_sound
from sightline.submission.texts import read_text
from sightline.video.report import VideoReport
from tests.cameras import picture
from tests.exif import photo
from tests.picture_kinds import KINDS, encoded, looks_drawn
from tests.videos import cut_off, damage_packet, lose_packets, make_jpegs, make_sound, make_video

LIMITS = ImageLimits(max_mb=20, max_mpx=50)


def read(path: Path, *, fps: float = 10, limits: ImageLimits = LIMITS) -> tuple[list[NewFrame], VideoReport]:
    report = VideoReport()
    return list(read_frames(path, fps=fps, limits=limits, report=report)), report


def jpeg_of(image: npt.NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".jpg", image)[1].tobytes()


def decoded(jpeg: bytes) -> npt.NDArray[np.int64]:
    with av.open(BytesIO(jpeg)) as container:
        return next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int)


def test_a_folder_gives_its_photos_and_videos_whatever_their_names(tmp_path: Path) -> None:
    wanted = {
        make_video(tmp_path / "a.mp4"),
        make_video(tmp_path / "gate: 100 %d.mts", format="mpegts"),
        make_video(tmp_path / "recording", format="mp4"),
        make_video(tmp_path / "recording.part2", format="matroska"),
        make_video(tmp_path / "really_a_video.jpg", format="mp4"),
    }
    for name in ("car.jpg", "car_without_suffix"):
        (tmp_path / name).write_bytes(photo())
        wanted.add(tmp_path / name)
    for suffix in KINDS:
        (tmp_path / f"phone{suffix}").write_bytes(encoded(suffix))
        (tmp_path / f"really_{suffix[1:]}.txt").write_bytes(encoded(suffix))
        wanted |= {tmp_path / f"phone{suffix}", tmp_path / f"really_{suffix[1:]}.txt"}
    make_sound(tmp_path / "voice.m4a")
    make_video(tmp_path / "list.m3u8", format="hls").unlink()
    wanted |= set(tmp_path.glob("*.ts"))
    for name, data in (
        ("notes.txt", b"no picture\n" * 50),
        ("empty", b""),
        ("._a.mp4", b"\0\5\x16\7"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:2,\nlist0.ts\n#EXT-X-ENDLIST\n"),
    ):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    assert set(find_files([tmp_path])) == wanted


def test_a_video_gives_its_frames_by_its_content_and_in_its_time(tmp_path: Path) -> None:
    tags = {"creation_time": "2026-03-01T12:00:00+02:00"}
    path = make_video(tmp_path / "really_a_video.jpg", format="mp4", metadata=tags, rotation=90)
    frames, report = read(path, fps=5)
    start = datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert [frame.captured_at - start for frame in frames] == [timedelta(seconds=n / 5) for n in range(10)]
    assert {(frame.name, frame.time_from) for frame in frames} == {("really_a_video.jpg", "video")}
    assert str(report) == "10 frames"
    assert np.abs(decoded(frames[0].data) - np.rot90(picture(0))).mean() < 3


def test_a_video_that_says_nothing_of_its_time_began_when_its_file_was_written(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.ts", stamp=lambda index: index + 950_000)
    written_at = datetime(2026, 2, 1, tzinfo=UTC)
    os.utime(path, (written_at.timestamp(),) * 2)
    frames, _ = read(path)
    assert [frame.captured_at for frame in frames] == [written_at + timedelta(seconds=n / 10) for n in range(20)]


def test_a_photo_is_passed_on_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "really_a_photo.mp4"
    path.write_bytes(photo())
    (frame,), report = read(path)
    assert (frame.data, frame.position_s, report.frames) == (photo(), None, 0)


@pytest.mark.parametrize("name", ["joined.ts", "broken.mkv", "broken.avi", "cut.mkv", "lossy.ts"])
def test_the_same_file_gives_the_same_ids_and_each_frame_its_own(tmp_path: Path, name: str) -> None:
    codec = "mpeg4" if name == "broken.avi" else "libx264"
    path = make_video(tmp_path / name, frames=40, codec=codec, noisy=name == "lossy.ts")
    if name == "joined.ts":
        path.write_bytes(path.read_bytes() * 2)
    elif name == "lossy.ts":
        lose_packets(path, every=200)
    elif name == "cut.mkv":
        cut_off(path, 0.6)
    else:
        damage_packet(path, 20)
    runs: list[list[str]] = []
    for _ in range(2):
        frames, _ = read(path)
        ids = [frame.frame_id("files", "plates") for frame in frames]
        assert len(set(ids)) == len(ids)
        runs.append(ids)
    assert runs[0] == runs[1]
    assert len(runs[0]) == {"joined.ts": 80, "cut.mkv": len(runs[0]), "lossy.ts": len(runs[0])}.get(name, 39)


def test_what_a_network_lost_is_known(tmp_path: Path) -> None:
    frames, report = read(lose_packets(make_video(tmp_path / "a.ts", frames=60, noisy=True), every=200))
    assert report.unreadable >= 5
    assert len(frames) + report.unreadable <= 60


def test_a_name_that_is_no_utf8_is_made_readable(tmp_path: Path) -> None:
    def called(name: bytes) -> Path:
        return Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))

    called(b"bad\xff\xfe.jpg").write_bytes(photo())
    make_video(tmp_path / "a.mkv", frames=3).rename(called(b"n\xe4me.mkv"))
    called(b"n\xe4me.txt").write_text("text")
    called(b"n\xe4me.wav").write_bytes(b"sound")
    files = find_files([tmp_path])
    items = [read(file)[0][0] for file in files]
    items += [read_text(called(b"n\xe4me.txt")), read_sound(called(b"n\xe4me.wav"), 1)]
    assert [item.name for item in items] == ["bad\ufffd\ufffd.jpg", "n\ufffdme.mkv", "n\ufffdme.txt", "n\ufffdme.wav"]
    assert read_image(files[0])[1] == "bad\ufffd\ufffd.jpg"
    job, _ = make_job(items[:2], load_settings(), pipeline="plates", lane="bulk", source_id="files")
    assert [frame.name for frame in job.frames] == ["bad\ufffd\ufffd.jpg", "n\ufffdme.mkv"]


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mov"])
@pytest.mark.parametrize("ending", [b"", b"\xff\xd9", bytes(500)])
def test_a_cut_off_jpeg_is_no_frame_and_never_shows_the_picture_before(
    tmp_path: Path, suffix: str, ending: bytes
) -> None:
    one, other = jpeg_of(picture(0)), jpeg_of(picture(9))
    cut = other[: int(len(other) * 0.4)] + ending
    frames, report = read(make_jpegs(tmp_path / f"a{suffix}", [one] * 6 + [cut] * 6))
    assert str(report) == "6 frames, 6 unreadable from 0:00.6 to 0:01.1"
    assert all(np.abs(decoded(frame.data) - picture(0)).mean() < 3 for frame in frames)
    frames, report = read(make_jpegs(tmp_path / f"b{suffix}", [cut] * 6 + [one] * 6))
    assert str(report) == "6 frames, 6 unreadable from 0:00.0 to 0:00.5"


@pytest.mark.parametrize("rest", [bytes(500), b"\xff" * 100, b"\r\n--frame\r\n", b"\xff\xd8\xff\xe0 thumbnail"])
def test_what_follows_a_whole_jpeg_costs_nothing(tmp_path: Path, rest: bytes) -> None:
    jpegs = [jpeg_of(picture(index)) for index in range(6)]
    ends = [lambda jpeg: jpeg + rest, lambda jpeg: jpeg[:-2] + rest]  # cheap cameras leave the end marker out
    for number, end in enumerate(ends):
        frames, report = read(make_jpegs(tmp_path / f"{number}.avi", [end(jpeg) for jpeg in jpegs]))
        assert str(report) == "6 frames"
        assert np.abs(decoded(frames[5].data) - picture(5)).mean() < 3


def test_what_became_no_frame_is_told(tmp_path: Path) -> None:
    _, report = read(damage_packet(make_video(tmp_path / "a.mkv", frames=60), 25))
    assert str(report) == "59 frames, 1 unreadable at 0:02.5"
    assert report.as_json() == {
        "frames": 59,
        "unreadable": 1,
        "unreadable_at_s": [2.5],
        "ended_early": None,
        "tracks": None,
    }
    _, report = read(cut_off(make_video(tmp_path / "b.mkv", frames=80), 0.6))
    assert f"{report}".startswith(f"{report.frames} frames; ends at 0:0")
    assert f"{report}".endswith(" of 0:08.0: the file is cut off or damaged there")
    _, report = read(damage_packet(make_video(tmp_path / "c.avi", codec="mjpeg", pix_fmt="yuvj420p"), 5))
    assert str(report) == "19 frames, 1 unreadable at 0:00.5"
    many = VideoReport(frames=7)
    for at_s in range(200):
        many.note_unreadable(float(at_s))
    assert str(many) == "7 frames, 200 unreadable from 0:00.0 to 3:19.0"
    assert len(many.unreadable_at_s) == 100


def test_a_frame_above_the_limits_is_made_to_fit(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8)
    path = tmp_path / "noise.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "bgr0"
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="bgr24")))
        container.mux(stream.encode())
    for limits, size in (
        (ImageLimits(max_mb=0.12, max_mpx=50), (640, 480)),
        (ImageLimits(max_mb=0.01, max_mpx=50), (320, 240)),
        (ImageLimits(max_mb=20, max_mpx=0.1), (365, 273)),
    ):
        frames, _ = read(path, limits=limits)
        assert len(frames) == 3
        info = check_image(frames[0].data, max_mb=limits.max_mb, max_mpx=limits.max_mpx)
        assert (info.width, info.height) == size


def test_sound_alone_is_told_as_what_it_is_whatever_its_name(tmp_path: Path) -> None:
    for path in (make_sound(tmp_path / "voice.mp4"), make_sound(tmp_path / "voice.m4a")):
        with pytest.raises(SourceError, match="there is no picture in it: only sound"):
            read(path)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_photo_of_a_kind_that_workers_do_not_read_becomes_a_jpeg(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"phone{suffix}"
    path.write_bytes(encoded(suffix))
    ((frame,), report) = read(path)
    assert (frame.name, frame.time_from, report.frames) == (path.name, "file", 0)
    assert looks_drawn(frame.data)


def test_a_file_of_another_kind_is_told_as_no_photo(tmp_path: Path) -> None:
    settings = load_settings()
    for name, data in (("a.psd", b"8BPS" + bytes(100)), ("a.jxl", b"\xff\x0a" + bytes(100))):
        (tmp_path / name).write_bytes(data)
        frames, _ = read(tmp_path / name)
        with pytest.raises(BadImageError, match="which is no JPEG, PNG or WebP; convert it first"):
            make_job(frames, settings, pipeline="plates", lane="bulk", source_id="files")
