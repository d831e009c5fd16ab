"""The command itself: its version, and how a shell completes it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
import typer.main
from rich.text import Text

from sightline.cli import app, main


def test_it_says_its_version(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["sightline", "--version"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().out) == (0, f"sightline {metadata.version('sightline')}\n")


def test_a_shell_can_complete_commands_and_options() -> None:
    program = "import sys; sys.argv[0] = 'sightline'; from sightline.cli import main; main()"

    def completed(words: str) -> list[str]:
        asked = {"_SIGHTLINE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            [sys.executable, "-c", program], env=os.environ | asked, capture_output=True, text=True, check=False
        )
        return done.stdout.split()

    assert completed("sightline pas") == ["passages"]
    assert completed("sightline passages --un") == ["--until"]
    assert completed("sightline sinks te") == ["test"]


def _helps(command: Any) -> Iterator[str]:
    yield from (part.help for part in (command, *command.params) if getattr(part, "help", None))
    for one in getattr(command, "commands", {}).values():
        yield from _helps(one)


def test_no_bracket_of_a_help_text_is_taken_for_markup() -> None:
    helps = list(_helps(typer.main.get_command(app)))
    assert any("sightline\\[pictures]" in text for text in helps)
    for text in helps:
        assert Text.from_markup(text).plain == text.replace("\\[", "[")
