"""A network read back out of its exported file says what the file says, and is trained like one never exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]


def test_a_network_goes_on_from_its_exported_file(tmp_path: Path):
    import onnxruntime

    from training.plates.networks.export_recognizer import export
    from training.plates.networks.network import PlateNet
    from training.plates.networks.start import start_from

    torch.manual_seed(5)
    crops = np.random.default_rng(5).integers(0, 255, (64, 64, 160), dtype=np.uint8)
    images = torch.from_numpy(crops.astype(np.float32))[:, None]
    trained = PlateNet()
    with torch.no_grad():
        for _ in range(20):  # statistics to fold
            trained.train()(images)
    torch.save(trained.state_dict(), tmp_path / "weights.pt")
    export([tmp_path / "weights.pt"], tmp_path / "exported.onnx")
    read_back = PlateNet()
    start_from(tmp_path / "exported.onnx", read_back, crops)
    said = onnxruntime.InferenceSession(tmp_path / "exported.onnx").run(None, {"crops": crops})[0]
    with torch.no_grad():
        says = read_back.eval()(images).exp().numpy()
        trains = read_back.train()(images).exp().numpy()
    assert np.abs(says - said).max() < 1e-4
    assert np.abs(trains - said).mean() < 1e-3
