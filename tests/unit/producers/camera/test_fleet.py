"""Rows become running cameras: added, changed, paused, removed."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producers.camera import fleet as fleet_module
from producers.camera.fleet import Fleet
from sightline.errors import BrokerUnavailableError
from sightline.settings import Settings
from sightline.types import Pipeline
from tests.cameras import FakePublisher, camera, wait_until, write_clip


class NoEndedFiles:
    """Nothing is remembered."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def has(self, camera_id: str, edition: str) -> bool:
        return False

    def add(self, camera_id: str, edition: str) -> None: ...

    def forget(self, camera_id: str) -> None:
        self.forgotten.append(camera_id)


class NoPhotos:
    """No photo is known."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    def of(self, camera_id: str) -> dict[str, str]:
        return {}

    def add(self, camera_id: str, place: str, edition: str) -> None: ...

    def forget(self, camera_id: str) -> None:
        self.forgotten.append(camera_id)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=1, fps=20)


@pytest.fixture
def ended_files() -> Any:
    return NoEndedFiles()


@pytest.fixture
def photos() -> Any:
    return NoPhotos()


@pytest.fixture
def fleet(ended_files: Any, photos: Any) -> Iterator[Fleet]:
    fleet = Fleet(Settings(), FakePublisher(), ended_files, photos)
    yield fleet
    fleet.stop(2)


def state(fleet: Fleet, camera_id: str) -> str:
    return fleet.statuses()[camera_id].state


def test_cameras_come_and_go(fleet: Fleet, clip: Path, ended_files: NoEndedFiles, photos: NoPhotos) -> None:
    one, two = camera("one", clip, loop=True), camera("two", clip, loop=True)
    fleet.reconcile([one])
    wait_until(lambda: state(fleet, "one") == "running")
    fleet.reconcile([one, two])
    wait_until(lambda: state(fleet, "two") == "running")
    assert len(fleet.live_slots()) == 2
    fleet.reconcile([two])
    assert fleet.statuses().keys() == {"two"}
    assert len(fleet.live_slots()) == 1
    assert ended_files.forgotten == photos.forgotten == ["one"]
    assert fleet.stop(2)
    fleet.reconcile([one])
    assert fleet.live_slots() == []


def test_a_folder_is_watched(fleet: Fleet, tmp_path: Path) -> None:
    fleet.reconcile([camera("yard", f"{tmp_path}/")])
    wait_until(lambda: state(fleet, "yard") == "running")
    assert (fleet.live_slots(), fleet.adapting(), fleet.statuses()["yard"].budget_fps) == ([], set(), None)
    fleet.reconcile([])
    assert fleet.stop(3)


def test_an_unchanged_row_leaves_its_reader_alone(fleet: Fleet, clip: Path) -> None:
    fleet.reconcile([camera("one", clip, loop=True)])
    slots = fleet.live_slots()
    fleet.reconcile([camera("one", clip, loop=True)])
    assert fleet.live_slots() == slots


@pytest.mark.parametrize(
    "change", [{"fps": 2.0}, {"min_fps": 2.0}, {"pipeline": "text"}, {"motion": True}, {"url": "rtsp://127.0.0.1:9/"}]
)
def test_a_changed_row_gets_a_new_reader_and_keeps_its_counters(fleet: Fleet, clip: Path, change: Any) -> None:
    row = camera("one", clip, loop=True)
    fleet.reconcile([row])
    wait_until(lambda: fleet.statuses()["one"].frames_read > 3)
    slots = fleet.live_slots()
    fleet.reconcile([camera("one", **({"url": clip, "loop": True} | change))])
    assert fleet.live_slots() != slots
    assert fleet.statuses()["one"].frames_read > 3


def test_rates_follow_the_queue_of_their_pipeline(fleet: Fleet, clip: Path) -> None:
    rows = [
        camera("one", clip, loop=True, min_fps=2.0),
        camera("two", clip, loop=True, min_fps=2.0, pipeline="text"),
        camera("three", clip, loop=True),
        camera("off", clip, loop=True, min_fps=2.0, pipeline="objects", enabled=False),
    ]
    fleet.reconcile(rows)
    assert fleet.adapting() == {Pipeline.PLATES, Pipeline.TEXT}
    fleet.follow_queues({Pipeline.PLATES: 3.0, Pipeline.TEXT: 0.0})
    rates = {camera_id: status.budget_fps for camera_id, status in fleet.statuses().items()}
    assert rates == {"one": 5.0, "two": 10.0, "three": 10.0, "off": None}
    fleet.follow_queues({})
    assert fleet.statuses()["one"].budget_fps == 5.0
    wait_until(lambda: fleet.statuses()["one"].thinned > 3)
    assert fleet.statuses()["two"].thinned == 0


def test_pause_and_resume(fleet: Fleet, clip: Path) -> None:
    fleet.reconcile([camera("one", clip, loop=True)])
    wait_until(lambda: state(fleet, "one") == "running")
    fleet.reconcile([camera("one", clip, loop=True, enabled=False)])
    assert (state(fleet, "one"), fleet.live_slots()) == ("paused", [])
    fleet.reconcile([camera("one", clip, loop=True)])
    wait_until(lambda: state(fleet, "one") == "running")


def test_a_live_file_ends_and_is_not_read_again(fleet: Fleet, clip: Path) -> None:
    fleet.reconcile([camera("one", clip)])
    wait_until(lambda: state(fleet, "one") == "ended")
    fleet.reconcile([camera("one", clip)])
    assert state(fleet, "one") == "ended"
    assert fleet.statuses()["one"].frames_read == 20


def test_a_reader_stuck_in_a_read_is_left_behind(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = threading.Event()

    class Stuck(fleet_module.Reader):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, open_source=lambda *_: answer.wait(10), **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(fleet_module, "Reader", Stuck)
    fleet.reconcile([camera("one")])
    fleet.reconcile([])
    assert fleet.statuses() == {}
    assert not fleet.stop(0.1)
    assert "still blocked" in caplog.text
    answer.set()
    assert fleet.stop(2)


def test_a_removed_camera_goes_though_redis_is_down(
    fleet: Fleet, ended_files: NoEndedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forget(camera_id: str) -> None:
        raise BrokerUnavailableError("down")

    monkeypatch.setattr(ended_files, "forget", forget)
    fleet.reconcile([camera("one")])
    fleet.reconcile([])
    assert fleet.statuses() == {}


def test_a_camera_of_a_pipeline_that_is_gone_says_so_and_the_others_are_read(fleet: Fleet, clip: Path) -> None:
    lost = camera("lost", clip, loop=True).model_copy(update={"pipeline": Pipeline("count-letters")})
    fleet.reconcile([lost, camera("good", clip, loop=True)])
    wait_until(lambda: state(fleet, "good") == "running")
    assert state(fleet, "lost") == "offline"
    assert "'count-letters' is unknown; known are objects" in (fleet.statuses()["lost"].last_error or "")
    assert len(fleet.live_slots()) == 1
