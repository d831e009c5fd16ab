"""The examples of docs/reference/api.md, as they stand, against a real API."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.api.uploading import jpeg
from tests.unit.test_docs import ROOT, code_blocks

PAGE = ROOT / "docs/reference/api.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "car.jpg").write_bytes(jpeg(1))
    (tmp_path / "van.jpg").write_bytes(jpeg(2))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_python(api_url: str, operator_key: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for code in code_blocks(PAGE, "python"):
        exec(compile(code, "api.md", "exec"), {"URL": api_url, "KEY": operator_key})
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith(" 1")
    assert said[1:] == ["[]", "True"]


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl and jq are not installed")
def test_uploads_with_curl(api_url: str, operator_key: str, folder: Path) -> None:
    (uploads,) = (block for block in code_blocks(PAGE, "sh") if "files=@car.jpg" in block)
    commands = [line for line in uploads.splitlines() if "https://" not in line]  # nothing is fetched from elsewhere
    assert len(commands) == 4
    environment = os.environ | {"URL": api_url, "KEY": operator_key, "JOB": "", "no_proxy": "*"}
    for command in commands:
        command = command.replace("wait=10", "wait=0").replace("wait=30", "wait=0")
        done = subprocess.run(
            ["bash", "-c", f"set -e -o pipefail; {command} -sS --fail-with-body"],
            env=environment,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert '"status":"open"' in done.stdout
        environment["JOB"] = done.stdout.split('"job_id":"')[1].split('"')[0]
