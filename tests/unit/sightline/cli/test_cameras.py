"""`sightline cameras`: how a file is named to a camera process in another folder."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import typer

from sightline.cli import cameras
from sightline.cli.polygons import read_zones
from sightline.errors import BadMessageError
from sightline.types import Pipeline


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that reach the API."""
    urls: list[str] = []

    def call(*_arguments: Any, body: dict[str, Any]) -> None:
        urls.append(body["url"])

    monkeypatch.setattr(cameras, "call_api", call)
    return urls


def test_a_file_is_sent_with_its_whole_path(sent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gate.mp4").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    cameras.add("gate", "gate.mp4", Pipeline.PLATES)
    cameras.change("gate", url="gate.mp4")
    assert sent == [str(tmp_path / "gate.mp4")] * 2


def test_a_second_stream_is_added_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[dict[str, Any]] = []
    monkeypatch.setattr(cameras, "call_api", lambda *_, body: bodies.append(body))
    cameras.add("gate", "rtsp://host/main", sub_url="rtsp://host/sub")
    cameras.change("gate", sub_url="rtsp://host/other")
    cameras.change("gate", sub_url="")
    cameras.change("gate", fps=2)
    assert bodies[0]["sub_url"] == "rtsp://host/sub"
    assert bodies[1:] == [{"sub_url": "rtsp://host/other"}, {"sub_url": None}, {"fps": 2}]


@pytest.mark.parametrize("url", ["rtsp://host/1", "0", "/videos/on-another-machine.mp4"])
def test_what_may_be_elsewhere_is_sent_as_it_is(sent: list[str], url: str) -> None:
    cameras.add("gate", url, Pipeline.PLATES)
    assert sent == [url]


def test_a_relative_path_to_nothing_is_refused(sent: list[str]) -> None:
    for command in (lambda: cameras.add("gate", "gaet.mp4"), lambda: cameras.change("gate", url="gaet.mp4")):
        with pytest.raises(BadMessageError, match=r"no file or folder 'gaet\.mp4' here"):
            command()
    assert sent == []


@pytest.mark.parametrize("nothing", ["", " "])
def test_an_empty_address_is_not_this_folder(sent: list[str], nothing: str) -> None:
    for command in (
        lambda: cameras.add("gate", nothing),
        lambda: cameras.change("gate", url=nothing),
        lambda: cameras.look(nothing),
    ):
        with pytest.raises(BadMessageError, match=rf"^url: '{nothing}' is no address; name"):
            command()
    assert sent == []


def test_what_is_wrong_with_the_smaller_stream_is_said_of_it(sent: list[str]) -> None:
    for command in (
        lambda: cameras.add("gate", "rtsp://host/1", sub_url="sub.mp4"),
        lambda: cameras.change("gate", sub_url="sub.mp4"),
    ):
        with pytest.raises(BadMessageError, match=r"^sub_url: there is no file or folder 'sub\.mp4' here"):
            command()
    assert sent == []


FOUND = {
    "url": "rtsp://***@10.0.0.7/s",
    "error": None,
    "kind": "RTSP",
    "codec": "H.265",
    "width": 2560,
    "height": 1440,
    "stated_fps": 25.0,
    "measured_fps": 24.9,
    "key_frame_s": 2.0,
    "opened_s": 0.4,
    "first_picture_s": 0.1,
    "latency_s": 0.35,
    "pictures": 101,
    "damaged": 2,
    "hints": ["2 of 101 pictures were damaged"],
    "picture": base64.b64encode(b"\xff\xd8jpeg").decode(),
}


def test_what_a_stream_is_before_it_is_added(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def call(*arguments: Any, body: Any, waits_s: float) -> Any:
        asked.append((*arguments[1:], body))
        return FOUND

    monkeypatch.setattr(cameras, "call_api", call)
    cameras.look("rtsp://10.0.0.7/s", picture=tmp_path / "now.jpg")
    assert asked == [("POST", "/cameras/test", {"url": "rtsp://10.0.0.7/s"})]
    assert (tmp_path / "now.jpg").read_bytes() == b"\xff\xd8jpeg"
    told = " ".join(capsys.readouterr().out.split())
    for words in ("H.265", "2560 x 1440", "24.90", "every 2 s", "0.35 s", "101, 2 damaged", "- 2 of 101 pictures"):
        assert words in told


def test_a_stream_that_does_not_work_is_told_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = dict.fromkeys(FOUND) | {"error": "rtsp://10.0.0.7/s: user name or password is wrong (401)"}
    monkeypatch.setattr(cameras, "call_api", lambda *_, **__: found)
    with pytest.raises(typer.Exit) as ended:
        cameras.look("rtsp://10.0.0.7/s")
    assert ended.value.exit_code == 1
    assert "password is wrong" in capsys.readouterr().err


def test_masks_are_written_as_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[Any] = []
    monkeypatch.setattr(cameras, "call_api", lambda *_, body: bodies.append(body))
    cameras.add("gate", "rtsp://host/1", rotation=90, mask=["0,0.5 1,0.5 1,1"])
    cameras.change("gate", mask=[""])
    cameras.change("gate", fps=2.0)
    assert (bodies[0]["rotation"], bodies[0]["mask"]) == (90, [[[0, 0.5], [1, 0.5], [1, 1]]])
    assert bodies[1:] == [{"mask": []}, {"fps": 2.0}]
    for wrong in ("0;0 1;1", "nan,0 1,0 1,1", "0,0 inf,0 1,1", "0,0 1e999,0 1,1"):
        with pytest.raises(BadMessageError, match="write corners as x,y with blanks between"):
            cameras.add("gate", "rtsp://host/1", mask=[wrong])


def test_zones_are_written_as_names_and_corners() -> None:
    assert read_zones(["gate=0,0.5 1,0.5 1,1", "", "lane:report = 0,540 1920,540 1920,1080 @1920x1080"]) == [
        {"name": "gate", "mode": "mark", "polygon": [[0, 0.5], [1, 0.5], [1, 1]]},
        {"name": "lane", "mode": "report", "polygon": [[0, 540], [1920, 540], [1920, 1080]], "size": [1920, 1080]},
    ]
    for wrong in (
        "gate",
        "gate=0,0 1",
        "gate=0,a 1,1 0,1",
        "gate=0,0 1,1 nan,0",
        "gate=0,0 1,1 -inf,0",
        "gate=0,0 1,1 0,1@big",
        "=0,0 1,1 0,1",
    ):
        with pytest.raises(BadMessageError, match="is no zone; write NAME=corners"):
            read_zones([wrong])


def test_a_camera_is_tested_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Any] = []

    def call(*_arguments: Any, body: Any, **_: Any) -> Any:
        asked.append(body)
        return FOUND

    monkeypatch.setattr(cameras, "call_api", call)
    monkeypatch.chdir(tmp_path)
    cameras.look("gate")
    cameras.look("rtsp://10.0.0.7/s", zone=["a=0,0 1,0 1,1"])
    (tmp_path / "clip.mp4").write_bytes(b"")
    cameras.look("clip.mp4")
    assert asked == [
        {"camera_id": "gate"},
        {"url": "rtsp://10.0.0.7/s", "zones": read_zones(["a=0,0 1,0 1,1"])},
        {"url": str(tmp_path / "clip.mp4")},
    ]
    with pytest.raises(BadMessageError, match=r"'gate' is a camera's name, .* give the address"):
        cameras.look("gate", zone=["a=0,0 1,0 1,1"])
