"""The registry: what is found, fetched, verified, and what a miss says."""

from __future__ import annotations

import hashlib
import importlib.metadata
from functools import partial
from pathlib import Path

import httpx
import pytest

from sightline.errors import ModelError, SettingsError
from sightline.settings import Settings
from workers.models.download import download
from workers.models.files import must_be_fetched, resolve
from workers.models.registry import BUILT_IN, find_model, load_registry
from workers.tools import fetch

DATA = b"weights" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()
URL = "https://models.example/releases/own.pt"


def settings(folder: Path, entry: str = "", **more: object) -> Settings:
    file = folder / "models.toml"
    file.write_text(f'[models.own]\nkind = "yolo26"\n{entry}\n')
    return Settings.model_validate({"models_file": file, "models_dir": folder / "cache", **more})


def serve(content: bytes | Exception, status: int = 200) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        if isinstance(content, Exception):
            raise content
        if request.url.path == "/moved":
            return httpx.Response(302, headers={"location": URL})
        if request.url.path == "/down":
            return httpx.Response(302, headers={"location": "http://models.example/own.pt"})
        return httpx.Response(status, content=content)

    return httpx.MockTransport(answer)


def test_every_built_in_entry_has_what_its_kind_needs():
    assert {"ppocr-text", "ppocr-rec", "yolo26n"} <= set(BUILT_IN)
    assert all(spec.source or spec.kind == "stub" for spec in BUILT_IN.values())


def test_weights_of_a_wheel_are_found_and_checked():
    file = resolve("ppocr-text", Settings(), suffix=".onnx")
    assert file.path.is_file()
    assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()


def test_damaged_weights_of_a_wheel_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "wheel-1.dist-info").mkdir()
    (tmp_path / "wheel-1.dist-info" / "METADATA").write_text("Name: wheel\nVersion: 1\n")
    (tmp_path / "wheel-1.dist-info" / "RECORD").write_text("wheel/own.onnx,sha256=" + "A" * 43 + ",7000\n")
    (tmp_path / "wheel").mkdir()
    (tmp_path / "wheel" / "own.onnx").write_bytes(DATA)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModelError, match=f"expected sha256 {'0' * 64}, actual {SHA256}"):
        resolve("own", settings(tmp_path, 'source = "package:wheel/wheel/own.onnx"'))
    with pytest.raises(ModelError, match=r"wheel 1 does not carry wheel/other\.onnx"):
        resolve("own", settings(tmp_path, 'source = "package:wheel/wheel/other.onnx"'))
    with pytest.raises(ModelError, match=r"'nowhere', which is not installed: pip install"):
        resolve("own", settings(tmp_path, 'source = "package:nowhere/own.onnx"'))


def test_the_built_in_wheel_records_a_checksum():
    files = importlib.metadata.files("rapidocr") or []
    hashes = {file.as_posix(): file.hash for file in files}
    for name in ("ppocr-text", "ppocr-rec"):
        recorded = hashes[BUILT_IN[name].source.removeprefix("package:rapidocr/")]
        assert recorded is not None
        assert recorded.mode == "sha256"


def test_a_file_of_the_users_own_lies_beside_the_models_file(tmp_path: Path):
    (tmp_path / "own.onnx").write_bytes(DATA)
    file = resolve("own", settings(tmp_path, f'source = "own.onnx"\nsha256 = "{SHA256.upper()}"\nlabels = ["plate"]'))
    assert (file.path, file.sha256, file.spec.labels) == (tmp_path / "own.onnx", SHA256, ("plate",))


def test_a_damaged_file_names_both_checksums(tmp_path: Path):
    (tmp_path / "own.onnx").write_bytes(DATA + b"!")
    actual = hashlib.sha256(DATA + b"!").hexdigest()
    with pytest.raises(ModelError, match=f"damaged.*expected sha256 {SHA256}, actual {actual}") as caught:
        resolve("own", settings(tmp_path, f'source = "own.onnx"\nsha256 = "{SHA256}"'))
    assert caught.value.model == "own"


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ModelError, match=f"there is no file {tmp_path}/own.onnx"):
        resolve("own", settings(tmp_path, 'source = "own.onnx"'))


