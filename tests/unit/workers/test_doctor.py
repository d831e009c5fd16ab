"""What the doctor says of models is what workers open, so that its sums are those in the rows."""

from __future__ import annotations

from pathlib import Path

from sightline.settings import load_settings
from workers.models.files import resolve
from workers.tools.doctor import look_at_models


def test_the_file_that_runs_is_named(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, device="cpu")
    found = {finding.what.removeprefix("model: "): finding for finding in look_at_models(settings)}
    for name in ("plates-detector", "plates-recognizer", "ppocr-rec"):
        file = resolve(name, settings, suffix=".onnx")
        assert found[name].says.startswith(f"{file.path.name}, sha256 {file.sha256[:12]}…, runs in ")
