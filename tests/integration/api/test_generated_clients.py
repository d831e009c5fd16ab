"""Clients that others' tools generate from the OpenAPI document do a job each. `make test-clients` installs them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sightline.types import FrameResult
from tests.integration.api.uploading import jpeg

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "tests/clients"
TOOLS = Path(os.environ.get("CLIENTS_VENV", ROOT / ".venv-clients")).resolve()
Does = Callable[..., None]

pytestmark = [
    pytest.mark.skipif(not (TOOLS / "installed").exists(), reason=f"no tools in {TOOLS.name}: make test-clients"),
    pytest.mark.timeout(300),
]
needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="openapi-generator needs Java")


@pytest.fixture
def document(client: TestClient, tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(client.get("/openapi.json").json()))
    return path


@pytest.fixture
def job(api_url: str, operator_key: str, stored: FrameResult, tmp_path: Path) -> Does:
    """Runs what does a job with a generated client, and looks at what it says."""
    (tmp_path / "car.jpg").write_bytes(jpeg())

    def does(*command: str | Path) -> None:
        said = run(*command, api_url, operator_key, tmp_path / "car.jpg", folder=tmp_path)
        assert said.split()[1:] == ["KAB4721"]

    return does


def run(*command: str | Path, folder: Path) -> str:
    environment: dict[str, Any] = os.environ | {"PYTHONPATH": folder, "NO_PROXY": "*", "NO_COLOR": "1"}
    environment["PATH"] = f"{TOOLS / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def npm(name: str) -> Path:
    return TOOLS / "node_modules/.bin" / name


def test_openapi_python_client(document: Path, job: Does, tmp_path: Path) -> None:
    (tmp_path / "config.yml").write_text("content_type_overrides: {image/jpeg: application/octet-stream}\n")
    options = ["--meta", "none", "--fail-on-warning", "--config", tmp_path / "config.yml"]
    tool = TOOLS / "bin/openapi-python-client"
    run(tool, "generate", "--path", document, "--output-path", tmp_path / "generated", *options, folder=tmp_path)
    job(TOOLS / "bin/python", SCRIPTS / "with_openapi_python_client.py")


@needs_java
def test_openapi_generator_for_python(document: Path, job: Does, tmp_path: Path) -> None:
    generate("python", document, tmp_path, "--package-name", "generated")
    job(TOOLS / "bin/python", SCRIPTS / "with_openapi_generator.py")


@needs_java
def test_openapi_generator_for_typescript(document: Path, job: Does, tmp_path: Path) -> None:
    generate("typescript-fetch", document, tmp_path / "generated")
    job("node", compiled("with_typescript_fetch.ts", tmp_path))


def test_openapi_typescript(document: Path, job: Does, tmp_path: Path) -> None:
    run(npm("openapi-typescript"), document, "-o", tmp_path / "generated.d.ts", folder=tmp_path)
    job("node", compiled("with_openapi_typescript.ts", tmp_path))


def generate(kind: str, document: Path, to: Path, *options: str) -> None:
    tool = TOOLS / "bin/openapi-generator-cli"
    run(tool, "generate", "-i", document, "-g", kind, "-o", to, *options, folder=document.parent)


def compiled(script: str, folder: Path) -> Path:
    """As JavaScript, checked strictly against what was generated."""
    shutil.copy(SCRIPTS / script, folder)
    (folder / "node_modules").symlink_to(TOOLS / "node_modules")
    options = ["--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node"]
    run(npm("tsc"), *options, "--outDir", folder / "out", script, folder=folder)
    return folder / "out" / Path(script).with_suffix(".js").name


def test_redocly_finds_nothing(document: Path, tmp_path: Path) -> None:
    run(npm("redocly"), "lint", "--max-problems", "5", document, folder=tmp_path)
    said = json.loads(run(npm("redocly"), "lint", "--format", "json", document, folder=tmp_path))
    assert said["totals"] == {"errors": 0, "warnings": 0, "ignored": 0}


def test_spectral_finds_nothing(document: Path, tmp_path: Path) -> None:
    (tmp_path / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n')
    run(npm("spectral"), "lint", "--fail-severity", "hint", document, folder=tmp_path)
