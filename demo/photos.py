"""`python -m demo.photos FOLDER [COUNT]`: photos of drawn cars, as JPEG files. Different cars, plates and places."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

from demo.scene import draw_photo


def main() -> int:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 8
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        cv2.imwrite(str(folder / f"car{number}.jpg"), draw_photo(f"KAB {4000 + 37 * number}", number))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
