"""What `sightline submit` and the clients say of pictures, as it is in the ledger: what follows what, and from when."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sightline.cli import main
from sightline.client.awaited import AsyncSightline
from sightline.client.client import Sightline
from sightline.delivery.ledger import Ledger, LedgerLimits
from sightline.redis.connection import connect
from sightline.settings import Settings
from sightline.types import FrameRef
from tests.cameras import write_clip
from tests.exif import photo, photo_at

MODIFIED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
TAKEN = datetime(2023, 4, 5, 6, 7, 8, tzinfo=UTC)
Submit = Callable[..., list[FrameRef]]


@pytest.fixture
def submit(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Submit]:
    """Types `sightline submit`; gives the frames that were accepted, by name and time."""
    monkeypatch.setenv("SIGHTLINE_REDIS_URL", settings.redis_url)
    monkeypatch.setenv("SIGHTLINE_FRAMES_URL", settings.frame_store_url)
    ledger = Ledger(connect(settings.redis_url), LedgerLimits.from_settings(settings))

    def type_(*arguments: object) -> list[FrameRef]:
        monkeypatch.setattr("sys.argv", ["sightline", "submit", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        frames = [frame for job in ledger.open_jobs(limit=100) for frame in job.frames]
        return sorted(frames, key=lambda frame: (frame.name, frame.captured_at))

    yield type_
    ledger.close()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Two videos and two photos, one with EXIF."""
    folder = tmp_path / "given"
    folder.mkdir()
    write_clip(folder / "a.mp4", seconds=1)
    write_clip(folder / "b.mp4", seconds=1, moving=False)
    (folder / "c.jpg").write_bytes(photo(shade=1))
    (folder / "d.jpg").write_bytes(photo_at(TAKEN))
    for path in folder.iterdir():
        os.utime(path, (MODIFIED.timestamp(), MODIFIED.timestamp()))
    return folder


def test_each_video_is_a_sequence_and_photos_stand_alone(submit: Submit, files: Path) -> None:
    frames = submit(files)
    assert [(frame.name, frame.time_from) for frame in frames] == [
        *[("a.mp4", "video")] * 2,
        *[("b.mp4", "video")] * 2,
        ("c.jpg", "file"),
        ("d.jpg", "exif"),
    ]
    videos = {frame.name: frame.sequence for frame in frames[:4]}
    assert len({*videos.values(), None}) == 3
    assert [frame.sequence for frame in frames[4:]] == [None, None]
    assert [frame.captured_at for frame in frames] == [
        *[MODIFIED, MODIFIED + timedelta(seconds=0.5)] * 2,
        MODIFIED,
        TAKEN,
    ]
    assert submit(files) == frames


def test_it_may_be_said_that_all_files_are_one_sequence(submit: Submit, files: Path) -> None:
    assert {frame.sequence for frame in submit(files, "--sequence")} == {"submitted"}


def test_photos_of_a_burst_are_one_sequence(submit: Submit, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.jpg" for number in range(3)]
    for number, path in enumerate(paths):
        path.write_bytes(photo_at(TAKEN + timedelta(seconds=number / 4), shade=number))
    assert {frame.sequence for frame in submit(*paths)} == {"burst-20230405T060708.000000"}


def test_photos_of_one_moment_stay_photos_of_one_moment(submit: Submit, tmp_path: Path) -> None:
    """An unpacked archive."""
    for number in range(3):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(photo(shade=number))
        os.utime(path, (MODIFIED.timestamp(), MODIFIED.timestamp()))
    frames = submit(*tmp_path.glob("*.jpg"))
    assert {(frame.captured_at, frame.sequence) for frame in frames} == {(MODIFIED, None)}


async def test_the_clients_say_the_same(settings: Settings) -> None:
    def said(frames: tuple[FrameRef, ...]) -> set[tuple[str | None, str | None]]:
        return {(frame.sequence, frame.time_from) for frame in frames}

    with Sightline(settings) as client:
        assert said(client.submit(photo(shade=1)).job.frames) == {(None, "received")}
        assert said(client.submit(photo_at(TAKEN), sequence=True).job.frames) == {("submitted", "exif")}
        given = client.submit(photo_at(TAKEN, shade=2), captured_at=MODIFIED).job.frames
        assert (said(given), given[0].captured_at) == ({(None, "caller")}, MODIFIED)
    async with AsyncSightline(settings) as client:
        job = await client.submit(photo(shade=3), photo(shade=4), sequence=True)
        assert said(job.job.frames) == {("submitted", "received")}
