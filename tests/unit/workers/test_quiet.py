"""What workers load tells nobody about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
_LISTEN = """
import sys
def hook(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print("TALKED", event, arguments, file=sys.stderr)
sys.addaudithook(hook)
"""


@pytest.mark.parametrize("module", ["workers.detectors.openvino_session", "workers.models.rapid", "workers.app"])
def test_loading_openvino_tells_nobody(module: str) -> None:
    code = (
        f"{_LISTEN}\nimport {module}, openvino, time\ntime.sleep(1)\nassert sys.modules['openvino_telemetry'] is None"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, "TALKED" in done.stderr) == (0, False), done.stderr
