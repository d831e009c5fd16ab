"""A watched folder: which files are whole, each photo once, and where it goes."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from producers.camera.capture import thread as thread_module
from producers.camera.counters import CameraCounters
from producers.camera.photos import watcher as watcher_module
from producers.camera.photos.folder import Folder
from producers.camera.photos.outlet import PhotoOutlet
from producers.camera.photos.watcher import FolderWatcher
from producers.camera.probe import probe_camera
from producers.camera.sources.files import FileSource
from producers.camera.sources.sampling import Backoff
from producers.camera.sources.source import SourceOptions
from sightline.errors import BacklogFullError, SourceError
from sightline.images.header import ImageLimits, check_image
from sightline.types import Lane
from storage.cameras import Camera, is_folder
from tests.cameras import FakePublisher, camera, wait_until
from tests.exif import photo
from tests.picture_kinds import encoded

UPPER = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.5), (0.0, 0.5))


class Notes:
    """What Redis would keep."""

    def __init__(self) -> None:
        self.editions: dict[str, str] = {}

    def of(self, camera_id: str) -> dict[str, str]:
        return dict(self.editions)

    def add(self, camera_id: str, place: str, edition: str) -> None:
        self.editions[place] = edition

    def drop(self, camera_id: str, places: Any) -> None:
        for place in places:
            self.editions.pop(place, None)


Start = Callable[..., tuple[FakePublisher, CameraCounters, FolderWatcher]]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    monkeypatch.setattr(thread_module, "Backoff", lambda: Backoff(0.05, 0.2))
    monkeypatch.setattr(watcher_module, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(watcher_module, "PATIENCE_S", 0.4)
    monkeypatch.setattr(watcher_module, "Folder", lambda path: Folder(path, settled_s=0.1))
    watchers: list[FolderWatcher] = []

    def _start(row: Camera, notes: Notes | None = None, publisher: FakePublisher | None = None) -> Any:
        publisher, counters, notes = publisher or FakePublisher(), CameraCounters(), notes or Notes()
        outlet = PhotoOutlet(row.pipeline, Lane.LIVE, publisher, counters)
        watcher = FolderWatcher(
            row,
            outlet,
            counters,
            notes,
            jpeg_quality=90,
            limits=ImageLimits(1, 10),  # pyright: ignore[reportArgumentType]
        )
        watchers.append(watcher)
        watcher.start()
        return publisher, counters, watcher

    yield _start
    for watcher in watchers:
        watcher.stop()
    assert all(watcher.join(2) for watcher in watchers)


def drops(folder: Path, **changes: Any) -> Camera:
    return camera("yard", f"{folder}/", **changes)


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_every_photo_of_the_folder_is_a_frame_as_it_is(start: Start, tmp_path: Path) -> None:
    dated = photo("2024:05:06 07:08:09", offset="+00:00", shade=1)
    write(tmp_path / "2024-05-06" / "one.jpg", dated)
    undated = write(tmp_path / "two: (1)\n ä.JPG", photo(shade=2))
    write(tmp_path / "three.png", photo(kind="PNG", shade=3))
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/n\xe4me.jpg")), photo(shade=4))
    write(tmp_path / "five.heic", encoded(".heic"))
    publisher, counters, _ = start(drops(tmp_path))
    wait_until(lambda: len(publisher.frames) == 5)
    frames = {frame.name: frame for frame in publisher.frames}
    assert frames.keys() == {
        "2024-05-06/one.jpg",
        "two: (1)\n ä.JPG",
        "three.png",
        "n\N{REPLACEMENT CHARACTER}me.jpg",
        "five.heic",
    }
    one, two = frames["2024-05-06/one.jpg"], frames["two: (1)\n ä.JPG"]
    assert (one.captured_at, one.time_from) == (datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC), "exif")
    assert (two.captured_at.timestamp(), two.time_from) == (pytest.approx(undated.stat().st_mtime), "file")
    assert publisher.pixels[one.frame_id] == dated
    assert {(job.lane, job.deadline_at, len(job.frames)) for job in publisher.jobs} == {(Lane.LIVE, None, 1)}
    assert {frame.sequence for frame in publisher.frames} == {None}
    status = counters.status()
    assert (status.state, status.frames_read, status.published, status.unreadable) == ("running", 5, 5, 0)
    assert len(list(tmp_path.rglob("*.*"))) == 5


def test_a_photo_that_is_still_written_is_waited_for(start: Start, tmp_path: Path) -> None:
    data = photo(shade=9)
    publisher, counters, _ = start(drops(tmp_path))
    path = tmp_path / "slow.jpg"
    for end in range(100, len(data), 200):  # slower than a file settles, faster than patience ends
        path.write_bytes(data[:end])
        time.sleep(0.15)
    assert publisher.frames == []
    path.write_bytes(data)
    wait_until(lambda: publisher.frames)
    assert list(publisher.pixels.values()) == [data]
    assert counters.status().unreadable == 0


def test_names_of_unfinished_uploads_hidden_files_and_links_are_passed_over(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    for name in (".hidden.jpg", "a.jpg.part", "b.tmp", "c.jpg~", ".cache/d.jpg", "_read/e.jpg", "a/_unreadable/f.jpg"):
        write(folder / name, photo())
    (folder / "link.jpg").symlink_to(write(tmp_path / "elsewhere.jpg", photo()))
    (folder / "links").symlink_to(tmp_path)
    write(folder / "good.jpg", photo(shade=5))
    publisher, _, _ = start(drops(folder))
    wait_until(lambda: publisher.frames)
    time.sleep(0.3)
    assert [frame.name for frame in publisher.frames] == ["good.jpg"]
    (folder / "a.jpg.part").rename(folder / "a.jpg")
    wait_until(lambda: len(publisher.frames) == 2)


def test_a_photo_is_read_once_also_after_a_restart(start: Start, tmp_path: Path) -> None:
    notes = Notes()
    write(tmp_path / "a.jpg", photo(shade=1))
    publisher, _, watcher = start(drops(tmp_path), notes)
    wait_until(lambda: notes.editions)
    watcher.stop()
    publisher, _, _ = start(drops(tmp_path), notes)
    write(tmp_path / "b.jpg", photo(shade=2))
    wait_until(lambda: len(notes.editions) == 2)
    assert [frame.name for frame in publisher.frames] == ["b.jpg"]
    write(tmp_path / "a.jpg", photo("2024:05:06 07:08:09", shade=3))  # another photo under this name
    wait_until(lambda: len(publisher.frames) == 2)
    (tmp_path / "b.jpg").unlink()
    wait_until(lambda: len(notes.editions) == 1)


def test_a_share_that_is_away_for_a_while_makes_nothing_new(start: Start, tmp_path: Path) -> None:
    notes = Notes()
    share = tmp_path / "share"
    write(share / "a.jpg", photo(shade=1))
    publisher, counters, _ = start(drops(share), notes)
    wait_until(lambda: notes.editions)
    share.rename(tmp_path / "away")
    wait_until(lambda: counters.status().state == "reconnecting")
    assert "No such file or directory" in (counters.status().last_error or "")
    share.mkdir()  # where it is mounted
    wait_until(lambda: counters.status().state == "running")
    share.rmdir()
    (tmp_path / "away").rename(share)
    wait_until(lambda: counters.status().state == "running")
    time.sleep(0.3)
    assert len(publisher.frames) == 1


@pytest.mark.parametrize(
    ("after", "left"), [("keep", ["a.jpg", "sub/b.jpg"]), ("move", ["_read/a.jpg", "_read/sub/b.jpg"]), ("delete", [])]
)
def test_what_becomes_of_photos_that_were_read(start: Start, tmp_path: Path, after: str, left: list[str]) -> None:
    write(tmp_path / "a.jpg", photo(shade=1))
    write(tmp_path / "sub" / "b.jpg", photo(shade=2))
    publisher, _, watcher = start(drops(tmp_path, after_reading=after))
    wait_until(lambda: len(publisher.frames) == 2)
    watcher.stop()
    assert watcher.join(2)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.jpg")) == left


def test_a_photo_of_a_name_that_was_read_before_loses_neither(start: Start, tmp_path: Path) -> None:
    for shade in (1, 2, 3):
        write(tmp_path / "snap.jpg", photo(shade=shade))
        _, _, watcher = start(drops(tmp_path, after_reading="move"))
        wait_until(lambda: not (tmp_path / "snap.jpg").exists())
        watcher.stop()
    assert sorted(path.name for path in (tmp_path / "_read").iterdir()) == ["snap-1.jpg", "snap-2.jpg", "snap.jpg"]


@pytest.mark.parametrize("after", ["keep", "move", "delete"])
def test_what_is_no_picture_is_set_aside_and_counted_with_its_reason(start: Start, tmp_path: Path, after: str) -> None:
    write(tmp_path / "cut.jpg", photo(shade=1)[:400])
    write(tmp_path / "notes.txt", b"the gate is open")
    write(tmp_path / "empty.jpg", b"")
    write(tmp_path / "huge.jpg", photo() + bytes(1_000_001))
    write(tmp_path / "good.jpg", photo(shade=2))
    publisher, counters, watcher = start(drops(tmp_path, after_reading=after))
    wait_until(lambda: counters.status().unreadable == 4)
    watcher.stop()
    assert watcher.join(2)
    assert [frame.name for frame in publisher.frames] == ["good.jpg"]
    assert counters.status().last_error is not None
    aside = tmp_path / "_unreadable"
    if after == "keep":
        assert not aside.exists()
        return
    reasons = {path.name: path.read_text() for path in aside.glob("*.reason.txt")}
    assert "cut off" in reasons["cut.jpg.reason.txt"]
    assert "no JPEG, PNG or WebP" in reasons["notes.txt.reason.txt"]
    assert "empty" in reasons["empty.jpg.reason.txt"]
    assert "at most 1 MB" in reasons["huge.jpg.reason.txt"]
    assert (aside / "notes.txt").read_bytes() == b"the gate is open"


def test_photos_wait_until_they_are_accepted(start: Start, tmp_path: Path) -> None:
    publisher = FakePublisher()
    publisher.refuse = {"yard"}
    publisher.trouble = [BacklogFullError("backlog full", source_id=None)]
    write(tmp_path / "a.jpg", photo(shade=1))
    _, counters, _ = start(drops(tmp_path, after_reading="delete"), publisher=publisher)
    wait_until(lambda: len(publisher.attempts) >= 2)
    assert (tmp_path / "a.jpg").exists()
    publisher.refuse.clear()
    wait_until(lambda: not (tmp_path / "a.jpg").exists())
    assert counters.status().published == 1
    assert len({job.job_id for job in publisher.attempts}) == 1


def test_a_folder_of_others_is_read_once_and_says_what_it_may_not(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    notes = Notes()
    write(tmp_path / "a.jpg", photo(shade=1))
    publisher, counters, _ = start(drops(tmp_path, after_reading="move"), notes)
    wait_until(lambda: notes.editions)
    time.sleep(0.2)
    assert len(publisher.frames) == 1
    assert "give it the right to write" in (counters.status().last_error or "")


def test_photos_are_turned_and_masked(start: Start, tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", photo(shade=200))
    publisher, _, _ = start(drops(tmp_path, rotation=90, mask=(UPPER,)))
    wait_until(lambda: publisher.frames)
    info = check_image(next(iter(publisher.pixels.values())), max_mb=1, max_mpx=1)
    assert (info.width, info.height) == (48, 64)


def test_a_folder_without_its_slash_says_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"is a folder; .* write .*/$"):
        FileSource(tmp_path, SourceOptions(), None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("url", "is_one"),
    [("/srv/ftp/", True), ("file:///srv/ftp/", True), ("/srv/a.mp4", False), ("http://10.0.0.7/", False), ("0", False)],
)
def test_which_addresses_are_folders(url: str, is_one: bool) -> None:
    assert is_folder(url) is is_one


def test_a_folder_is_looked_at_before_it_is_added(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", photo(shade=1))
    os.utime(write(tmp_path / "new.txt", b"text"), (2e9, 2e9))
    found = probe_camera(f"{tmp_path}/", SourceOptions())
    assert (found.error, found.kind, found.codec, found.pictures) == (None, "folder of photos", "JPEG", 2)
    assert (found.width, found.height, bool(found.picture)) == (64, 48, True)
    assert any(hint.startswith("new.txt: ") for hint in found.hints)
    assert "No such file or directory" in (probe_camera(f"{tmp_path}/none/", SourceOptions()).error or "")
