"""`python -m training.plates.make_recognizer WORK`: draw crops, train, export, measure, write the card.

Everything between is kept in WORK, so that an interrupted run goes on where it was. Needs torch and onnx beside the
`cpu` extra. The result is `weights/plates-recognizer.onnx` and its card, `weights/plates-recognizer.md`. `--start`
trains on from weights that there are.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from training.plates.make_crops import make_crops
from training.plates.measuring.card import write_card
from workers.models.registry import BUILT_IN

_TARGET = Path(BUILT_IN["plates-recognizer"].source)


class Recipe(NamedTuple):
    crops: int = 400_000
    steps: int = 24_000  #: of each round
    rounds: int = 2
    seed: int = 1
    peak_rate: float = 1.5e-3
    start: Path | None = None  #: an .onnx file of this network to train on from; else from nothing


def make_recognizer(work: Path, recipe: Recipe, *, target: Path, processes: int, photos: Path | None) -> None:
    data = make_crops(work / "crops", count=recipe.crops, seed=recipe.seed, processes=processes)
    ends: list[Path] = []
    # Each in a process of its own: torch, onnx and onnxruntime together take much memory.
    for steps in range(recipe.steps, recipe.rounds * recipe.steps + 1, recipe.steps):
        ends.append(work / "run" / f"weights-{steps}.pt")
        if not ends[-1].exists():
            _run("networks.train_recognizer", work / "crops", work / "run", "--steps", steps,
                 "--peak-rate", recipe.peak_rate, "--seed", recipe.seed, "--threads", processes,
                 *(["--start", recipe.start] if recipe.start else []))  # fmt: skip
            shutil.copyfile(work / "run" / "weights.pt", ends[-1])
    began = f"from weights with sha256 `{_sha256(recipe.start)}`" if recipe.start else "from nothing"
    target.parent.mkdir(exist_ok=True)
    _run("networks.export_recognizer", *ends, target)
    made = [
        f"Crops: {recipe.crops}, seed {recipe.seed}, sha256 of pictures and texts `{data}`",
        f"Training: {began}, {recipe.rounds} rounds of {recipe.steps} steps of 32 crops, AdamW, cosine from "
        f"{recipe.peak_rate} to 0, then from its half, seed {recipe.seed}; the mean of the weights at the end of each "
        "round",
    ]
    write_card(target, made, photos)


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _run(module: str, *arguments: object) -> None:
    subprocess.run([sys.executable, "-m", f"training.plates.{module}", *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.make_recognizer", description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--crops", type=int, default=Recipe().crops)
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--rounds", type=int, default=Recipe().rounds)
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    parser.add_argument("--peak-rate", type=float, default=Recipe().peak_rate)
    parser.add_argument("--start", type=Path, help="an .onnx file of this network to train on from")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--photos", type=Path, help="folder with photos and truth.tsv, for the card")
    parser.add_argument("--target", type=Path, default=_TARGET, help="the file to write; its card lies beside it")
    args = parser.parse_args()
    recipe = Recipe(
        crops=args.crops,
        steps=args.steps,
        rounds=args.rounds,
        seed=args.seed,
        peak_rate=args.peak_rate,
        start=args.start,
    )
    make_recognizer(args.work, recipe, target=args.target, processes=args.processes, photos=args.photos)


if __name__ == "__main__":
    main()
