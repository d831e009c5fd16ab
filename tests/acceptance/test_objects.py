"""`objects` in a fresh installation: its weights come over the network while everything else goes on."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sightline import Sightline
from sightline.testing import make_picture
from sightline.types import JobStatus, Pipeline
from tests.acceptance.parts.system import System
from tests.file_server import serving
from tests.unit.onnx_models import write_yolox_rectangle_model


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of `localhost`, with its key, trusted by every process that is started from here."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    file, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(file)]
    subprocess.run(["openssl", *made, *names], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("NO_PROXY", "localhost")
    return file


def test_weights_are_downloaded_for_the_first_job_and_delay_no_other_pipeline(
    tmp_path: Path, redis_url: str, certificate: Path
) -> None:
    weights = write_yolox_rectangle_model(tmp_path / "published.onnx").read_bytes()
    with serving(weights, certificate=certificate, holds=True) as server:
        models = tmp_path / "models.toml"
        models.write_text(
            f'[models.yolox-s]\nkind = "yolox"\nlabels = ["thing"]\n'
            f'source = "https://localhost:{server.port}/yolox_s.onnx"\nsha256 = "{server.sha256}"\n'
        )
        system = System(
            tmp_path,
            redis_url,
            plates_model="stub",
            recognizer="stub",
            text_model="stub",
            models_file=models,
            offline=False,
        )
        try:
            system.start("worker")
            with Sightline(system.settings) as client:
                photos = [make_picture(f"AB1{number}CD") for number in range(9)]
                waiting = [client.submit(photo, pipeline=Pipeline.OBJECTS) for photo in photos]  # it has four threads
                plates = client.submit(make_picture("XY12Z"), pipeline=Pipeline.PLATES).wait(30)
                assert (plates.status, server.begins) == (JobStatus.STORED, [0])
                assert not (tmp_path / "models" / "yolox_s.onnx").exists()
                server.go_on.set()
                assert {job.wait(30).status for job in waiting} == {JobStatus.STORED}
                system.wait_until_quiet()
                counts = client.publisher.ledger.counts()
        finally:
            server.go_on.set()
            system.stop()
    assert server.begins == [0]
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["yolox_s.onnx"]
    assert sum(count["stored"] for count in counts.values()) == 10
