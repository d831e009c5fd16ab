"""What follows each other in time, and by which name."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sightline.settings import load_settings
from sightline.submission.files import find_burst, read_frames
from sightline.submission.jobs import NewFrame, make_job, sequence_of
from sightline.submission.sequences import name_burst, name_video
from tests.cameras import write_clip
from tests.exif import photo, photo_at

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BURST = "burst-20260501T120000.000000"


def moments(*seconds: float | None) -> list[datetime | None]:
    return [None if second is None else NOON + timedelta(seconds=second) for second in seconds]


@pytest.mark.parametrize("seconds", [(0, 0.1), (0, 0.5), (0, 0.3, 0.6, 0.9, 1.2, 1.7)])
def test_photos_taken_half_a_second_after_each_other_are_a_burst(seconds: tuple[float, ...]) -> None:
    assert name_burst(moments(*seconds)) == BURST


@pytest.mark.parametrize(
    "seconds",
    [
        (),
        (0,),
        (0, 0.6),
        (0, 1, 2),  # cameras that know no fractions
        (0, 0.5, 2),  # somebody who walks from car to car
        (0, 0),
        (0, 0.4, 0.4),
        (0.5, 0.2),
        (0, 0.5, None),
        (None, None),
    ],
)
def test_others_stand_alone(seconds: tuple[float | None, ...]) -> None:
    assert name_burst(moments(*seconds)) is None


def test_a_folder_is_looked_at_no_further_than_needed() -> None:
    looked: list[int] = []

    def times():
        for number in range(1000):
            looked.append(number)
            yield NOON + timedelta(minutes=number)

    assert name_burst(times()) is None
    assert len(looked) == 2


def test_a_burst_of_files_is_one_sequence(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(photo_at(NOON + timedelta(seconds=number / 4), shade=number))
    assert find_burst(paths) == BURST
    (tmp_path / "clip.mp4").write_bytes(b"")
    assert find_burst([*paths, tmp_path / "clip.mp4"]) is None
    assert find_burst([*paths, tmp_path / "gone.jpg"]) is None


def test_pictures_of_one_request_stand_alone_unless_said_or_shown() -> None:
    shown = [NewFrame.photo(photo_at(NOON + timedelta(seconds=n / 4), shade=n)) for n in range(3)]
    assert sequence_of(shown, is_said=False) == BURST
    # Times that somebody gives are not the camera's, however close they are.
    given = [NewFrame.photo(photo(shade=n), captured_at=NOON + timedelta(seconds=n / 4)) for n in range(3)]
    assert sequence_of(given, is_said=False) is None
    received = [NewFrame.photo(photo(shade=n)) for n in range(3)]
    assert sequence_of(received, is_said=False) is None
    assert {sequence_of(frames, is_said=True) for frames in (shown, given, received)} == {"submitted"}


def test_a_photo_is_as_old_as_the_best_that_is_known() -> None:
    taken, modified, said = (NOON - timedelta(days=days) for days in (3, 2, 1))
    both = {"captured_at": said, "modified_at": modified}
    for data, given, expected in (
        (photo_at(taken), both, (said, "caller")),
        (photo_at(taken), {"modified_at": modified}, (taken, "exif")),
        (photo("0000:00:00 00:00:00"), {"modified_at": modified}, (modified, "file")),
    ):
        frame = NewFrame.photo(data, **given)
        assert (frame.captured_at, frame.time_from) == expected
    before = datetime.now(UTC)
    frame = NewFrame.photo(photo())
    assert before <= frame.captured_at <= datetime.now(UTC)
    assert frame.time_from == "received"


def test_what_is_known_of_a_picture_is_in_its_job() -> None:
    frames = [NewFrame.photo(photo_at(NOON)), NewFrame(photo(), NOON, sequence="clip", time_from="video")]
    given = {"pipeline": "plates", "lane": "bulk", "source_id": "files"}
    job, _ = make_job(frames, load_settings(), **given)
    assert [(frame.sequence, frame.time_from) for frame in job.frames] == [(None, "exif"), ("clip", "video")]
    told, _ = make_job(frames, load_settings(), **given, sequence="submitted")
    assert [frame.sequence for frame in told.frames] == ["submitted", "submitted"]
    assert [frame.frame_id for frame in told.frames] == [frame.frame_id for frame in job.frames]


def test_each_video_is_a_sequence_of_its_own(tmp_path: Path) -> None:
    """Also of equal length and name, as dash cams number theirs anew on each card."""
    one, two = tmp_path / "1" / "clip.mp4", tmp_path / "2" / "clip.mp4"
    for path in (one, two):
        path.parent.mkdir()
    write_clip(one, seconds=1)
    write_clip(two, seconds=1, moving=False)
    length = max(one.stat().st_size, two.stat().st_size)
    for path in (one, two):
        path.write_bytes(path.read_bytes().ljust(length, b"\0"))
    frames = list(read_frames(one, fps=5))
    assert {(frame.sequence, frame.time_from) for frame in frames} == {(name_video(one), "video")}
    assert len(frames) == 5
    assert name_video(one) != name_video(two)
    again = tmp_path / "clip.mp4"
    again.write_bytes(one.read_bytes())
    assert name_video(again) == name_video(one)
