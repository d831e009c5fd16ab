"""`sightline capacity` on paper, and what it refuses before it starts anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sightline.capacity.costs import ModelTime, Price, RoleTimes, ServiceTimes, save_service_times
from sightline.cli import app
from sightline.errors import SettingsError


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A GPU that takes 10 ms an image, so 20 cameras at 5 fps, and 32 cores that have little to do."""
    gpu = ModelTime(call_ms=0, image_ms=10, call_cpu_ms=0, image_cpu_ms=0.1)
    cheap = RoleTimes(message_ms=1, frame_ms=0.5)
    times = ServiceTimes(
        cores=32,
        max_batch_size=16,
        concurrency=8,
        crops_per_frame=0.5,
        publish=Price(message_ms=1, frame_ms=0.2),
        redis=Price(message_ms=0.5, frame_ms=0),
        roles={"detect": RoleTimes(message_ms=1, frame_ms=1, model=gpu), "ocr": cheap, "write": cheap},
    )
    save_service_times(tmp_path / "times.json", times)
    return tmp_path / "times.json"


def capacity(*arguments: object) -> str:
    done = CliRunner().invoke(app, ["capacity", *map(str, arguments)])
    if isinstance(done.exception, SettingsError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def test_on_paper(saved: Path) -> None:
    found = json.loads(capacity("--service-times", saved, "--json"))
    assert 18 <= found["cameras"] <= 20
    assert found["saturates_first"] == "detect"
    assert found["p95_ms"] <= 1000
    assert found["one_more"]["detect"] > 10
    assert found["one_more"]["write"] == 0
    assert found["cores"] == 32


def test_more_workers_more_cameras_and_fewer_cores_fewer(saved: Path) -> None:
    two = json.loads(capacity("--service-times", saved, "--workers", "detect=2", "--json"))
    assert two["cameras"] > 30
    assert two["workers"] == {"detect": 2, "ocr": 1, "write": 1}
    # 0.2 + 1 + 0.1 + 0.25 + 0.5 ms of CPU a frame, and what messages cost.
    small = json.loads(capacity("--service-times", saved, "--workers", "detect=9", "--cores", "1", "--json"))
    assert small["saturates_first"] == "cores"
    assert small["cores"] == 1


def test_the_table_has_every_role_and_says_what_is_first(saved: Path) -> None:
    said = capacity("--service-times", saved, "--p95-ms", "500")
    assert "cameras at 5 fps with p95 <= 500 ms on 32 cores" in said
    assert "first to saturate: detect" in said
    assert all(f"\n{name} " in said for name in ("detect", "ocr", "write", "cores"))


def test_no_camera_at_all_is_said(saved: Path) -> None:
    said = capacity("--service-times", saved, "--p95-ms", "5")
    assert said.startswith("0 cameras at 5 fps with p95 <= 5 ms")
    assert "not even one" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--workers", "detect=0"], "--workers: 'detect=0' is not one of detect, ocr, write with a number from 1 on"),
        (["--workers", "gpu=2"], "--workers: 'gpu=2' is not one of detect, ocr, write"),
        (["--fps", "0"], "--fps: 0 is no such number; give one above 0"),
        (["--fps", "25"], "--fps: 25 is more than the 10 a second of one camera that SIGHTLINE_CAMERA_TICK_MS=100"),
        (["--p95-ms", "-1"], "--p95-ms: -1 is no such number"),
        (["--cores", "0"], "--cores: 0 is no such number"),
        (["--seconds", "0"], "--seconds: 0 is too short"),
        (["--pictures", "/no/such/folder"], "--pictures: there is no folder /no/such/folder"),
        (["--service-times", "no.json"], "--service-times no.json: No such file or directory; write one with"),
        (["--service-times", "no.json", "--save", "other.json"], "--save has no meaning with --service-times"),
        (["--check", "--service-times", "no.json"], "--service-times has no meaning with --check"),
        (["--check", "--cores", "4"], "--cores has no meaning with --check"),
    ],
)
def test_wrong_input_names_option_value_and_cure(arguments: list[str], words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        capacity(*arguments)
    assert str(refused.value).startswith(words)


def test_a_missing_library_is_named(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"simpy, which is not installed: pip install 'sightline\[capacity\]'"):
        capacity("--service-times", saved)
