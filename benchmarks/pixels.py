"""What the pixels of a frame cost: `python -m benchmarks.pixels [--rounds 9] [--threads]`, a minute.

CPU milliseconds a frame of every step between the file and the row, and of ways that were not taken, with the weights
that come with Sightline. All steps take turns in each round; what counts is the median. Shares are of the whole way of
a frame of `plates` with one plate, measured in the same rounds. `--threads`: what threads that are pinned to cores or
spin cost where both models are busy in one process.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import onnxruntime
import openvino

from benchmarks.throughput.pictures import SIZES, draw_pictures
from benchmarks.throughput.reader import Reader
from sightline.settings import Settings, load_settings
from sightline.types import Detection
from workers.detectors.letterbox import letterbox, resize
from workers.detectors.openvino_session import OpenvinoSession
from workers.detectors.sessions import to_tensor
from workers.models.files import resolve
from workers.models.runtimes import onnxruntime_options, openvino_config, share_threads
from workers.pixels.images import BgrImage, crop, decode, decode_small, encode_jpeg, sharpness
from workers.recognizers.plates import open_plate_recognizer, prepare
from workers.recognizers.rapid import open_rapid_recognizer

_AT_ONCE = 4  #: pictures in one call, as the workers have it
_LOOKS = ((640, 384), (384, 256))  #: inputs for pictures of 16:9
_BOX = (0.4, 0.5, 0.55, 0.6)  #: of a plate, as shares of the picture

Steps = Mapping[str, Callable[[], Any]]
Calls = tuple[Callable[[], Any], Callable[[], Any]]  #: of the detector's network and of the recognizer's


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pixels", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="(%(default)s)")
    parser.add_argument("--threads", action="store_true", help="compare settings of threads instead")
    options = parser.parse_args()
    settings = load_settings(runtime="openvino")
    if options.threads:
        _show_threads(_threads(settings), options.rounds)
    else:
        _show_steps([_steps(settings, files) for files in _files()], options.rounds)


def _files() -> list[list[bytes]]:
    """Pictures of each size."""
    drawn = draw_pictures(_AT_ONCE * len(SIZES))
    return [drawn[number :: len(SIZES)] for number in range(len(SIZES))]


def _steps(settings: Settings, files: Sequence[bytes]) -> Steps:
    """Each works on all the files."""
    reader = Reader(settings)
    weights = resolve("plates-detector", settings, suffix=".onnx")
    session = OpenvinoSession(weights, half=settings.half, threads=settings.threads)
    for width, height in (*_LOOKS, (_LOOKS[1][0], _LOOKS[1][1] - 32)):
        session.expect((width, height))
    plain = _compiled(weights.path, openvino_config(settings.threads, half=settings.half))
    recognizer, other = open_plate_recognizer(settings), open_rapid_recognizer(settings)
    images = [decode(file, max_mpx=50) for file in files]
    small = [decode_small(file, least_px=640, max_mpx=50).image for file in files]
    inputs = [letterbox(images, look)[0] for look in _LOOKS]
    crops = [_cut(image) for image in images]
    coded = [encode_jpeg(image, quality=95) for image in crops]

    def whole() -> None:
        reader.read(files)
        for image in crops:
            sharpness(image)

    return {
        "**plates, from file to text**": whole,
        "decode": lambda: [decode(file, max_mpx=50) for file in files],
        "decode to a half": lambda: [_reduced(file, cv2.IMREAD_REDUCED_COLOR_2) for file in files],
        "decode to a quarter": lambda: [_reduced(file, cv2.IMREAD_REDUCED_COLOR_4) for file in files],
        "letterbox, the second look from the first": lambda: [_letterbox(image) for image in images],
        "letterbox, both from the picture": lambda: [_by_area(image, look) for image in images for look in _LOOKS],
        "letterbox, halved and then linear": lambda: [_by_halves(image) for image in images],
        "network, 640 px": lambda: session.forward(inputs[0]),
        "network, 384 px": lambda: session.forward(inputs[1]),
        "network, 384 px, inputs in steps of 32 px": lambda: session.forward(inputs[1][:, 16:-16]),
        "networks, both looks": lambda: [session.forward(look) for look in inputs],
        "networks, both looks, one for all shapes, given floats, in one stream": lambda: [
            np.array(plain(to_tensor(look))[0]) for look in inputs
        ],
        "cut a plate": lambda: [_cut(image) for image in images],
        "sharpness of a crop": lambda: [sharpness(image) for image in crops],
        "code a crop, decode it": lambda: [decode(encode_jpeg(image, quality=95), max_mpx=50) for image in crops],
        "decode a crop": lambda: [decode(file, max_mpx=50) for file in coded],
        "scale a crop for reading": lambda: [prepare(image) for image in crops for _ in range(3)],
        "read a crop": lambda: recognizer.recognize(crops),
        "read a doubtful crop again, PP-OCR": lambda: other.recognize(crops),
        "**objects, one look: all pixels decoded**": lambda: session.forward(_look(files, 0)),
        "**objects, one look: decoded to a half**": lambda: session.forward(_look(files, 640)),
        "letterbox, one look, of a half": lambda: letterbox(small, _LOOKS[0]),
    }


def _look(files: Sequence[bytes], least_px: int) -> Any:
    return letterbox([decode_small(file, least_px=least_px, max_mpx=50).image for file in files], _LOOKS[0])[0]


def _letterbox(image: BgrImage) -> Any:
    small = resize(image, 640, 360)
    return [letterbox([small], look) for look in _LOOKS]


def _by_halves(image: BgrImage) -> Any:
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return [cv2.resize(half, (look[0], look[0] * 9 // 16), interpolation=cv2.INTER_LINEAR) for look in _LOOKS]


def _reduced(file: bytes, how: int) -> Any:
    return cv2.imdecode(np.frombuffer(file, np.uint8), how)


def _by_area(image: BgrImage, look: tuple[int, int]) -> Any:
    scale = min(look[0] / image.shape[1], look[1] / image.shape[0])
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _cut(image: BgrImage) -> BgrImage:
    height, width = image.shape[:2]
    x1, y1, x2, y2 = _BOX
    box = Detection(xyxy=(x1 * width, y1 * height, x2 * width, y2 * height), label="", class_id=0, confidence=1)
    return crop(image, box, margin=0.15)


def _show_steps(steps: Sequence[Steps], rounds: int) -> None:
    """One column a size of pictures."""
    found: list[dict[str, list[float]]] = [{name: [] for name in each} for each in steps]
    for number in range(rounds + 1):
        for column, each in zip(found, steps, strict=True):
            for name, step in sorted(each.items(), reverse=number % 2 == 0):  # each warms the caches of the next
                took_ms = _cpu_ms(step) / _AT_ONCE
                if number:  # the first one compiles
                    column[name].append(took_ms)
    names = list(steps[0])
    heights = " | ".join(f"{height}p, ms | share" for _, height in SIZES)
    print(f"| step | {heights} |\n| --- |{' --- | --- |' * len(SIZES)}")
    for name in names:
        cells = [f"{median(each[name]):.2f} | {median(each[name]) / median(each[names[0]]):.1%}" for each in found]
        print(f"| {name} | {' | '.join(cells)} |")


def _cpu_ms(step: Callable[[], Any]) -> float:
    began_s = time.process_time()
    step()
    return (time.process_time() - began_s) * 1000


def _threads(settings: Settings) -> dict[str, Calls]:
    """Calls of the detector's and of the recognizer's network, by the way their threads are set."""
    files = [resolve(name, settings, suffix=".onnx") for name in ("plates-detector", "plates-recognizer")]
    paths = [file.path for file in files]
    pixels = np.zeros((_AT_ONCE, 384, 640, 3), np.uint8)
    pictures = to_tensor(pixels)
    crops = np.zeros((3 * _AT_ONCE, 64, 160), np.uint8)
    session = OpenvinoSession(files[0], half=settings.half, threads=0)
    recognizer = _compiled(paths[1], openvino_config(share_threads(0)[0], half=settings.half))
    shares = np.array_split(pixels, session.calls_at_once)
    callers = ThreadPoolExecutor(session.calls_at_once)

    def on_openvino(**config: Any) -> Calls:
        detect, read = (_compiled(path, openvino_config(0, half=settings.half) | config) for path in paths)
        return lambda: detect(pictures), lambda: read(crops)

    def on_streams() -> Calls:
        config = openvino_config(0, half=settings.half)
        streams = {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": session.calls_at_once}
        queue = openvino.AsyncInferQueue(_compiled(paths[0], config | streams), session.calls_at_once)

        def detect() -> None:
            for picture in np.split(pictures, len(pictures)):
                queue.start_async([picture])
            queue.wait_all()

        return detect, lambda: recognizer(crops)

    def on_onnxruntime(options: Any) -> Calls:
        detect, read = (
            onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in paths
        )
        return lambda: detect.run(None, {"images": pictures}), lambda: read.run(None, {"crops": crops})

    return {
        "OpenVINO, as it is: each calling thread has a network": (
            lambda: list(callers.map(session.forward, shares)),
            lambda: recognizer(crops),
        ),
        "OpenVINO, pictures handed to threads of its streams": on_streams(),
        "OpenVINO, all threads in one call": on_openvino(),
        "OpenVINO, the same, pinned (its default)": on_openvino(ENABLE_CPU_PINNING=True),
        "OpenVINO, one thread": on_openvino(INFERENCE_NUM_THREADS=1),
        "OpenVINO, one thread, pinned": on_openvino(INFERENCE_NUM_THREADS=1, ENABLE_CPU_PINNING=True),
        "onnxruntime, as it is": on_onnxruntime(onnxruntime_options(0)),
        "onnxruntime, pinned and spinning (its default)": on_onnxruntime(onnxruntime.SessionOptions()),
        "onnxruntime, one thread": on_onnxruntime(onnxruntime_options(1)),
    }


def _compiled(path: Path, config: dict[str, Any]) -> Any:
    return openvino.Core().compile_model(str(path), "CPU", config)


def _show_threads(ways: Mapping[str, Calls], rounds: int) -> None:
    """One after the other in one thread, then each in a thread of its own at once."""
    found: dict[str, list[list[float]]] = {name: [[], [], [], []] for name in ways}
    for number in range(rounds + 1):
        for name, (detect, read) in ways.items():
            figures = [*_both(detect, read, at_once=False), *_both(detect, read, at_once=True)]
            if number:
                for column, figure in zip(found[name], figures, strict=True):
                    column.append(figure)
    print("| threads | in turn, CPU ms | wall ms | at once, CPU ms | wall ms |\n| --- | --- | --- | --- | --- |")
    for name, columns in found.items():
        print(f"| {name} | {' | '.join(f'{median(column):.1f}' for column in columns)} |")


def _both(detect: Callable[[], Any], read: Callable[[], Any], *, at_once: bool) -> tuple[float, float]:
    """CPU and wall milliseconds a frame of one call of the detector and two of the recognizer."""

    def read_twice() -> None:
        read()
        read()

    began_s, cpu_s = time.perf_counter(), time.process_time()
    if at_once:
        other = threading.Thread(target=read_twice)
        other.start()
        detect()
        other.join()
    else:
        detect()
        read_twice()
    return (time.process_time() - cpu_s) * 1000 / _AT_ONCE, (time.perf_counter() - began_s) * 1000 / _AT_ONCE


if __name__ == "__main__":
    main()
