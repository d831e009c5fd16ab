"""`python -m workers.detectors.export NAME [--to FILE.onnx]`: make the ONNX form of a torch model of the registry."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError
from sightline.settings import ModelSettings, load_settings
from workers.detectors.torch_session import load_net
from workers.models.files import resolve


def export(name: str, settings: ModelSettings, target: Path | None = None) -> Path:
    """Write the end-to-end ONNX file of `name` beside its `.pt` file, for any batch size. Needs ultralytics and onnx.

    Raises:
        ModelError: no such `.pt` file, or a library is not installed.
    """
    file = resolve(name, settings, suffix=".pt")
    load_net(file)  # for its errors
    from ultralytics import YOLO  # pyright: ignore[reportMissingImports]

    yolo: Any = YOLO(file.path, task="detect")
    # nms=False picks the head that gives (N, 300, 6); the default would need non-maximum suppression.
    made = Path(
        yolo.export(format="onnx", dynamic=True, nms=False, simplify=False, imgsz=file.spec.input_size, verbose=False)
    )
    if target is None or target.resolve() == made.resolve():
        return made
    target.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(made, target))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.detectors.export", description=__doc__)
    parser.add_argument("name", help="a name of the model registry whose source is a .pt file")
    parser.add_argument("--to", type=Path, help="default: beside the .pt file")
    arguments = parser.parse_args()
    try:
        print(export(arguments.name, load_settings(), arguments.to))
    except SightlineError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
