"""`sightline submit`: what it says of files and results, and what it refuses before it connects."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sightline.cli.submit import Finished, Printer
from sightline.types import FrameError, FrameRef, FrameResult, Reading

FRAME = FrameRef(frame_id="frame-0001", source_id="gate", captured_at=datetime(2026, 1, 2, tzinfo=UTC))


def test_texts_that_were_read_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(as_json=False, wait=True)
    texts = ["[/AB 123]", "KAB 4721"]
    readings = tuple(Reading(text=text, confidence=0.98) for text in texts)
    dead = FrameError(reason="model_unavailable", message="pip install '.[gpu]'", stage="detect")
    assert printer.show(Finished(Path("car [1].jpg"), (FrameResult(frame=FRAME, readings=readings),), "job")) == 0
    assert printer.show(Finished(Path("van.jpg"), (FrameResult(frame=FRAME, error=dead),), "job")) == 1
    assert [row.split(maxsplit=2) for row in capsys.readouterr().out.splitlines()] == [
        ["car", "[1].jpg", "[/AB 123] 0.98  KAB 4721 0.98"],
        ["van.jpg", "dead:", "pip install '.[gpu]'"],
    ]
