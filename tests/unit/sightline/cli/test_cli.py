"""The command itself: its version, and how a shell completes it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata

import pytest

from sightline.cli import main


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
