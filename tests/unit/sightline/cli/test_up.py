"""What `sightline up` refuses before it starts anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.cli.operating.up import _parse_workers
from sightline.errors import SettingsError
from sightline.local.embedded_redis import is_free
from tests.installing import forget_packages, write_package

ROOT = Path(__file__).parents[4]


def up(*arguments: str, **settings: str) -> tuple[int, str]:
    """Exit code and what it said."""
    environment = os.environ | {f"SIGHTLINE_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "sightline", "up", *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


@pytest.mark.parametrize("option", ["--port", "--flower-port"])
def test_a_taken_port_is_refused(option: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        free = ["--port", "1"] if option == "--flower-port" else []
        said = up("--data", str(tmp_path / "data"), *free, option, str(port))
        kept = tmp_path / "kept"
        kept.mkdir()
        assert up("--data", str(kept), *free, option, str(port))[0] == 2
    assert said == (2, f"sightline: port {port} is taken; choose another with {option}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]  # what was not started leaves nothing


def test_a_port_is_taken_by_whoever_listens_on_all_addresses() -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        port = other.getsockname()[1]
        assert (is_free(port), is_free(port, "0.0.0.0")) == (False, False)
    assert is_free(port)


def test_a_data_folder_that_cannot_be_one_is_refused_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "data", Path("/proc/data")):
        code, said = up("--data", str(path))
        assert (code, said.count("\n"), f"data folder {path}: " in said) == (2, 1, True), said


@pytest.mark.parametrize(
    ("options", "setting", "model", "said"),
    [
        ([], "PLATES_MODEL", "nope", "SIGHTLINE_PLATES_MODEL: unknown model 'nope'"),
        (["--chat"], "CHAT_ENGINE", "openai", "SIGHTLINE_CHAT_URL: the engine 'openai' needs the address of a server"),
    ],
)
def test_an_unknown_model_is_refused(options: list[str], setting: str, model: str, said: str, tmp_path: Path) -> None:
    data = tmp_path / "data"
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        port, flower_port = first.getsockname()[1], second.getsockname()[1]
    ports = ["--port", str(port), "--flower-port", str(flower_port)]
    code, complained = up("--data", str(data), *ports, *options, **{setting: model})
    assert (code, complained.count("\n")) == (2, 1), complained
    assert said in complained
    assert not data.exists()


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        (
            ["detct,ocr,write"],
            "--worker: 'detct' is not one of detect, ocr, transcribe, chat, write, such as detect or ocr,write",
        ),
        (["detect", "ocr"], "--worker: nothing does write; frames would wait for ever"),
        ([""], "--worker: '' is not one of detect, ocr, transcribe, chat, write, such as detect or ocr,write"),
    ],
)
def test_workers_that_would_not_do(workers: list[str], said: str, tmp_path: Path) -> None:
    options = [part for worker in workers for part in ("--worker", worker)]
    assert up("--data", str(tmp_path / "data"), *options) == (2, f"sightline: {said}\n")


@pytest.mark.parametrize(
    ("given", "workers"),
    [
        (["write,detect, ocr"] * 2, {"worker0": ["detect", "ocr", "write"], "worker1": ["detect", "ocr", "write"]}),
        (
            ["detect", "detect", "write,ocr"],
            {"detect0": ["detect"], "detect1": ["detect"], "ocr-write0": ["ocr", "write"]},
        ),
        (["detect,ocr,write", "chat"], {"worker0": ["detect", "ocr", "write"], "chat0": ["chat"]}),
    ],
)
def test_workers_are_named_after_what_they_do(given: list[str], workers: dict[str, list[str]]) -> None:
    assert _parse_workers(given, []) == workers


_HEAVY = """
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import ItemResult, Pipeline

LIGHT = StageSpec("listen", "cpu.listen", "heavy.listen")
LARGE = StageSpec("answer", "gpu.answer", "heavy.answer", on_demand=True)
SPEC = PipelineSpec(Pipeline("talk"), accepts=("audio",), result=ItemResult, stages=(LIGHT, LARGE))
"""


def test_what_is_heavy_starts_when_it_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(tmp_path, "heavy", _HEAVY, pipelines="talk = heavy:SPEC")
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_packages()
    try:
        usual = ["detect", "listen", "ocr", "write"]
        assert {name: sorted(roles) for name, roles in _parse_workers([], []).items()} == {"worker0": usual}
        asked = _parse_workers([], ["talk"])
        assert asked.pop("answer0") == ["answer"]
        assert list(asked) == ["worker0"]
        by_hand = _parse_workers(["detect,listen,ocr,answer", "write"], [])
        assert [sorted(roles) for roles in by_hand.values()] == [["answer", "detect", "listen", "ocr"], ["write"]]
        with pytest.raises(SettingsError, match="--with plates: there is nothing heavy"):
            _parse_workers([], ["plates"])
        with pytest.raises(SettingsError, match="--with cars: not one of chat, transcribe, ask, talk"):
            _parse_workers([], ["cars"])
    finally:
        forget_packages()
