"""The guard of the hot path's cost can fail, and says what to do then."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks import guard
from workers import images


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "guard.json"
    path.write_text("{}")
    monkeypatch.setattr(guard, "KNOWN", path)
    return path


def test_a_slower_function_fails_it(
    known: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--only", "decode", "--rounds", "3"]
    assert guard.main([*options, "--write"]) == 0
    measured = json.loads(known.read_text())["decode"]
    assert 0.9 < measured < 3
    capsys.readouterr()
    quick = images.check_image

    def slow(*arguments: Any, **keywords: Any) -> Any:
        until = time.thread_time() + 0.01
        while time.thread_time() < until:
            pass
        return quick(*arguments, **keywords)

    monkeypatch.setattr(images, "check_image", slow)
    assert guard.main(options) == 1
    said = capsys.readouterr().out
    assert f"decode of a 360p JPEG to cv2.imdecode was {measured:.2f}, is " in said
    assert "Look at workers/images.py" in said
    assert "make guard ARGS=--write" in said


def test_what_was_never_measured_fails_it(known: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert guard.main(["--only", "message", "--rounds", "1"]) == 1
    assert "message" in capsys.readouterr().out
    assert json.loads(known.read_text()) == {}


def test_all_that_is_measured_is_known() -> None:
    assert set(json.loads(guard.KNOWN.read_text())) == set(guard._PARTS)