def test_an_unknown_name_gets_near_names():
    with pytest.raises(ModelError, match="unknown model 'yolo26m'; did you mean yolo26n"):
        find_model("yolo26m", Settings())
    with pytest.raises(ModelError, match="did you mean plates-detector or"):
        find_model("???", Settings())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", "models.own.source is missing"),
        ('source = "a.pt"\nsha = "1"', "models.own.sha: Extra inputs"),
        ('source = "a.pt"\nsha256 = "12"', "models.own.sha256"),
        ('source = "http://a.example/a.pt"', "models.own.source.*https"),
        ('source = "a.pt"\nruntimes = ["tensorrt"]', "models.own.runtimes"),
        ('source = "a.pt"\ninput_size = 0', "models.own.input_size"),
        ('source = "a.pt"\n[other]\n', r"got \['other'\]"),
        ("source = ", "cannot read"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, entry: str, message: str):
    with pytest.raises(SettingsError, match=message):
        load_registry(settings(tmp_path, entry))


def test_a_yolox_of_torch_is_refused(tmp_path: Path):
    file = tmp_path / "models.toml"
    file.write_text('[models.own]\nkind = "yolox"\nsource = "yolox_s.pth"\n')
    with pytest.raises(SettingsError, match=r"models\.own\.source.*\.onnx file"):
        load_registry(Settings(models_file=file))


def test_a_missing_models_file_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"SIGHTLINE_MODELS_FILE.*nowhere\.toml"):
        load_registry(Settings(models_file=tmp_path / "nowhere.toml"))


def test_offline_says_where_to_put_the_file(tmp_path: Path):
    with pytest.raises(
        ModelError, match=f"SIGHTLINE_OFFLINE.* Get {URL} elsewhere and put it at {tmp_path}/cache/own.pt"
    ):
        resolve("own", settings(tmp_path, f'source = "{URL}"', offline=True))


def test_a_failed_download_says_where_to_put_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("ConnectError: no route")

    monkeypatch.setattr("workers.models.files.download", fail)
    message = (
        f"cannot download {URL}: ConnectError: no route. .*put it at {tmp_path}/cache/own.pt .SIGHTLINE_MODELS_DIR"
    )
    with pytest.raises(ModelError, match=message):
        resolve("own", settings(tmp_path, f'source = "{URL}"'))


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    """`https://` sources are there to be downloaded."""
    monkeypatch.setattr("workers.models.files.download", partial(download, transport=serve(DATA)))


@pytest.mark.usefixtures("published")
def test_a_downloaded_file_is_used_again_also_offline(tmp_path: Path):
    entry = f'source = "{URL}"\nsha256 = "{SHA256}"'
    first = resolve("own", settings(tmp_path, entry))
    assert first.path == tmp_path / "cache" / "own.pt"
    assert resolve("own", settings(tmp_path, entry, offline=True)) == first
    assert [file.name for file in first.path.parent.iterdir()] == ["own.pt"]


@pytest.mark.usefixtures("published")
def test_a_first_download_without_a_sum_is_trusted_shown_and_remembered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    entry = f'source = "{URL}"'
    file = resolve("own", settings(tmp_path, entry))
    assert f"trusted as it came: sha256 {SHA256}" in caplog.text
    remembered = tmp_path / "cache" / "own.pt.sha256"
    assert remembered.read_text() == f"{SHA256}  own.pt\n"
    file.path.write_bytes(DATA + b"!")
    with pytest.raises(ModelError, match=f"expected sha256 {SHA256}, actual .*own.pt.sha256 alone"):
        resolve("own", settings(tmp_path, entry))
    remembered.unlink()
    assert resolve("own", settings(tmp_path, entry)).sha256 == hashlib.sha256(DATA + b"!").hexdigest()


