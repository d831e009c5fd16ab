"""What the command line says where nothing answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.cli import main
from sightline.client.whereabouts import say_where
from sightline.settings import load_settings
from tests.conftest import free_port


def test_beside_no_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    start = "start one with `sightline up`, or name its folder with --data"
    assert say_where(load_settings(), "REDIS_URL") == f"no Sightline at ./data: {start}"
    assert say_where(load_settings(data_dir=tmp_path), "API_URL") == f"no Sightline at {tmp_path}: {start}"


def test_beside_the_folder_of_one_that_is_stopped(tmp_path: Path) -> None:
    (tmp_path / "run.env").touch()
    said = say_where(load_settings(data_dir=tmp_path), "REDIS_URL")
    assert said == f"the Sightline at {tmp_path} is not running: start it with `sightline up --data {tmp_path}`"


def test_where_an_address_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGHTLINE_API_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr("sys.argv", ["sightline", "passages"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3
    assert "nothing answers where SIGHTLINE_API_URL says: is it running there?" in capsys.readouterr().err
