"""What is typed as the address of a sink."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sightline.cli import app, main, sinks


@pytest.mark.parametrize("address", ["127.0.0.1:18099", "10.0.0.9:8080/hook", "gate.example:80", "localhost:1883/x"])
def test_an_address_without_a_scheme_is_no_folder(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["sightline", "sinks", "add", "gate", address])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"write http://{address}" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("word", ["", "slack", ".", "events.jsonl"])
def test_a_word_is_no_target(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip would make a folder where the command was typed, and events would go there unseen."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sinks, "call_api", lambda *_, **__: pytest.fail("was asked"))
    monkeypatch.setattr("sys.argv", ["sightline", "sinks", "add", "odd", word])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err.replace("\n", " ")
    for form in (repr(word), "http(s)://", "mqtt(s)://", "kafka(s)://", "/folder/"):
        assert form in said
    assert ("./slack for a folder" in said) is (word == "slack")


def test_a_folder_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, Any] = {}

    def call(*_: Any, body: dict[str, Any]) -> dict[str, Any]:
        sent.update(body)
        return {"kind": "jsonl", "url": body["url"], "secret": None}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sinks, "call_api", call)
    done = CliRunner().invoke(app, ["sinks", "add", "archive", "./events"])
    assert done.exit_code == 0, done.output
    assert sent["url"] == (tmp_path / "events").as_uri()
    assert f"jsonl to {sent['url']}" in done.output.replace("\n", "")
