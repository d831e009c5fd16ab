"""What a camera costs: milliseconds of one core per frame, for each step on its way to the slot.

    python -m benchmarks.camera [--width 1280 --height 720] [--frames 150] [--json FILE]

The scene is synthetic: a textured street with sensor noise and a moving car. One thread, as in the camera process.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from producers.camera.capture.motion import GRAY_WIDTH, MotionGate
from producers.camera.sources.arrays import encode_jpeg
from producers.camera.sources.video import VideoGrab
from sightline.video.container import Container, ReadOptions

T = TypeVar("T")

STEPS = ("decode", "motion", "convert", "encode")
ENCODERS = {"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--quality", type=int, default=90)
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            codec: measure(write_clip(Path(folder) / f"{codec}.mkv", codec, options), options) for codec in ENCODERS
        }
    show(rows, options)
    if options.json:
        report = {"width": options.width, "height": options.height, "ms_per_frame": rows}
        options.json.write_text(json.dumps(report, indent=2) + "\n")


def measure(clip: Path, options: argparse.Namespace) -> dict[str, float]:
    """Mean CPU milliseconds per frame and step, and the size of a JPEG."""
    spent_ms: dict[str, float] = defaultdict(float)

    def timed(step: str, call: Callable[[], T]) -> T:
        started = time.thread_time()
        result = call()
        spent_ms[step] += (time.thread_time() - started) * 1000
        return result

    pictures = Container(str(clip), ReadOptions({})).pictures()
    gate = MotionGate()
    frames = 0
    while (picture := timed("decode", lambda: next(pictures, None))) is not None:
        grab = VideoGrab(picture.stamp_s or 0.0, datetime.now(UTC), picture)
        timed("decode", picture.frame)
        timed("motion", lambda grab=grab: gate.passes(grab.gray(GRAY_WIDTH), grab.at_s))
        image = timed("convert", grab.bgr)
        jpeg = timed("encode", lambda image=image: encode_jpeg(image, options.quality))
        spent_ms["jpeg_kb"] += len(jpeg) / 1000
        frames += 1
    return {step: round(spent_ms[step] / frames, 3) for step in (*STEPS, "jpeg_kb")}


def write_clip(path: Path, codec: str, options: argparse.Namespace) -> Path:
    width, height = options.width, options.height
    rng = np.random.default_rng(1)
    street = cv2.resize(rng.integers(40, 200, (height // 8, width // 8, 3), dtype=np.uint8), (width, height))
    noise = [rng.integers(0, 12, (height, width, 3), dtype=np.uint8) for _ in range(8)]
    with av.open(str(path), "w") as container:
        fast = {} if codec == "mjpeg" else {"preset": "veryfast", "g": "50"}
        if codec == "hevc":
            fast["x265-params"] = "log-level=none"
        stream: Any = container.add_stream(ENCODERS[codec], rate=25, options=fast)
        stream.width, stream.height, stream.bit_rate = width, height, 4_000_000 if codec != "mjpeg" else 40_000_000
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for index in range(options.frames):
            image = street + noise[index % len(noise)]
            left = index * 9 % (width - 300)
            cv2.rectangle(image, (left, height // 2), (left + 260, height // 2 + 120), (30, 30, 160), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


def show(rows: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    title = f"CPU ms per frame, {options.width} x {options.height}, JPEG quality {options.quality}, one thread"
    table = Table(title=title)
    for heading in ("codec", *STEPS, "read at 25, sample 5/s", "the same, gated", "JPEG kB"):
        table.add_column(heading, justify="left" if heading == "codec" else "right")
    for codec, row in rows.items():
        decoded_fps = 5 if codec == "mjpeg" else 25  # frames that decode alone are decoded when sampled
        gated_ms = decoded_fps * row["decode"] + 5 * row["motion"]
        full_ms = gated_ms + 5 * (row["convert"] + row["encode"])
        shares = (f"{full_ms / 10:.1f} % of a core", f"{gated_ms / 10:.1f} %")
        table.add_row(codec, *(f"{row[step]:.2f}" for step in STEPS), *shares, f"{row['jpeg_kb']:.0f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