def test_a_file_put_there_by_hand_needs_no_network(tmp_path: Path):
    entry = f'source = "{URL}"'
    assert must_be_fetched("own", settings(tmp_path, entry))
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "own.pt").write_bytes(DATA)
    assert not must_be_fetched("own", settings(tmp_path, entry))
    assert resolve("own", settings(tmp_path, entry, offline=True)).sha256 == SHA256
    assert not must_be_fetched("plates-detector", settings(tmp_path, entry))


def test_every_built_in_download_of_objects_is_pinned_and_the_default_is_one():
    yolox = {name: spec for name, spec in BUILT_IN.items() if spec.kind == "yolox"}
    assert list(yolox) == [f"yolox-{size}" for size in ("nano", "tiny", "s", "m", "l", "x")]
    assert Settings().objects_model in yolox
    assert len({spec.sha256 for spec in yolox.values()} - {None}) == 6


@pytest.mark.usefixtures("published")
def test_fetch_downloads_what_it_is_told_to_and_says_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    given = settings(tmp_path, f'source = "{URL}"', objects_model="own")
    monkeypatch.setattr(fetch, "load_settings", lambda: given)
    assert fetch.main([]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"own  {tmp_path}/cache/own.pt  sha256 {SHA256}, trusted as it came: its entry has none"
    assert said[0].startswith("plates-detector  ")
    assert fetch.main(["ppocr-text"]) == 0
    assert fetch.main(["nowhere"]) == 2
    assert "unknown model 'nowhere'" in capsys.readouterr().err


def test_the_export_lies_beside_the_weights_or_the_command_is_named(tmp_path: Path):
    entry = 'source = "own.pt"'
    with pytest.raises(ModelError, match=r"python -m workers.detectors.export own .*own\.onnx"):
        resolve("own", settings(tmp_path, entry), suffix=".onnx")
    (tmp_path / "own.onnx").write_bytes(DATA)
    assert resolve("own", settings(tmp_path, entry), suffix=".onnx").sha256 == SHA256
    with pytest.raises(ModelError, match=f"python -m workers.detectors.export yolo26n .*{tmp_path}/cache/yolo26n.onnx"):
        resolve("yolo26n", settings(tmp_path, entry), suffix=".onnx")
    with pytest.raises(ModelError, match=r"has no \.pt file"):
        resolve("ppocr-text", Settings(), suffix=".pt")


@pytest.mark.parametrize("path", ["own.pt", "moved"])
def test_download_leaves_the_whole_file_and_nothing_else(tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    download(f"https://models.example/{path}", tmp_path / "deep" / "own.pt", sha256=SHA256, transport=serve(DATA))
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["own.pt"]
    assert (tmp_path / "deep" / "own.pt").read_bytes() == DATA
    assert "100%" in caplog.text


@pytest.mark.parametrize(
    ("url", "content", "status", "message"),
    [
        (URL, httpx.ConnectError("no route"), 200, "ConnectError: no route"),
        (URL, httpx.ReadTimeout("slow"), 200, "ReadTimeout"),
        (URL, b"", 404, "404"),
        (URL, DATA * 200, 200, "larger than 1 MB"),
        (URL, b"other", 200, f"expected sha256 {SHA256}, got"),
        ("https://models.example/down", DATA, 200, "away from https"),
        ("http://models.example/own.pt", DATA, 200, "https"),
    ],
)
def test_a_failed_download_changes_nothing(
    tmp_path: Path, url: str, content: bytes | Exception, status: int, message: str
):
    target = tmp_path / "own.pt"
    target.write_bytes(b"before")
    with pytest.raises(OSError, match=message):
        download(url, target, sha256=SHA256, max_mb=1, transport=serve(content, status))
    assert [file.name for file in tmp_path.iterdir()] == ["own.pt"]
    assert target.read_bytes() == b"before"
