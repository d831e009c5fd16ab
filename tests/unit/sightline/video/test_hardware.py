"""Decoders in hardware. No machine that runs these tests has one: what is told of devices is said by the test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.error
import pytest

from sightline.settings import Settings
from sightline.video import container as container_module
from sightline.video import hardware
from sightline.video.container import Container, ReadOptions
from tests.cameras import write_clip


@pytest.fixture(autouse=True)
def _tried_anew() -> Iterator[None]:
    hardware.usable.cache_clear()
    yield
    hardware.usable.cache_clear()


class Machine:
    """FFmpeg knows these types; devices are there for those in `has`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *known: str, has: tuple[str, ...] = ()) -> None:
        self.tried: list[str] = []
        machine = self

        class Accelerator:
            def __init__(self, kind: str, device: str | None, *, allow_software_fallback: bool) -> None:
                self.name = kind if device is None else f"{kind} at {device}"
                assert allow_software_fallback  # a stream that the device does not know is decoded all the same

            def create(self, _codec: object) -> None:
                machine.tried.append(self.name)
                if self.name not in has:
                    raise av.error.PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(hardware, "HWAccel", Accelerator)
        monkeypatch.setattr(hardware, "hwdevices_available", lambda: list(known))

    @staticmethod
    def uses(wanted: str) -> str | None:
        found: Any = hardware.accelerator(wanted)
        return found and found.name


def test_the_first_device_that_works_is_taken_and_looked_for_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    machine = Machine(monkeypatch, "cuda", "vaapi", "drm", has=("vaapi", "drm"))
    assert [machine.uses("auto") for _ in range(3)] == ["vaapi"] * 3
    assert machine.tried == ["cuda", "vaapi"]
    assert [record.message for record in caplog.records] == ["video is decoded by vaapi"]


def test_a_device_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(monkeypatch, "vaapi", has=("vaapi at /dev/dri/renderD129",))
    assert machine.uses("vaapi:/dev/dri/renderD129") == "vaapi at /dev/dri/renderD129"
    assert machine.uses("vaapi") is None
    assert machine.uses("off") is None


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
def test_without_a_device_software_decodes_and_one_line_says_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, wanted: str
) -> None:
    machine = Machine(monkeypatch, "cuda")
    assert [machine.uses(wanted) for _ in range(3)] == [None] * 3
    [line] = [record.message for record in caplog.records]
    assert line == "video is decoded in software, no hardware can be used: cuda: Operation not permitted"


def test_whatever_this_machine_has_the_pictures_come(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", seconds=1)
    container = Container(f"file:{clip}", ReadOptions({}, hardware="auto"))
    assert [picture.frame().width for picture in container.pictures()] == [320] * 10
    container.close()


def test_a_device_that_fails_later_costs_no_camera(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clip = write_clip(tmp_path / "a.mp4", seconds=1)
    opened = av.open

    def busy(*arguments: Any, hwaccel: object, **options: Any) -> Any:
        if hwaccel is not None:
            raise av.error.ExternalError(0, "no more sessions")
        return opened(*arguments, **options)

    monkeypatch.setattr(container_module.av, "open", busy)
    monkeypatch.setattr(container_module, "accelerator", lambda wanted: wanted)
    container = Container(f"file:{clip}", ReadOptions({}, hardware="cuda"))
    assert sum(1 for _ in container.pictures()) == 10
    container.close()
    assert "decoded in software: no more sessions" in caplog.text


@pytest.mark.parametrize("value", ["off", "auto", "cuda", "cuda:1", "vaapi:/dev/dri/renderD129"])
def test_the_setting_knows_what_ffmpeg_calls_them(value: str) -> None:
    assert Settings(camera_hardware_decoding=value).camera_hardware_decoding == value


@pytest.mark.parametrize("value", ["nvdec", "auto:1", "cuda:", "yes"])
def test_another_word_is_refused_with_those_there_are(value: str) -> None:
    with pytest.raises(ValueError, match="give off, auto, or one of cuda, vaapi"):
        Settings(camera_hardware_decoding=value)
