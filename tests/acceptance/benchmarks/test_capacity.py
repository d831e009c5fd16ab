"""`sightline capacity` measures real processes. What it finds is not judged: machines differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from sightline.testing import make_picture

ROOT = Path(__file__).parents[3]
STUBS = {"PLATES_MODEL": "stub", "TEXT_MODEL": "stub", "OBJECTS_MODEL": "stub", "RECOGNIZER": "stub"}


def test_it_measures_saves_and_answers(tmp_path: Path) -> None:
    pictures, saved = tmp_path / "pictures", tmp_path / "times.json"
    pictures.mkdir()
    for number in range(4):  # every other one has a plate
        (pictures / f"{number}.png").write_bytes(make_picture("KAB4721" if number % 2 else ""))
    options = ["--pictures", str(pictures), "--seconds", "3", "--save", str(saved), "--p95-ms", "2000", "--json"]
    # Services of the settings are left alone: these would not answer.
    services = {"REDIS_URL": "redis://127.0.0.1:1/0", "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    broker = {"SIGHTLINE_BROKER_URL": "amqp://127.0.0.1:1/"}
    environment = os.environ | services | broker | {f"SIGHTLINE_{name}": value for name, value in STUBS.items()}
    command = [sys.executable, "-m", "sightline", "capacity", *options]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["cameras"] >= 1
    assert 0 < found["p95_ms"] <= 2000
    assert set(found["one_more"]) == {"detect", "ocr", "write"}
    times = found["service_times"]
    assert times["crops_per_frame"] == 0.5
    assert times["measured_frames_per_s"] > 1
    assert all(role["message_ms"] + role["frame_ms"] > 0 for role in times["roles"].values())
    assert json.loads(saved.read_text()) == times
