"""YOLO26n in torch, onnxruntime and OpenVINO: the same rows for the same pictures, at every batch size.

Weights are random but seeded: made from the architecture file that ultralytics carries, so nothing is downloaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import ModelError
from sightline.settings import Settings
from workers.detectors import open_detector
from workers.detectors.export import export
from workers.detectors.letterbox import letterbox
from workers.detectors.yolo import YoloDetector
from workers.models.registry import BUILT_IN

torch = pytest.importorskip("torch")
pytest.importorskip("ultralytics")
pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]

MAX_BATCH_SIZE = 8
SIZE = 320
MIN_CONFIDENCE = 0.3


@pytest.fixture(scope="module")
def models_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A YOLO26n with seeded random weights as `own.pt`, and its export `own.onnx`."""
    import os

    os.environ.setdefault("YOLO_OFFLINE", "true")
    from ultralytics import YOLO

    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(26)
    yolo: Any = YOLO("yolo26n.yaml", task="detect")
    for (
        module
    ) in yolo.model.modules():  # one pass sets the statistics, without them a fresh net answers the same to all
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        yolo.model.train()(torch.rand(4, 3, SIZE, SIZE))
    for branch in yolo.model.model[-1].one2one_cv3:  # scores between 0.2 and 1 for the best 300 of each picture
        torch.nn.init.normal_(branch[-1].weight, std=0.08)
        torch.nn.init.constant_(branch[-1].bias, -3)
    yolo.save(folder / "own.pt")
    file = folder / "models.toml"
    file.write_text(f'[models.own]\nkind = "yolo26"\nsource = "own.pt"\ninput_size = {SIZE}\n')
    export("own", Settings(models_file=file))
    return file


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    """Pictures of several shapes with something in them."""
    rng = np.random.default_rng(26)
    shapes = [(240, 320), (320, 240), (480, 640), (200, 200), (97, 301), (720, 1280), (300, 100), (64, 64)]
    return [rng.integers(0, 256, (*shape, 3), np.uint8) for shape in shapes]


def open_in(models_file: Path, runtime: str, **more: Any) -> YoloDetector:
    settings = Settings(models_file=models_file, runtime=runtime, min_confidence=MIN_CONFIDENCE, **more)  # pyright: ignore[reportArgumentType]
    detector = open_detector("own", settings)
    assert isinstance(detector, YoloDetector)
    return detector


@pytest.fixture(scope="module")
def reference(models_file: Path) -> YoloDetector:
    return open_in(models_file, "torch", device="cpu")


def rows_of(detector: YoloDetector, images: list[np.ndarray]) -> np.ndarray:
    return np.stack(detector._forward(letterbox(images, detector.model.input_size)[0]))


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("count", range(1, MAX_BATCH_SIZE + 1))
def test_exported_models_give_the_rows_of_torch(
    models_file: Path, reference: YoloDetector, images: list[np.ndarray], runtime: str, count: int
):
    pytest.importorskip(runtime)
    detector = open_in(models_file, runtime, half=False)
    assert detector.model.labels == reference.model.labels
    expected, actual = rows_of(reference, images[:count]), rows_of(detector, images[:count])
    assert expected.shape == actual.shape == (count, 300, 6)
    print(f"\n{runtime} batch {count}: largest score difference {np.abs(expected - actual)[..., 4].max():.2e}", end="")
    assert np.abs(expected[..., 4] - actual[..., 4]).max() < 0.01
    for one, other in zip(expected, actual, strict=True):
        assert share_found(one, other) > 0.97


@pytest.mark.parametrize("count", range(1, MAX_BATCH_SIZE + 1))
def test_a_picture_does_not_depend_on_its_batch(reference: YoloDetector, images: list[np.ndarray], count: int):
    together = reference.detect(images[:count])
    for image, detections in zip(images[:count], together, strict=True):
        (alone,) = reference.detect([image])
        assert len(detections) > 0
        assert len(alone) == len(detections)
        for one, other in zip(alone, detections, strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=1e-3)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_our_raw_head_gives_the_scores_and_boxes_of_torch(tmp_path: Path, images: list[np.ndarray], runtime: str):
    """With the trained weights: thinning turns the smallest difference of random ones into other boxes."""
    pytest.importorskip(runtime)
    weights = Path(BUILT_IN["plates-detector"].source).with_suffix(".pt")
    if not weights.exists():
        pytest.skip(f"there is no {weights.name}")
    file = tmp_path / "models.toml"
    file.write_text(f'[models.own]\nkind = "yolo-raw"\nsource = "{weights}"\nlabels = ["plate"]\ninput_size = {SIZE}\n')
    batch = letterbox(images, (SIZE, SIZE))[0]
    expected = open_in(file, "torch", device="cpu")._session.forward(batch)
    actual = open_in(file, runtime, half=False)._session.forward(batch)
    assert expected.shape == actual.shape == (len(images), 5, SIZE * SIZE * 21 // 1024)
    assert np.abs(expected[:, 4] - actual[:, 4]).max() < 0.01
    assert np.abs(expected[:, :4] - actual[:, :4]).max() < 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("half", [False, True])
def test_cuda_gives_the_rows_of_the_cpu(
    models_file: Path, reference: YoloDetector, images: list[np.ndarray], half: bool
):
    detector = open_in(models_file, "torch", device="cuda", half=half)
    for count in range(1, MAX_BATCH_SIZE + 1):
        expected, actual = rows_of(reference, images[:count]), rows_of(detector, images[:count])
        assert np.abs(expected[..., 4] - actual[..., 4]).max() < (0.05 if half else 0.01)
        for one, other in zip(expected, actual, strict=True):
            assert share_found(one, other) > (0.7 if half else 0.97)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is CUDA")
def test_a_device_that_is_not_there_is_named(models_file: Path):
    with pytest.raises(ModelError, match=r"SIGHTLINE_DEVICE=cuda: .* finds no such device; there are: cpu"):
        open_in(models_file, "torch", device="cuda")
    with pytest.raises(ModelError, match="SIGHTLINE_DEVICE=tpu: not a device"):
        open_in(models_file, "torch", device="tpu")


def test_a_damaged_file_is_a_model_error(tmp_path: Path):
    (tmp_path / "own.pt").write_bytes(b"PK\x03\x04 not weights")
    file = tmp_path / "models.toml"
    file.write_text('[models.own]\nkind = "yolo26"\nsource = "own.pt"\n')
    with pytest.raises(ModelError, match=r"own\.pt cannot be loaded"):
        open_in(file, "torch", device="cpu")


def share_found(expected: np.ndarray, actual: np.ndarray) -> float:
    """Share of the confident rows that the other side has too: same class, box within 2 pixels, score within 0.01."""
    confident = expected[expected[:, 4] >= MIN_CONFIDENCE]
    assert len(confident) > 0
    found = 0
    for row in confident:
        near = np.abs(actual[:, :4] - row[:4]).max(axis=1) < 2
        found += bool((near & (actual[:, 5] == row[5]) & (np.abs(actual[:, 4] - row[4]) < 0.01)).any())
    return found / len(confident)
