"""`open_detector` and the choice of the runtime."""

from __future__ import annotations

from pathlib import Path

import pytest

from sightline.errors import ModelError
from sightline.settings import Settings
from tests.unit.onnx_models import write_rectangle_model
from workers import runtimes
from workers.detectors import open_detector
from workers.models import ModelSpec
from workers.runtimes import choose_runtime

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
    assert choose_runtime("own", spec, Settings.model_validate(settings)) == expected


def test_onnxruntime_where_openvino_is_not(installed: set[str]):
    installed -= {"openvino", "torch"}
    assert choose_runtime("own", ONNX_MODEL, Settings()) == "onnxruntime"


def test_a_missing_runtime_names_the_extra(installed: set[str]):
    installed -= {"openvino", "torch", "onnxruntime"}
    with pytest.raises(ModelError, match=r"onnxruntime, which is not installed: pip install '\.\[cpu\]'"):
        choose_runtime("own", ONNX_MODEL, Settings())
    with pytest.raises(ModelError, match=r"torch, which is not installed: pip install '\.\[gpu\]'"):
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
