"""`docs/how-to/cameras.md`: its commands run as they stand, against the API in this process."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from sightline.cli import app, discover, queries, sinks
from sightline.cli import cameras as cli
from tests.cameras import write_clip
from tests.onvif_camera import PASSWORD, onvif_camera

PAGE = (Path(__file__).parents[3] / "docs/how-to/cameras.md").read_text("utf-8")


def _commands() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0] for line in lines if line.startswith("sightline ")]


def test_the_commands_of_the_page_run(client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    clip = write_clip(tmp_path / "clip.mp4", seconds=1)

    def call(_settings: Any, method: str, path: str, *, body: Any = None, **_: Any) -> Any:
        if path == "/cameras/test":
            body = {"url": str(clip)}  # there is no camera at 10.0.0.7
        if path == "/cameras/discover":
            body["address"] = found.address
        answer = client.request(method, f"/v1{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def list_items(_settings: Any, path: str, query: dict[str, Any], **_: Any) -> Any:
        asked = {name: value for name, value in query.items() if value is not None}
        return call(None, "GET", f"{path}?{urlencode(asked)}")["items"]

    monkeypatch.setattr(cli, "call_api", call)
    monkeypatch.setattr(sinks, "call_api", call)
    monkeypatch.setattr(queries, "list_items", list_items)
    monkeypatch.setattr(discover, "call_api", call)
    commands = _commands()
    assert len(commands) > 1
    with onvif_camera() as found:
        for command in commands:
            done = CliRunner().invoke(app, shlex.split(command)[1:], input=f"{PASSWORD}\n")
            assert done.exit_code == 0, f"{command}\n{done.output}"
            if "discover" in command:
                shown = re.findall(r"^  sightline cameras add .*$", PAGE, re.MULTILINE)
                assert shown[0] in done.output
