"""`python -m workers.recognizers.paddle_folder FOLDER`: give PaddleOCR the weights that RapidOCR's wheel carries.

PaddleOCR wants a folder with `inference.onnx` and `inference.yml`. Run this where RapidOCR is installed, and point
SIGHTLINE_PADDLEOCR_DIR of the PaddleOCR environment to the folder.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import yaml

from sightline.errors import ModelError, SightlineError
from sightline.settings import ModelSettings, load_settings
from workers.models.files import resolve

MODEL_NAME = "PP-OCRv6_small_rec"


def make_paddle_folder(folder: Path, settings: ModelSettings) -> Path:
    """Write `inference.onnx` and `inference.yml` of the recognition model `ppocr-rec` into `folder`.

    Raises:
        ModelError: the weights are missing or damaged, or the file does not say which characters it knows.
    """
    import onnxruntime

    file = resolve("ppocr-rec", settings, suffix=".onnx")
    session = onnxruntime.InferenceSession(file.path, providers=["CPUExecutionProvider"])
    characters = session.get_modelmeta().custom_metadata_map.get("character", "").splitlines()
    if not characters:
        raise ModelError(f"{file.path} has no list of characters in its metadata", model=file.name)
    config = {
        "Global": {"model_name": MODEL_NAME},
        "PreProcess": {
            "transform_ops": [
                {"DecodeImage": {"channel_first": False, "img_mode": "BGR"}},
                {"RecResizeImg": {"image_shape": [3, 48, 320]}},
            ]
        },
        "PostProcess": {"name": "CTCLabelDecode", "character_dict": characters},
    }
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.path, folder / "inference.onnx")
    (folder / "inference.yml").write_text(yaml.safe_dump(config, allow_unicode=True), "utf-8")
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m workers.recognizers.paddle_folder", description=__doc__)
    parser.add_argument("folder", type=Path)
    try:
        print(make_paddle_folder(parser.parse_args().folder, load_settings()))
    except SightlineError as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
