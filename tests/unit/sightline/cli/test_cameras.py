"""`sightline cameras`: how a file is named to a camera process in another folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sightline.cli import cameras
from sightline.errors import BadMessageError
from sightline.types import Pipeline


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that reach the API."""
    urls: list[str] = []

    def call(*_arguments: Any, body: dict[str, Any]) -> None:
        urls.append(body["url"])

    monkeypatch.setattr(cameras, "call_api", call)
    return urls


def test_a_file_is_sent_with_its_whole_path(sent: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gate.mp4").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    cameras.add("gate", "gate.mp4", Pipeline.PLATES)
    cameras.change("gate", url="gate.mp4")
    assert sent == [str(tmp_path / "gate.mp4")] * 2


@pytest.mark.parametrize("url", ["rtsp://host/1", "0", "/videos/on-another-machine.mp4"])
def test_what_may_be_elsewhere_is_sent_as_it_is(sent: list[str], url: str) -> None:
    cameras.add("gate", url, Pipeline.PLATES)
    assert sent == [url]


def test_a_relative_path_to_nothing_is_refused(sent: list[str]) -> None:
    for command in (lambda: cameras.add("gate", "gaet.mp4"), lambda: cameras.change("gate", url="gaet.mp4")):
        with pytest.raises(BadMessageError, match=r"no file 'gaet\.mp4' here"):
            command()
    assert sent == []
