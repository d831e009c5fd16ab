"""`python -m training.plates.make_recognizer WORK`: draw crops, train, export, measure, write the card.

Everything between is kept in WORK, so that an interrupted run goes on where it was. Needs torch and onnx beside the
`cpu` extra. The result is `weights/plates-recognizer.onnx` and its card, `weights/plates-recognizer.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.plates.make_crops import make_crops
from training.plates.measure import load_photos, open_named, report
from workers.models import BUILT_IN

_TARGET = Path(BUILT_IN["plates-recognizer"].source)
_SPEED_CROPS = 64


class Recipe(NamedTuple):
    crops: int = 240_000
    steps: int = 20_000
    seed: int = 1
    peak_rate: float = 1.5e-3


def make_recognizer(work: Path, recipe: Recipe, *, processes: int, photos: Path | None, note: str) -> None:
    data = make_crops(work / "crops", count=recipe.crops, seed=recipe.seed, processes=processes)
    # Each in a process of its own: torch, onnx and onnxruntime together take much memory.
    _run("train_recognizer", work / "crops", work / "run", "--steps", recipe.steps, "--peak-rate", recipe.peak_rate,
         "--seed", recipe.seed, "--threads", processes)  # fmt: skip
    _TARGET.parent.mkdir(exist_ok=True)
    _run("export_recognizer", work / "run" / "weights.pt", _TARGET)
    write_card(
        _TARGET, f"- Crops: {recipe.crops}, seed {recipe.seed}, sha256 `{data}`\n- Training: {recipe}", photos, note
    )


def write_card(weights: Path, made: str, photos: Path | None, note: str) -> None:
    """Measure the file and write what there is to know about it beside it."""
    sha256 = hashlib.sha256(weights.read_bytes()).hexdigest()
    lines = [
        "# plates-recognizer",
        "",
        "Reads the text of a cut-out licence plate, of one or two lines: A-Z and 0-9 without separators; nothing where",
        "no plate can be read. Input (N, 64, 160) grey uint8, output (N, 80, 37) probabilities for CTC. Trained from",
        "scratch with the code of this repository (`training/plates`) on drawn plates only: no photo of a plate and no",
        "other weights went into it.",
        "",
        "License: Apache-2.0, as the project. The letters are libre fonts of Debian packages and our own strokes.",
        "",
        f"- File: `{weights.name}`, {weights.stat().st_size / 1e6:.2f} MB (stored as float16, computed in float32)",
        f"- sha256: `{sha256}`",
        made,
        *_speed(weights),
        *([note] if note else []),
    ]
    if photos is not None:
        lines += ["", *_accuracy(weights, photos)]
    weights.with_suffix(".md").write_text("\n".join(lines) + "\n", "utf-8")


def _speed(weights: Path) -> list[str]:
    from sightline.settings import Settings

    recognizer = open_named(str(weights), Settings())
    crops = [np.random.default_rng(0).integers(0, 255, (40, 120, 3), dtype=np.uint8)] * _SPEED_CROPS
    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        recognizer.recognize(crops)
        times.append((time.perf_counter() - began) / _SPEED_CROPS * 1000)
    return [f"- Speed: {min(times):.1f} ms a crop (onnxruntime, {multiprocessing.cpu_count()} cores, best of 5)"]


def _accuracy(weights: Path, photos: Path) -> list[str]:
    from sightline.settings import Settings

    lines = [
        "Real photos of the public OpenALPR benchmark, cut by their true boxes. `dev` was looked at while drawing was",
        "improved, `test` was only counted; neither was trained on. `eq`: O and 0, I and 1, B and 8 are equal;",
        "`corrected` mends known wrong labels. `python -m training.plates.measure PHOTOS` prints this.",
    ]
    for name, title in ((str(weights), "alone"), ("voted", "voted with PP-OCR"), ("rapidocr", "PP-OCR alone")):
        recognizer = open_named(name, Settings())
        for margin in (0.0, 0.1):
            cut = load_photos(photos, margin)
            table = report(cut, recognizer.recognize([photo.crop for photo in cut]))
            lines += ["", f"{title}, margin {margin}:", "", "```text", table, "```"]
    return lines


def _run(module: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", f"training.plates.{module}", *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.make_recognizer", description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--crops", type=int, default=Recipe().crops)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--photos", type=Path, help="folder with photos and truth.tsv, for the card")
    args = parser.parse_args()
    recipe = Recipe(crops=args.crops, steps=args.steps, seed=args.seed)
    make_recognizer(args.work, recipe, processes=args.processes, photos=args.photos, note="")


if __name__ == "__main__":
    main()
