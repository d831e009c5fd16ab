"""`python -m training.plates.make_crops FOLDER`: draw crops for the recognizer's training into a folder.

`crops.npy` holds the pictures (count, height, width; uint8), `texts.txt` a line for each: text, style. Crop `i`
depends on the seed and `i` alone, not on the number of processes. A folder that is complete is left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
from pathlib import Path

import cv2
import numpy as np

from training.plates.drawing.crops import draw_crop
from training.plates.drawing.fonts import check_fonts
from workers.recognizers.plates import HEIGHT_PX, WIDTH_PX

_CHUNK = 500


def make_crops(folder: Path, *, count: int, seed: int, processes: int) -> str:
    """Draw what is missing; returns the sha256 over pictures and texts.

    Raises:
        FileNotFoundError: a font is missing; names the Debian packages to install.
    """
    check_fonts()
    folder.mkdir(parents=True, exist_ok=True)
    images, texts = folder / "crops.npy", folder / "texts.txt"
    if not texts.exists():
        np.lib.format.open_memmap(images, "w+", np.uint8, (count, HEIGHT_PX, WIDTH_PX)).flush()
        chunks = [(images, seed, start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            lines = [line for chunk in pool.imap(_draw_chunk, chunks) for line in chunk]
        texts.write_text("".join(lines), "ascii")
    digest = hashlib.sha256(texts.read_bytes())
    with images.open("rb") as file:
        while block := file.read(1 << 24):
            digest.update(block)
    return digest.hexdigest()


def _draw_chunk(chunk: tuple[Path, int, int, int]) -> list[str]:
    path, seed, start, end = chunk
    cv2.setNumThreads(1)
    images = np.load(path, mmap_mode="r+")
    lines: list[str] = []
    for index in range(start, end):
        crop = draw_crop(np.random.default_rng([seed, index]))
        images[index] = crop.image
        lines.append(f"{crop.text}\t{crop.style}\n")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.make_crops", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=240_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    args = parser.parse_args()
    print(make_crops(args.folder, count=args.count, seed=args.seed, processes=args.processes))


if __name__ == "__main__":
    main()
