"""`python -m workers.tools.check`: a name that nobody knows, and what a worker of some queues would load."""

from __future__ import annotations

import pytest

from workers.tools import check


def test_names_that_are_known_pass_and_others_name_their_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check.main([]) == 0
    monkeypatch.setenv("SIGHTLINE_TEXT_MODEL", "nothing-like-it")
    assert check.main([]) == 2
    assert capsys.readouterr().err.startswith("SIGHTLINE_TEXT_MODEL: ")


@pytest.mark.parametrize(
    ("queues", "setting", "said"),
    [("gpu.detect", "text_model", "nothing-like-it"), ("cpu.ocr", "recognizer", "PADDLEOCR_DIR")],
)
def test_what_the_workers_of_a_queue_cannot_load_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], queues: str, setting: str, said: str
) -> None:
    monkeypatch.setenv("SIGHTLINE_PLATES_MODEL", "stub")
    monkeypatch.setenv(f"SIGHTLINE_{setting.upper()}", "paddleocr" if setting == "recognizer" else "nothing-like-it")
    assert check.main(["-Q", "db.write"]) == 0
    assert check.main(["-Q", queues]) == 2
    assert said in capsys.readouterr().err
