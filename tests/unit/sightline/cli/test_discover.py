"""`sightline cameras discover`: what it prints is what is typed next."""

from typing import Any

import pytest
import typer

from sightline.cli import discover as command

MAIN = {"url": "rtsp://10.0.0.7/main", "name": "m", "codec": "H265", "width": 2560, "height": 1440, "fps": 25.0}
SUB = {"url": "rtsp://10.0.0.7/sub?a=1&b=2", "name": "s", "codec": None, "width": None, "height": None, "fps": None}
GATE = {"address": "10.0.0.7", "name": "[red]Gate\x1b[2J", "streams": [MAIN, SUB], "error": None, "clock_off_s": 0.1}
SHUT = {"address": "10.0.0.8", "name": None, "streams": [], "error": "it wants a user name", "clock_off_s": None}


def ran(monkeypatch: pytest.MonkeyPatch, items: list[Any], **options: Any) -> dict[str, Any]:
    """The body that was sent."""
    bodies: list[dict[str, Any]] = []
    monkeypatch.setattr(command, "call_api", lambda *_, body, waits_s: bodies.append(body) or {"items": items})
    command.discover(**options)
    return bodies[0]


def test_cameras_and_how_to_add_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    body = ran(monkeypatch, [GATE, SHUT], user="onvif", password="s3cret")
    assert body == {"user": "onvif", "password": "s3cret", "address": None, "seconds": 3.0}
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "10.0.0.7  [red]Gate\\x1b[2J"
    assert lines[1] == "  rtsp://10.0.0.7/main  H265, 2560 x 1440, 25 fps"
    assert lines[2] == "  rtsp://10.0.0.7/sub?a=1&b=2  codec not known, size not known"
    assert lines[3] == (
        "  sightline cameras add NAME rtsp://onvif:PASSWORD@10.0.0.7/main"
        " --sub-url 'rtsp://onvif:PASSWORD@10.0.0.7/sub?a=1&b=2'"
    )
    assert lines[4:] == ["10.0.0.8  no name", "  it wants a user name"]
    assert "s3cret" not in "".join(lines)


def test_what_a_camera_says_cannot_become_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = {**MAIN, "url": "rtsp://10.0.0.7/'; rm -rf ~ #"}
    ran(monkeypatch, [{**GATE, "streams": [evil]}])
    added = capsys.readouterr().out.splitlines()[-1]
    assert added.endswith("""NAME 'rtsp://USER:PASSWORD@10.0.0.7/'"'"'; rm -rf ~ #'""")


def test_none_is_told_with_what_to_look_at(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        ran(monkeypatch, [])
    assert ended.value.exit_code == 1
    assert "Is ONVIF on in their settings" in capsys.readouterr().err


def test_the_password_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "prompt", lambda *_, hide_input: "typed" if hide_input else "shown")
    assert ran(monkeypatch, [GATE], user="onvif")["password"] == "typed"
