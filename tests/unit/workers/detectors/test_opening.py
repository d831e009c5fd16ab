"""`open_detector` and the choice of the runtime."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
import rapidocr

from sightline.errors import ModelError
from sightline.settings import Settings
from tests.unit.onnx_models import write_rectangle_model, write_yolox_rectangle_model
from workers.detectors import open_detector
from workers.models import runtimes
from workers.models.registry import ModelSpec
from workers.models.runtimes import choose_runtime

TORCH_MODEL = ModelSpec(kind="yolo26", source="https://models.example/own.pt")
ONNX_MODEL = ModelSpec(kind="yolo26", source="own.onnx")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What counts as installed in this test."""
    libraries = {"torch", "openvino", "onnxruntime"}
    monkeypatch.setattr(runtimes, "is_installed", lambda library: library in libraries)
    return libraries


@pytest.mark.parametrize(
    ("spec", "settings", "has_gpu", "expected"),
    [
        (TORCH_MODEL, {}, True, "torch"),
        (TORCH_MODEL, {}, False, "openvino"),
        (ONNX_MODEL, {}, True, "openvino"),
        (TORCH_MODEL, {"runtime": "onnxruntime"}, True, "onnxruntime"),
        (TORCH_MODEL, {"runtime": "torch"}, False, "torch"),
        (ONNX_MODEL, {"runtime": "torch"}, False, "openvino"),
        (TORCH_MODEL.model_copy(update={"runtimes": ("onnxruntime",)}), {}, True, "onnxruntime"),
    ],
)
def test_runtime(
    installed: set[str],
    monkeypatch: pytest.MonkeyPatch,
    spec: ModelSpec,
    settings: dict[str, str],
    has_gpu: bool,
    expected: str,
):
    monkeypatch.setattr(runtimes, "wants_torch", lambda device: has_gpu)
    monkeypatch.setattr(runtimes, "cuda_index", lambda device: 0 if has_gpu else None)
    assert choose_runtime("own", spec, Settings.model_validate(settings)) == expected


class FakeOnnxruntime:
    """The functions of onnxruntime that a session is opened with; `loads`: what a session gets in the end."""

    def __init__(self, available: list[str], loads: list[str]) -> None:
        self.available, self.loads, self.given, self.preloaded = available, loads, dict[str, dict[str, Any]](), False

    def get_available_providers(self) -> list[str]:
        return self.available

    def preload_dlls(self) -> None:
        self.preloaded = True

    def open(self, *arguments: Any, providers: list[tuple[str, dict[str, Any]]]) -> Any:
        self.given = dict(providers)
        session = _session(*arguments, providers=["CPUExecutionProvider"])
        return SimpleNamespace(
            get_providers=lambda: self.loads,
            get_inputs=session.get_inputs,
            get_modelmeta=session.get_modelmeta,
            run=session.run,
        )


_session = onnxruntime.InferenceSession
ON_CUDA, ON_CPU = ["CUDAExecutionProvider", "CPUExecutionProvider"], ["CPUExecutionProvider"]


def on_gpu_machine(monkeypatch: pytest.MonkeyPatch, available: list[str], loads: list[str]) -> FakeOnnxruntime:
    """As far as that can be had without one: torch finds CUDA, sessions say they run there."""
    fake = FakeOnnxruntime(available, loads)
    find = runtimes.cuda_index
    monkeypatch.setattr(runtimes, "cuda_index", lambda device: 0 if device == "auto" else find(device))
    monkeypatch.setattr(onnxruntime, "get_available_providers", fake.get_available_providers)
    monkeypatch.setattr(onnxruntime, "preload_dlls", fake.preload_dlls)
    monkeypatch.setattr(onnxruntime, "InferenceSession", fake.open)
    return fake


def own_model(folder: Path, **more: object) -> Settings:
    write_yolox_rectangle_model(folder / "own.onnx")
    models = folder / "models.toml"
    models.write_text('[models.own]\nkind = "yolox"\nsource = "own.onnx"\nlabels = ["plate"]\n')
    return Settings.model_validate({"models_file": models, "threads": 1, **more})


@pytest.mark.parametrize(("device", "index"), [("auto", 0), ("cuda", 0), ("cuda:2", 2)])
def test_on_a_gpu_machine_a_detector_runs_on_the_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, device: str, index: int
):
    fake = on_gpu_machine(monkeypatch, ON_CUDA, ON_CUDA)
    detector = open_detector("own", own_model(tmp_path, device=device))
    assert list(fake.given) == ON_CUDA
    assert fake.given["CUDAExecutionProvider"]["device_id"] == index
    assert (fake.preloaded, detector.model.runtime, detector.model.most_at_once) == (True, "onnxruntime", None)
    assert detector.detect([np.zeros((64, 64, 3), np.uint8)] * 3) == [[], [], []]
    assert caplog.text == ""


