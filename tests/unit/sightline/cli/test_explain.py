"""`sightline explain`: what it refuses before it does anything, and how it shows a frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sightline.cli import app, explain
from sightline.errors import BadMessageError, SettingsError

CANDIDATE: dict[str, Any] = {
    "index": 0,
    "detection": {"confidence": 0.91},
    "height_px": 24.3,
    "reading": {"text": "KAB [bold] 4721", "confidence": 0.98},
    "verdict": "not_a_plate",
    "why": "10 of A-Z and 0-9, and no country writes them so",
}
EXPLANATION: dict[str, Any] = {
    "frame": {
        "frame_id": "frame-0001",
        "name": "/photos/car.jpg",
        "captured_at": "2024-05-06T07:08:09.250000Z",
        "time_from": "exif",
    },
    "width": 640,
    "height": 480,
    "plate": None,
    "why": "no plate: box 0 not a plate",
    "candidates": [
        CANDIDATE,
        CANDIDATE | {"index": 1, "reading": None, "verdict": "unread", "why": "nothing was read"},
    ],
    "stages": [{"stage": "detect", "model": "plates", "runtime": "openvino", "inference_ms": 17.4}],
}


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["explain", *arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("what", ["no-such-file.jpg", "short", "../etc"])
def test_what_is_neither_a_file_nor_a_frame_is_refused(what: str) -> None:
    with pytest.raises(BadMessageError, match=r"no such file, and it is no frame id"):
        run(what)


def test_where_nothing_can_be_written_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"x\.png is written as JPEG; call it x\.jpg"):
        run("frame-0001", "--out", str(tmp_path / "x.png"))
    with pytest.raises(SettingsError, match=r"--out: there is no folder .*none; make it first"):
        run("frame-0001", "--out", str(tmp_path / "none" / "x.jpg"))


def test_a_stored_frame_is_asked_for_and_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[str] = []

    def answer(_settings: object, *parts: str) -> Any:
        asked.append(parts[-1])
        return EXPLANATION

    monkeypatch.setattr(explain, "call_api", answer)
    monkeypatch.setattr(explain, "fetch", lambda _settings, path: asked.append(path) or b"jpeg")
    picture = tmp_path / "why.jpg"
    head, _, first, second, taken, stage = run("frame-0001", "--out", str(picture)).splitlines()
    assert head == "car.jpg, 640 x 480: no plate: box 0 not a plate"
    assert "KAB [bold] 4721" in first
    assert "0.98  not a plate  10 of A-Z" in first
    assert second.split() == ["1", "0.91", "24", "unread", "nothing", "was", "read"]
    assert taken == "captured 2024-05-06 07:08:09 UTC, time from exif; stands alone"
    assert stage == "detect: plates in openvino, 17 ms"
    assert asked == ["/frames/frame-0001/explanation", "/frames/frame-0001/explanation/picture"]
    assert picture.read_bytes() == b"jpeg"
