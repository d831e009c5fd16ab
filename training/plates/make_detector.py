"""`python -m training.plates.make_detector WORK`: draw scenes, train, export, measure, write the card.

Everything between is kept in WORK, so that an interrupted run goes on where it was. Needs torch, ultralytics and onnx
beside the `cpu` extra. The results are `weights/plates-detector.onnx`, `.pt` and their card, `.md`. `--quick` makes
weights that find nothing, in WORK, to see that every step still works. `--checkpoint` exports and measures one that is
there already.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from training.plates.make_scenes import make_scenes
from training.plates.measuring.measure_detector import load_photos, open_file, report
from workers.models.registry import BUILT_IN

_TARGET = Path(BUILT_IN["plates-detector"].source).with_suffix(".onnx")
_LOOKS_PX = ((640, 384), (640,), (384,))  #: first as it is used

_HEAD = """# plates-detector

Finds licence plates. Input `images` (N, 3, height, width) RGB 0..1, sides multiples of 32; output (N, 5, boxes):
center x, center y, width, height in pixels, confidence; the worker thins the boxes out (kind `yolo-raw`). The network
is YOLO26n with one class and its one-to-many head. Trained from scratch with the code of this repository
(`training/plates`) on drawn pictures only: no photo of a plate and no other weights went into it.

License: AGPL-3.0: the network and its loss are those of ultralytics, which holds that weights trained so are under
its license.
"""
_PHOTOS = """
Real photos of the public OpenALPR benchmark, one labelled plate each. `dev` may be looked at, `test` is only counted;
neither was trained on. `top1`: the most confident box is on the plate; `any`: some box of confidence 0.1 is
(intersection over union 0.5). `false`: boxes a photo of confidence {sure} beside the labelled plate, some of which are
plates without a label. `python -m training.plates.measuring.measure_detector PHOTOS` prints this.
""".format(sure=BUILT_IN["plates-detector"].min_confidence)


class Recipe(NamedTuple):
    scenes: int = 11_000
    steps: int = 4_700
    seed: int = 1
    peak_rate: float = 2e-3


QUICK = Recipe(scenes=48, steps=4)


def make_detector(work: Path, recipe: Recipe, *, target: Path, processes: int, photos: Path | None) -> None:
    """All steps; those that are done are not done again."""
    data = make_scenes(work / "scenes", count=recipe.scenes, seed=recipe.seed, processes=processes)
    # Each in a process of its own: torch, onnx and onnxruntime together take much memory.
    _run("networks.train_detector", work / "scenes", work / "run", "--steps", recipe.steps,
         "--peak-rate", recipe.peak_rate, "--seed", recipe.seed, "--threads", processes)  # fmt: skip
    made = [f"Pictures: {recipe.scenes}, seed {recipe.seed}, sha256 `{data}`", f"Training: {recipe}"]
    finish(work / "run" / "checkpoint.pt", target, made=made, photos=photos)


def finish(checkpoint: Path, target: Path, *, made: list[str], photos: Path | None) -> None:
    """Export a checkpoint and write its card. `made` says how it came to be, a line each."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _run("networks.export_detector", checkpoint, target.with_suffix(""))
    write_card(target, made, photos)


def write_card(weights: Path, made: list[str], photos: Path | None) -> None:
    """Measure the file and write what there is to know about it beside it."""
    facts = [
        *(_file_fact(file) for file in (weights, weights.with_suffix(".pt"))),
        *made,
        *(_speed(weights, runtime) for runtime in ("onnxruntime", "openvino")),
    ]
    text = _HEAD + "\n" + "".join(f"- {fact}\n" for fact in facts)
    if photos is not None:
        text += _PHOTOS + "".join(_accuracy(weights, photos, looks_px) for looks_px in _LOOKS_PX)
    weights.with_suffix(".md").write_text(text, "utf-8")


def _file_fact(file: Path) -> str:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return f"File: `{file.name}`, {file.stat().st_size / 1e6:.2f} MB, sha256 `{sha256}`"


def _speed(weights: Path, runtime: str) -> str:
    detector = open_file(weights, runtime=runtime, looks_px=_LOOKS_PX[0], threads=0)
    frame = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    times: list[float] = []
    for _ in range(9):
        began = time.perf_counter()
        detector.detect([frame])
        times.append((time.perf_counter() - began) * 1000)
    cores = multiprocessing.cpu_count()
    return (
        f"Speed: {min(times):.0f} ms a frame of 1280 x 720 ({runtime}, {platform.machine()}, {cores} cores, best of 9)"
    )


def _accuracy(weights: Path, folder: Path, looks_px: Sequence[int]) -> str:
    photos = load_photos(folder)
    detector = open_file(weights, runtime="onnxruntime", looks_px=looks_px, threads=0)
    table = report(photos, [detector.detect([photo.image])[0] for photo in photos])
    return f"\nLongest side {' and '.join(map(str, looks_px))} px:\n\n```text\n{table}\n```\n"


def _run(module: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", f"training.plates.{module}", *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.make_detector", description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--scenes", type=int, default=Recipe().scenes)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--photos", type=Path, help="folder with photos and truth.tsv, for the card")
    parser.add_argument("--checkpoint", type=Path, help="export and measure this one, draw and train nothing")
    parser.add_argument("--made", action="append", default=[], help="with --checkpoint: a line of the card")
    args = parser.parse_args()
    target = args.work / _TARGET.name if args.quick else _TARGET
    if args.checkpoint:
        finish(args.checkpoint, target, made=args.made, photos=args.photos)
        return
    recipe = Recipe(scenes=args.scenes, steps=args.steps, seed=args.seed)
    if args.quick:
        recipe = QUICK._replace(seed=args.seed)
    make_detector(args.work, recipe, target=target, processes=args.processes, photos=args.photos)


if __name__ == "__main__":
    main()
