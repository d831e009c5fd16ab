"""`python -m training.plates.make_scenes FOLDER`: draw pictures for the detector's training into a folder.

The layout is the one that YOLO tools read: `images/000123.jpg` and `labels/000123.txt` (class, center x, center y,
width, height as shares). `truth.tsv` has the four corners and the text of every plate. Picture `i` depends on the seed
and `i` alone, not on the number of processes. What is there already is not drawn again.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from training.plates.drawing.fonts import check_fonts
from training.plates.drawing.scene import PlateTruth, draw_scene

_SIZE_PX = 480


def make_scenes(folder: Path, *, count: int, seed: int, processes: int) -> str:
    """Draw what is missing; returns the sha256 over pictures and labels.

    Raises:
        FileNotFoundError: a font is missing; names the Debian packages to install.
    """
    check_fonts()
    for name in ("images", "labels", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        drawn = pool.imap(partial(_draw, folder, seed), range(count), chunksize=16)
        for one in track(drawn, "drawing", total=count):
            digest.update(one)
    truth = (path.read_text("utf-8") for path in sorted((folder / "truth").glob("*.tsv"))[:count])
    (folder / "truth.tsv").write_text("file\tcorners\ttext\tstyle\n" + "".join(truth), "utf-8")
    return digest.hexdigest()


def _draw(folder: Path, seed: int, index: int) -> bytes:
    """One picture and its labels; returns their sha256."""
    cv2.setNumThreads(1)
    name = f"{index:06d}"
    picture, label, truth = (folder / kind / f"{name}{end}" for kind, end in _FILES)
    if not truth.exists():
        scene = draw_scene(seed, index, _SIZE_PX)
        quality = int(np.random.default_rng([seed, index, 1]).integers(35, 96))
        picture.write_bytes(cv2.imencode(".jpg", scene.image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes())
        label.write_text("".join(_yolo_line(plate) for plate in scene.plates), "ascii")
        truth.write_text("".join(_truth_line(name, plate) for plate in scene.plates), "utf-8")  # last: all is there
    return hashlib.sha256(picture.read_bytes() + label.read_bytes()).digest()


_FILES = (("images", ".jpg"), ("labels", ".txt"), ("truth", ".tsv"))


def _yolo_line(plate: PlateTruth) -> str:
    left, top, right, bottom = (value / _SIZE_PX for value in plate.xyxy(_SIZE_PX))
    return f"0 {(left + right) / 2:.6f} {(top + bottom) / 2:.6f} {right - left:.6f} {bottom - top:.6f}\n"


def _truth_line(name: str, plate: PlateTruth) -> str:
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in plate.corners)
    return f"{name}.jpg\t{corners}\t{plate.text}\t{plate.style}\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.make_scenes", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=11_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    args = parser.parse_args()
    print(make_scenes(args.folder, count=args.count, seed=args.seed, processes=args.processes))


if __name__ == "__main__":
    main()
