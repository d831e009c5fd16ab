"""The accuracy benchmark from folder to page, on drawn pictures that stub models find and read."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from benchmarks.accuracy import __main__ as command
from benchmarks.accuracy import passages
from benchmarks.accuracy.clips import Clip
from benchmarks.accuracy.run import CONFIGS, Config
from sightline.testing import make_picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Three pictures of 320 x 240 with eight cells of 8 px for each character; the last label is wrong."""
    folder = tmp_path / "photos" / "here"
    folder.mkdir(parents=True)
    lines = ["file\tx\ty\twidth\theight\tplate"]
    for name, text, label in (("a.png", "AB12CD", "AB12CD"), ("b.png", "XY34", "XY34"), ("c.png", "KL56MN", "KL58MN")):
        (folder / name).write_bytes(make_picture(text))
        width = 8 * len(text)
        lines.append(f"{name}\t{(320 - width) // 2}\t88\t{width}\t64\t{label}")
    (folder / "truth.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path / "photos"


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "stub", Config("drawn pictures", {"plates_model": "stub", "recognizer": "stub"}))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(logging, "disable", lambda _level: None)  # of the whole process
    monkeypatch.setattr("sys.argv", ["accuracy", *map(str, arguments)])
    return command.main()


@pytest.mark.usefixtures("stub")
def test_a_run_prints_a_table_and_writes_figures_and_misses(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures, page = tmp_path / "a.json", tmp_path / "a.html"
    assert run(monkeypatch, photos, "--alone", "--config", "stub", "--json", figures, "--html", page) == 0
    assert "66.7 [21-94]" in capsys.readouterr().out
    written = json.loads(figures.read_text())
    by_half = {row["half"]: row for row in written["figures"]}
    assert by_half["all"]["photos"] == 3
    assert by_half["all"]["found_first"]["value"] == 1
    assert by_half["dev"]["exact"]["value"] == 0.5
    assert by_half["test"]["exact"]["value"] == 1
    assert by_half["all"]["error_rate"]["value"] == pytest.approx(1 / 16)
    assert by_half["all"]["detect_ms"] is not None
    assert by_half["all"]["submitted"] is None
    assert [photo["plate"] for photo in written["photos"]] == ["AB12CD", "XY34", "KL56MN"]
    (miss,) = page.read_text().split("<figure>")[1:]
    assert "misread: 8→6 at 4" in miss
    assert 'src="data:image/jpeg;base64,' in miss
    assert "http" not in page.read_text()


@pytest.mark.usefixtures("stub")
def test_what_is_not_to_be_had_is_left_out_unless_asked_for(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in CONFIGS if name != "stub"]:
        monkeypatch.delitem(CONFIGS, name)
    monkeypatch.setitem(
        CONFIGS, "none", Config("weights that nobody has", {"plates_model": "none", "recognizer": "stub"})
    )
    assert run(monkeypatch, photos, "--alone") == 0
    assert "none: left out, unknown model 'none'" in capsys.readouterr().out
    assert run(monkeypatch, photos, "--config", "none") == 2
    assert "unknown model 'none'" in capsys.readouterr().err


def test_a_damaged_photo_is_named(
    photos: Path, stub: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "here" / "b.png").write_bytes(b"no picture")
    assert run(monkeypatch, photos, "--config", "stub") == 2
    assert "b.png" in capsys.readouterr().err


@pytest.mark.usefixtures("stub")
def test_clips_go_through_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    frames = tuple(make_picture(text) for text in ("AB12CD", "AB12CD", "A812CD"))
    monkeypatch.setattr(passages, "draw_clip", lambda _seed, _number: Clip("AB12CD", 20.0, frames))
    figures = tmp_path / "c.json"
    assert run(monkeypatch, "--config", "stub", "--clips", "2", "--json", figures) == 0
    assert "only the" in capsys.readouterr().out
    *_, everything = json.loads(figures.read_text())["clips"]
    assert (everything["clips"], everything["readings"], everything["passages_a_clip"]) == (2, 6, 1)
    assert everything["voted_exact"]["value"] == 1
    assert everything["reading_exact"]["value"] == pytest.approx(2 / 3)


def test_nothing_to_measure_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch)
    assert "name a folder of photos, or give --clips" in capsys.readouterr().err
