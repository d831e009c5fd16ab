"""`make demo`: a street camera and a few photos, from nothing to passages. Ends on Ctrl-C, or by itself with --once.

It listens on another port where 8080 is taken: `make demo PORT=8090`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2

from demo.scene import draw_photo, write_clip

DATA = Path("data/demo")
CLIP_PLATES = ["KAB 4721", "MQX 8830", "TRN 5164", "DWE 2957"]
PHOTO_PLATES = ["HLF 3305", "BCM 7128", "YRP 6194"]
_START_S, _PASSAGE_S = 150, 120


def main() -> int:
    """Exit status 0 when passages came out at the end."""
    asked = _parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nothing may go on alone
    started_at = time.monotonic()
    shutil.rmtree(DATA, ignore_errors=True)
    photos = _draw()
    up = subprocess.Popen(_sightline("up", "--data", str(DATA), *asked.ports), start_new_session=True)
    try:
        _wait_until_ready(up)
        _call("cameras", "add", "gate", str(DATA / "clip.mp4"), "--fps", "4", "--loop")
        print(f"demo: camera 'gate' plays a clip of {len(CLIP_PLATES)} cars; now {len(photos)} photos\n", flush=True)
        subprocess.run(
            _sightline("submit", *photos, "--wait", "--lane", "interactive", "--data", str(DATA)), check=True
        )
        found = _first_passages()
        print(f"\ndemo: first passages {time.monotonic() - started_at:.0f} s after the start\n", flush=True)
        subprocess.run(_sightline("passages", "--data", str(DATA)), check=True)
        subprocess.run(_sightline("cameras", "list", "--data", str(DATA)), check=True)
        if not asked.once:
            print("\ndemo: look at the page; Ctrl-C ends it", flush=True)
            up.wait()
        return 0 if found else 1
    except KeyboardInterrupt:
        return 0
    finally:
        if up.poll() is None:
            up.send_signal(signal.SIGINT)
            up.wait(60)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m demo", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--port", type=int, help="where the page and the API listen; 8080 if left out")
    parser.add_argument("--once", action="store_true", default=os.environ.get("ONCE") == "1", help="end by itself")
    asked = parser.parse_args()
    asked.ports = ["--port", str(asked.port)] if asked.port else []
    return asked


def _draw() -> list[str]:
    DATA.mkdir(parents=True)
    write_clip(DATA / "clip.mp4", CLIP_PLATES)
    paths = [str(DATA / f"photo-{index + 1}.jpg") for index in range(len(PHOTO_PLATES))]
    for seed, (path, plate) in enumerate(zip(paths, PHOTO_PLATES, strict=True)):
        cv2.imwrite(path, draw_photo(plate, seed))
    return paths


def _wait_until_ready(up: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if up.poll() is not None:
            raise SystemExit(f"demo: `sightline up` ended with {up.returncode}")
        if _try("queues") is not None:
            return
        time.sleep(0.5)
    raise SystemExit(f"demo: nothing answered in {_START_S} s")


def _first_passages() -> list[dict[str, Any]]:
    """Wait until the camera's cars and the photos have become passages of their own."""
    until = time.monotonic() + _PASSAGE_S
    found: list[dict[str, Any]] = []
    while time.monotonic() < until:
        lines = _try("passages", "--json") or ""
        found = [json.loads(line) for line in lines.splitlines()]
        if {"gate", "files"} <= {passage["source_id"] for passage in found}:
            break
        time.sleep(1)
    return found


def _sightline(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sightline", *arguments]


def _call(*arguments: str) -> None:
    subprocess.run(_sightline(*arguments, "--data", str(DATA)), check=True)


def _try(*arguments: str) -> str | None:
    done = subprocess.run(_sightline(*arguments, "--data", str(DATA)), capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


if __name__ == "__main__":
    raise SystemExit(main())
