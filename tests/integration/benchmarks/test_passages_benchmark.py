"""The benchmark of passages from pictures to figures, on small clips that stub models read."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from benchmarks.passages import __main__ as command
from benchmarks.passages import clips
from benchmarks.passages.clips import Clip, Shot, scenarios
from benchmarks.passages.picture import Seen
from sightline.testing import make_picture


def shot(time_s: float, vehicle: str, text: str, read: str | None = None) -> Shot:
    width = 8 * len(text)
    box = ((320 - width) / 2, 88.0, (320 + width) / 2, 152.0)
    return Shot(time_s, make_picture(read or text), (Seen(vehicle, text, box, 1.0),))


def small_clip(_seed: int, number: int) -> Clip:
    """One car, and another one after a minute; photos show a car each."""
    name = scenarios()[number]
    if clips.kind_of(name) == "photos":
        return Clip(name, number, "photos", 0, (shot(0, "v0", "AB12CD"), shot(0, "v1", "XY34ZZ")))
    car = [shot(step / 2, "v0", "AB12CD") for step in range(4)]
    later = [shot(60 + step / 2, "v1", "KL56MN") for step in range(3)]
    return Clip(name, number, "clear", 2, (*car, *later))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(logging, "disable", lambda _level: None)  # of the whole process
    monkeypatch.setattr("sys.argv", ["passages", *map(str, arguments)])
    return command.main()


def test_readings_are_kept_and_judged_under_all_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_PLATES_MODEL", "stub")
    monkeypatch.setenv("SIGHTLINE_RECOGNIZER", "stub")
    monkeypatch.setattr(clips, "draw", small_clip)
    figures, cache = tmp_path / "p.json", tmp_path / "kept"
    ours = ("--only", "queue", "photos, any", "--rules", "today", "shuffled", "before", "tracker", "--cache", cache)
    assert run(monkeypatch, *ours, "--clips", str(len(scenarios())), "--json", figures) == 0
    assert "all photos" in capsys.readouterr().out
    written = json.loads(figures.read_text())
    rows = {(row["rules"], row["part"]): row for row in written["figures"]}
    for rules in ("today", "shuffled", "before", "tracker"):
        row = rows[rules, "all"]
        assert (row["clips"], row["vehicles"], row["right"]["value"], row["perfect"]["value"]) == (2, 4, 1, 1), rules
    assert all(right for _, right in written["said"]["today"]["photos"])
    monkeypatch.setattr(clips, "draw", None)  # what was read is not drawn again
    assert run(monkeypatch, *ours, "--clips", str(len(scenarios()))) == 0


def test_faults_are_shown_on_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGHTLINE_PLATES_MODEL", "stub")
    monkeypatch.setenv("SIGHTLINE_RECOGNIZER", "stub")

    def misread(_seed: int, number: int) -> Clip:
        shots = tuple(shot(step / 2, "v0", "AB12CD", "XY99ZZ") for step in range(3))
        return Clip("queue", number, "clear", 2, shots)

    monkeypatch.setattr(clips, "draw", misread)
    page = tmp_path / "p.html"
    assert run(monkeypatch, "--clips", "1", "--cache", tmp_path, "--html", page) == 0
    text = page.read_text()
    assert "1 of 1 clips have a fault" in text
    assert "XY99ZZ" in text
    assert text.count('src="data:image/jpeg;base64,') == 3
