"""`sightline explain` on a photo: the real processes, on a drawn picture that stub models find and read."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from sightline.cli import app
from sightline.errors import SettingsError
from sightline.testing import make_picture
from workers.tools.explain import explain_photo


@pytest.fixture(autouse=True)
def _stub_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("PLATES_MODEL", "stub"), ("RECOGNIZER", "stub"), ("DATA_DIR", str(tmp_path))):
        monkeypatch.setenv(f"SIGHTLINE_{name}", value)


def photo(folder: Path, text: str) -> Path:
    path = folder / "car.png"
    path.write_bytes(make_picture(text))
    return path


def test_a_photo_is_explained_and_drawn_with_one_command(tmp_path: Path) -> None:
    picture = tmp_path / "why.jpg"
    done = CliRunner().invoke(
        app, ["explain", str(photo(tmp_path, "AB12CD")), "--json", "--out", str(picture)], catch_exceptions=False
    )
    assert done.exit_code == 0
    explanation = json.loads(done.output)
    assert explanation["plate"] == "AB12CD"
    (candidate,) = explanation["candidates"]
    assert (candidate["verdict"], candidate["detection"]["confidence"]) == ("chosen", 0.9)
    assert [stage["stage"] for stage in explanation["stages"]] == ["detect", "ocr"]
    image = cv2.imread(str(picture))
    assert image is not None
    assert image.shape == (960 + 40 + 64, 1280, 3)


def test_what_is_no_picture_is_refused_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "car.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(SettingsError, match=r"^.*car\.jpg: image: starts with b'no pictu'.*$"):
        CliRunner().invoke(app, ["explain", str(path)], catch_exceptions=False)


def test_limits_of_the_settings_decide_but_hide_nothing(tmp_path: Path) -> None:
    from sightline.settings import load_settings

    path = photo(tmp_path, "AB12CD")
    unsure = explain_photo(path, load_settings(min_reading_confidence=0.95))
    assert (unsure.plate, unsure.candidates[0].why) == (None, "reading 0.90, below 0.95")
    weak = explain_photo(path, load_settings(min_confidence=0.95))
    assert (weak.plate, weak.candidates[0].why) == (None, "detector 0.90, below 0.95")
    assert explain_photo(photo(tmp_path, ""), load_settings()).why == "no plate: the detector found nothing"
