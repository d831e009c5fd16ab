"""Video files as people have them: read right, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import SourceError
from sightline.video.clock import clock_time
from sightline.video.file import VideoFile
from tests.cameras import picture
from tests.videos import cut_off, damage_packet, make_cover, make_sound, make_tracks, make_video


def read(path: Path, *, frame_threads: bool = True) -> tuple[VideoFile, list[float], list[float]]:
    """The file, read; the positions of its good pictures, and those of the others."""
    file = VideoFile(path, frame_threads=frame_threads)
    good: list[float] = []
    bad: list[float] = []
    for at_s, found in file.pictures():
        (bad if found.damaged else good).append(round(at_s, 3))
    file.close()
    return file, good, bad


def first(path: Path) -> np.ndarray[Any, Any]:
    file = VideoFile(path)
    frame = next(iter(file.pictures())).picture.upright()
    file.close()
    return frame.to_ndarray(format="bgr24").astype(int)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.3gp", {}),
        ("a.mts", {"format": "mpegts"}),
        ("a.ts", {}),
        ("a.mpg", {"codec": "mpeg2video", "fps": 25}),
        ("a.h264", {"format": "h264"}),
        ("a.hevc", {"format": "hevc", "codec": "libx265"}),
        ("a.flv", {}),
        ("a.wmv", {"format": "asf", "codec": "wmv2"}),
        ("a.dv", {"format": "dv", "codec": "dvvideo", "size": (720, 576), "fps": 25}),
        ("a.mjpeg", {"format": "mjpeg", "codec": "mjpeg", "pix_fmt": "yuvj420p", "fps": 25}),
        ("no_suffix", {"format": "mp4"}),
        ("photo.jpg", {"format": "mp4"}),
        ("gate: 50 %03d.mp4", {}),
        ("ten_bit.mkv", {"codec": "libx265", "pix_fmt": "yuv420p10le"}),
        ("wide_colors.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
        ("odd_size.mkv", {"codec": "ffv1", "size": (321, 241)}),
        ("alpha.mov", {"codec": "qtrle", "pix_fmt": "argb"}),
    ],
)
def test_the_content_decides(tmp_path: Path, name: str, how: Mapping[str, Any]) -> None:
    path = make_video(tmp_path / name, **how)
    file, good, bad = read(path)
    fps = how.get("fps", 10)
    assert (good, bad, file.ended_early) == ([round(index / fps, 3) for index in range(20)], [], None)
    width, height = how.get("size", (320, 240))
    assert np.abs(first(path) - picture(0, width=width, height=height)).mean() < 6


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, 3), (180, 2)])
def test_a_phones_video_is_upright(tmp_path: Path, rotation: int, turns: int) -> None:
    flat = first(make_video(tmp_path / "flat.mp4"))
    turned = first(make_video(tmp_path / "turned.mp4", rotation=rotation))
    assert np.array_equal(turned, np.rot90(flat, turns))


def test_the_tag_of_older_files_turns_too(tmp_path: Path) -> None:
    flat = first(make_video(tmp_path / "flat.mkv"))
    assert np.array_equal(first(make_video(tmp_path / "turned.mkv", track_tags={"rotate": "90"})), np.rot90(flat, 3))


def test_interlaced_pictures_have_no_combs(tmp_path: Path) -> None:
    """Of a moving box every other line comes from another moment: lines next to each other differ at its edges."""

    def combs(path: Path) -> float:
        file = VideoFile(path)
        images = [placed.picture.upright().to_ndarray(format="gray").astype(int) for placed in file.pictures()]
        file.close()
        assert len(images) == 20
        inside = images[10][200:220]
        return float(np.abs(np.diff(inside, axis=0)).mean())

    how: dict[str, Any] = {"size": (720, 576), "fps": 25, "interlaced": True}
    plain = make_video(tmp_path / "combs.mkv", codec="ffv1", **how)
    assert combs(plain) > 3
    for name, codec in (("a.mp4", "libx264"), ("a.mpg", "mpeg2video"), ("a.dv", "dvvideo")):
        assert combs(make_video(tmp_path / name, codec=codec, **how)) < 1


@pytest.mark.parametrize(
    ("name", "stamp"),
    [
        ("late.ts", lambda index: index + 950_000),
        ("jump.mkv", lambda index: index + (72_000 if index >= 10 else 0)),
    ],
)
def test_time_stamps_that_lie_change_no_position(tmp_path: Path, name: str, stamp: Any) -> None:
    file, good, _ = read(make_video(tmp_path / name, stamp=stamp))
    assert good == [round(index / 10, 3) for index in range(20)]
    assert file.ended_early is None


def test_joined_files_keep_going(tmp_path: Path) -> None:
    joined = make_video(tmp_path / "a.ts")
    joined.write_bytes(joined.read_bytes() * 2)
    file, good, bad = read(joined)
    assert (len(good), bad, file.ended_early) == (40, [], None)
    assert good == [round(index / 10, 3) for index in range(40)]


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.webm"])
@pytest.mark.parametrize("frame_threads", [True, False])
def test_a_broken_packet_costs_one_picture(tmp_path: Path, name: str, frame_threads: bool) -> None:
    codec = "libvpx-vp9" if name == "a.webm" else "libx264"
    path = damage_packet(make_video(tmp_path / name, codec=codec, frames=60), 25)
    file, good, bad = read(path, frame_threads=frame_threads)
    assert (len(good), bad, file.ended_early) == (59, [2.5], None)


def test_a_picture_that_the_decoder_repaired_is_damaged(tmp_path: Path) -> None:
    path = damage_packet(make_video(tmp_path / "a.avi", codec="mpeg4", frames=60), 25)
    _, good, bad = read(path)
    assert (len(good), bad) == (59, [2.5])


def test_a_picture_of_which_only_a_part_came_is_damaged_each_time(tmp_path: Path) -> None:
    # Decoded by many threads, it was given out before the thread that repaired it had said so.
    late = {"preset": "medium", "bf": "2"}  # pictures are given out out of the order in which they come
    path = cut_off(make_video(tmp_path / "a.ts", size=(1280, 720), frames=1, noisy=True, options=late), 0.5)
    for _ in range(10):
        with pytest.raises(SourceError, match="no picture in it could be decoded"):
            read(path)


@pytest.mark.parametrize("frame_threads", [True, False])
def test_pictures_that_a_decoder_skips_in_silence_are_counted(tmp_path: Path, frame_threads: bool) -> None:
    key_frames = {"x265-params": "log-level=none:keyint=20:min-keyint=20:scenecut=0:open-gop=0"}
    path = make_video(tmp_path / "a.mkv", codec="libx265", options=key_frames, frames=60)
    file, good, bad = read(damage_packet(path, 25), frame_threads=frame_threads)
    assert len(good) + len(bad) == 60
    assert 1 <= len(bad) <= 20
    assert 2.0 <= min(bad) <= max(bad) <= 4.0
    assert (good[-1], file.ended_early) == (5.9, None)


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.avi", "a.flv"])
def test_a_file_that_is_cut_off_gives_all_it_has_and_says_where_it_ends(tmp_path: Path, name: str) -> None:
    options = {"movflags": "faststart"} if name == "a.mp4" else {}
    path = cut_off(make_video(tmp_path / name, frames=80, container_options=options), 0.6)
    file, good, bad = read(path)
    assert good == [round(good[0] + index / 10, 3) for index in range(len(good))]
    assert good[0] <= 0.1  # AVI has no times: what its coder held back comes late
    assert len(good) >= 10
    assert len(bad) <= 1
    assert file.ended_early is not None
    assert file.ended_early.startswith(f"ends at {clock_time(max(good + bad) + 0.1)} of 0:0")


def test_a_cut_off_file_of_packets_ends_as_a_whole_one(tmp_path: Path) -> None:
    _, good, _ = read(cut_off(make_video(tmp_path / "a.ts", frames=80), 0.6))
    assert good == [round(index / 10, 3) for index in range(len(good))]
    assert len(good) > 30


def test_sound_that_is_longer_is_no_cut(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.flv"):
        assert read(make_video(tmp_path / name, frames=80, sound_s=8.6))[0].ended_early is None


def test_what_is_no_video_is_told_in_words(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mp4"
    text.write_text("no video at all\n" * 100)
    empty.write_bytes(b"")
    for path, words in (
        (make_sound(tmp_path / "voice.mp4"), "there is no picture in it: only sound"),
        (make_cover(tmp_path / "song.mp4"), "there is no picture in it: only sound"),
        (text, "the file is damaged or no video"),
        (empty, "the file is empty (0 bytes)"),
        (cut_off(make_video(tmp_path / "a.mp4"), 0.6), "its index is missing: the recording was cut off or never"),
        (tmp_path / "missing.mp4", "No such file or directory"),
    ):
        with pytest.raises(SourceError) as error:
            VideoFile(path)
        assert str(error.value).startswith(f"{path}: {words}")


def test_a_play_list_opens_no_other_file(tmp_path: Path) -> None:
    make_video(tmp_path / "a.ts")
    play_list = tmp_path / "list.mp4"
    play_list.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\na.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceError, match="the file is damaged or no video"):
        VideoFile(play_list)


def test_the_largest_of_several_tracks_is_read_and_told(tmp_path: Path) -> None:
    path = make_tracks(tmp_path / "a.mkv", (160, 120), (320, 240))
    file, good, _ = read(path)
    assert len(good) == 20
    assert file.tracks == "2 video tracks; number 2 is read, 320 x 240 pixels"
    assert first(path).shape == (240, 320, 3)
    assert VideoFile(make_video(tmp_path / "one.mkv")).tracks is None


@pytest.mark.parametrize(
    ("tags", "right"),
    [
        ({"creation_time": "2026-03-01T12:00:00Z"}, datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ({"creation_time": "2026-03-01T12:00:00+02:00"}, datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ({"creation_time": "1904-01-01T00:00:00Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00Z"}, None),
        ({"creation_time": "2039-01-01T00:00:00Z"}, None),
        ({}, None),
    ],
)
def test_the_file_says_when_it_was_recorded(tmp_path: Path, tags: Mapping[str, str], right: datetime | None) -> None:
    assert VideoFile(make_video(tmp_path / "a.mp4", metadata=tags)).recorded_at == right


def test_the_tag_that_knows_its_zone_comes_first(tmp_path: Path) -> None:
    tags = {"com.apple.quicktime.creationdate": "2026-03-01T12:00:00+0200", "creation_time": "2026-03-05T12:00:00Z"}
    path = make_video(tmp_path / "a.mov", metadata=tags, container_options={"movflags": "use_metadata_tags"})
    assert VideoFile(path).recorded_at == datetime(2026, 3, 1, 10, tzinfo=UTC)


def test_positions_for_people() -> None:
    assert [clock_time(at_s) for at_s in (0, 23.44, 59.96, 3723.4)] == ["0:00.0", "0:23.4", "1:00.0", "1:02:03.4"]
