"""Detectors and recognizers of other packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.errors import SettingsError
from sightline.settings import load_settings
from tests.installing import write_package
from workers.detectors import open_detector
from workers.models.registry import find_model
from workers.recognizers import open_plates_recognizer, open_recognizer

CODE = """
from sightline.testing import StubDetector, StubRecognizer

def open_detector(name, settings):
    return StubDetector(name, call_ms=7)

class Ours(StubRecognizer):
    pass

def open_recognizer(settings):
    return Ours()
"""
POINTS = {"detectors": "rt-detr = our_models:open_detector", "recognizers": "ours = our_models:open_recognizer"}


def test_a_model_of_a_kind_that_a_package_brings_is_opened_by_it(packages: Path, tmp_path: Path) -> None:
    write_package(packages, "our_models", CODE, **POINTS)
    (tmp_path / "models.toml").write_text('[models.gate]\nkind = "rt-detr"\nsource = "gate.onnx"\n')
    settings = load_settings(models_file=tmp_path / "models.toml")
    assert find_model("gate", settings).kind == "rt-detr"
    assert open_detector("gate", settings).model.name == "gate"


def test_a_kind_that_nobody_brings_is_refused_and_all_are_named(packages: Path, tmp_path: Path) -> None:
    write_package(packages, "our_models", CODE, **POINTS)
    (tmp_path / "models.toml").write_text('[models.gate]\nkind = "rt-dert"\nsource = "gate.onnx"\n')
    with pytest.raises(
        SettingsError, match=r"models.gate.kind: .*'yolo26', .*'stub', 'rt-detr' or 'ours' .got 'rt-dert'"
    ):
        find_model("gate", load_settings(models_file=tmp_path / "models.toml"))


def test_a_recognizer_of_a_package_reads_all_text_or_plates_alone(packages: Path) -> None:
    write_package(packages, "our_models", CODE, **POINTS)
    for_all = load_settings(recognizer="ours", plates_recognizer="ours")
    assert type(open_recognizer(for_all)).__name__ == "Ours"
    assert open_plates_recognizer(for_all) is None, "the same is not loaded twice"
    for_plates = load_settings(recognizer="stub", plates_recognizer="ours")
    assert type(open_plates_recognizer(for_plates)).__name__ == "Ours"
    assert type(open_recognizer(for_plates)).__name__ == "StubRecognizer"


@pytest.mark.parametrize(
    ("setting", "known"),
    [("recognizer", "'rapidocr', 'paddleocr' or 'stub'"), ("plates_recognizer", "'auto', '', 'plates' or 'voted'")],
)
def test_a_recognizer_that_nobody_brings_is_refused(packages: Path, setting: str, known: str) -> None:
    with pytest.raises(SettingsError, match=f"SIGHTLINE_{setting.upper()}: Input should be {known}"):
        load_settings(**{setting: "ours"})


def test_two_packages_cannot_bring_one_name(packages: Path) -> None:
    write_package(packages, "our_models", CODE, **POINTS)
    write_package(packages, "their_models", CODE, recognizers="ours = their_models:open_recognizer")
    with pytest.raises(SettingsError, match=r"'ours' comes from the package .* and the package .*; remove one"):
        load_settings(recognizer="ours")


def test_a_package_that_cannot_be_imported_is_named(packages: Path) -> None:
    write_package(packages, "our_models", "import nothing_like_this\n", **POINTS)
    with pytest.raises(SettingsError, match=r"'ours' of the package our-models .*No module named 'nothing_like_this'"):
        open_recognizer(load_settings(recognizer="ours"))
