"""`python -m training.plates.measuring.measure_tiles`: what a look at parts of large pictures finds, and what it costs.

Draws pictures of 1920 x 1080: a small scene, in letters that nothing was trained with, somewhere on a background. Each
is looked at as a whole, and in parts where nothing was found; what is read in doubtful boxes has to be sure. By the
height of the plates it tells how many are found and read right either way. O and 0, I and 1 are equal.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sightline.settings import load_settings
from sightline.types import Detection, Reading, Xyxy
from training.plates.drawing.background import draw_background
from training.plates.drawing.fonts import check_fonts, use_held_out
from training.plates.drawing.scene import draw_scene
from workers.detectors import open_detector
from workers.detectors.scale_fusion import overlap
from workers.detectors.tiles import joined, tiles_of
from workers.pixels.images import BgrImage, crop, use_one_thread
from workers.recognizers.doubt import is_doubtful
from workers.recognizers.voted import open_voted_recognizer

_WIDTH, _HEIGHT = 1920, 1080
_SCENES_PX = (360, 420, 500)
_BACKGROUNDS: Final = 4242  #: their seed
_HEIGHTS: Final = (10, 14, 18, 24, 32, 50)  #: of plates in pixels, from
_SURE_BOX: Final = 0.6
_ON_PLATE: Final = 0.3  #: intersection over union
_EQUAL = str.maketrans("OI", "01")

_Result = TypeVar("_Result")
Truth = list[tuple[Xyxy, str, float]]
Read = list[tuple[Detection, Reading]]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m training.plates.measuring.measure_tiles", description=__doc__)
    parser.add_argument("--seed", type=int, default=99100)
    parser.add_argument("--pictures", type=int, default=130)
    given = parser.parse_args()
    use_one_thread()
    check_fonts()
    use_held_out()
    settings = load_settings()
    detector, reader = open_detector("plates-detector", settings), open_voted_recognizer(settings)
    counts: dict[int, Counter[str]] = defaultdict(Counter)
    all_of_it = Counter[str]()
    took_s: dict[str, list[float]] = {"whole": [], "parts": []}
    for index in track(range(given.pictures), "pictures", transient=True):
        image, truth = picture(given.seed, index)
        found = timed(took_s["whole"], lambda image=image: detector.detect([image])[0])
        whole = read(image, found, reader.recognize)
        parts: Read = []
        if not found:
            tiles = tiles_of(image)
            seen = timed(took_s["parts"], lambda tiles=tiles: detector.detect([one.image for one in tiles]))
            unsure = [one.model_copy(update={"confidence": 0.0}) for one in joined(image, tiles, seen)]
            parts = read(image, unsure, reader.recognize)
        for xyxy, text, height in truth:
            of_size = counts[max(least for least in _HEIGHTS if least <= max(height, _HEIGHTS[0]))]
            of_size += Counter(plates=1)
            for name, boxes in (("whole", whole), ("parts", whole + parts)):
                texts = [r.text for box, r in boxes if overlap(box.xyxy, xyxy) >= _ON_PLATE]
                right = any(one.translate(_EQUAL) == text.translate(_EQUAL) for one in texts)
                of_size += Counter({f"{name} found": int(bool(texts)), f"{name} right": int(right)})
        all_of_it["empty"] += not found
        for name, boxes in (("whole", whole), ("parts", parts)):
            all_of_it[name] += sum(all(overlap(box.xyxy, one[0]) < 0.1 for one in truth) for box, _ in boxes)
    table = Table("plates from", "plates", "whole found", "whole right", "parts found", "parts right")
    for least, of_size in sorted(counts.items()):
        table.add_row(f"{least} px", *(str(of_size[str(column.header)]) for column in table.columns[1:]))
    Console().print(table)
    ms = {name: 1000 * float(np.median(times or [0])) for name, times in took_s.items()}
    print(
        f"nothing found on {all_of_it['empty']} of {given.pictures}; boxes on no plate: {all_of_it['whole']}, on parts"
    )
    print(f"{all_of_it['parts']} more; CPU {ms['whole']:.0f} ms a picture, {ms['parts']:.0f} ms more for its parts")


def picture(seed: int, index: int) -> tuple[BgrImage, Truth]:
    """With the box, text and height of each plate."""
    rng = np.random.default_rng([_BACKGROUNDS, index])
    image = np.ascontiguousarray(draw_background(rng, _WIDTH)[(_WIDTH - _HEIGHT) // 2 :][:_HEIGHT])
    side = _SCENES_PX[index % len(_SCENES_PX)]
    left, top = int(rng.integers(0, _WIDTH - side)), int(rng.integers(0, _HEIGHT - side))
    scene = draw_scene(seed, index, side)
    image[top : top + side, left : left + side] = scene.image
    truth: Truth = []
    for plate in scene.plates:
        x1, y1, x2, y2 = plate.xyxy(side)
        corners = np.array(plate.corners)
        height = float(np.linalg.norm(corners[[3, 2]] - corners[[0, 1]], axis=1).mean())
        truth.append(((x1 + left, y1 + top, x2 + left, y2 + top), plate.text, height))
    return image, truth


def read(image: BgrImage, boxes: Sequence[Detection], recognize: Callable[[Sequence[BgrImage]], list[Reading]]) -> Read:
    """Those that are left on a photo, with what is read in them."""
    readings = recognize([crop(image, box, margin=0.5) for box in boxes])
    both = zip(boxes, readings, strict=True)
    return [(box, one) for box, one in both if not is_doubtful(box, one if one.text else None, _SURE_BOX)]


def timed(took_s: list[float], call: Callable[[], _Result]) -> _Result:
    began = time.process_time()
    result = call()
    took_s.append(time.process_time() - began)
    return result


if __name__ == "__main__":
    main()