@pytest.mark.parametrize("told", [{"device": "cpu"}, {"runtime": "openvino"}])
def test_who_wants_the_cpu_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, told: dict[str, str]
):
    fake = on_gpu_machine(monkeypatch, ON_CUDA, ON_CUDA)
    assert open_detector("own", own_model(tmp_path, **told)).model.runtime == "openvino"
    assert (fake.given, caplog.text) == ({}, "")


@pytest.mark.parametrize(("available", "loads"), [(ON_CPU, ON_CPU), (ON_CUDA, ON_CPU)], ids=["none", "not loaded"])
def test_a_detector_that_misses_the_gpu_is_told_of(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    available: list[str],
    loads: list[str],
):
    """Two packages give onnxruntime, and the one without CUDA may lie over the other."""
    on_gpu_machine(monkeypatch, available, loads)
    detector = open_detector("own", own_model(tmp_path))
    assert "'own' cannot run on the GPU" in caplog.text
    assert "It runs on the CPU" in caplog.text
    assert detector.model.most_at_once == 4
    with pytest.raises(ModelError, match=r"cannot run on the GPU.*onnxruntime-gpu.*SIGHTLINE_DEVICE=cpu"):
        open_detector("own", own_model(tmp_path, device="cuda"))


def test_the_text_detector_is_sent_to_the_gpu(monkeypatch: pytest.MonkeyPatch):
    given = dict[str, Any]()

    def note(**more: Any) -> Any:
        given.update(more["params"])
        raise RuntimeError("enough")

    monkeypatch.setattr(rapidocr, "RapidOCR", note)
    on_gpu_machine(monkeypatch, ON_CUDA, ON_CUDA)
    with pytest.raises(ModelError, match="enough"):
        open_detector("ppocr-text", Settings(device="cuda:1"))
    assert given["EngineConfig.onnxruntime.use_cuda"] is True
    assert given["EngineConfig.onnxruntime.cuda_ep_cfg.device_id"] == 1
    assert given["EngineConfig.onnxruntime.cuda_ep_cfg.cudnn_conv_algo_search"] == "HEURISTIC"


@pytest.mark.parametrize(("device", "index"), [("cpu", None), ("mps", None), ("cuda", 0), ("cuda:1", 1)])
def test_a_named_device_is_the_gpu_or_none(device: str, index: int | None):
    assert runtimes.cuda_index(device) == index


def test_onnxruntime_where_openvino_is_not(installed: set[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtimes, "cuda_index", lambda device: None)
    installed -= {"openvino", "torch"}
    assert choose_runtime("own", ONNX_MODEL, Settings()) == "onnxruntime"


def test_a_missing_runtime_names_the_extra(installed: set[str]):
    installed -= {"openvino", "torch", "onnxruntime"}
    with pytest.raises(ModelError, match=r"onnxruntime, which is not installed: pip install -e '\.\[cpu\]'"):
        choose_runtime("own", ONNX_MODEL, Settings())
    with pytest.raises(ModelError, match=r"torch, which is not installed: pip install -e '\.\[gpu\]'"):
        choose_runtime("own", TORCH_MODEL, Settings(device="cuda"))


def test_a_runtime_the_model_excludes_is_refused(installed: set[str]):
    spec = ONNX_MODEL.model_copy(update={"runtimes": ("onnxruntime",)})
    with pytest.raises(ModelError, match="runs in onnxruntime, not in openvino"):
        choose_runtime("own", spec, Settings(runtime="openvino"))


@pytest.mark.parametrize(("device", "expected"), [("cpu", False), ("cuda", True), ("cuda:1", True), ("mps", True)])
def test_a_named_device_decides(device: str, expected: bool):
    assert runtimes.wants_torch(device) is expected


def test_the_stub_needs_no_file():
    assert open_detector("stub", Settings()).model.runtime == "stub"


def test_a_users_model_is_opened_by_name(tmp_path: Path):
    write_rectangle_model(tmp_path / "own.onnx")
    models = tmp_path / "models.toml"
    models.write_text('[models.own]\nkind = "yolo26"\nsource = "own.onnx"\nruntimes = ["onnxruntime"]\n')
    detector = open_detector("own", Settings(models_file=models))
    detector.warm()
    assert detector.model.runtime == "onnxruntime"
