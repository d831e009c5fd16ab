"""What many cameras cost one camera process: CPU, memory, and how late pictures come.

    python -m benchmarks.cameras [--cameras 200] [--fps 1] [--codec h264|mjpeg] [--seconds 60] [--json FILE]

A server in a process of its own is all the cameras: each sends its pictures over HTTP at its own moments, evenly spread
over the second. The process that reads them is the real one, but that nothing is published: what it would publish is
timed and thrown away. `--still`: nothing moves, so the motion gate holds nearly everything back.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import multiprocessing
import resource
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from producers.camera.process import CameraProcess
from sightline.local.embedded_redis import prepare_redis
from sightline.redis.connection import connect
from sightline.settings import load_settings
from sightline.types import FrameRef
from sightline.wire.messages import Job
from storage.cameras import Camera

#: So many pictures are sent again and again; the first is a key frame, and so is each fifth.
_PICTURES: Final = 20
_KEY_EVERY: Final = 5
_BOUNDARY: Final = b"--picture\r\n"
_ANSWER: Final = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", type=int, default=200)
    parser.add_argument("--fps", type=float, default=1.0, help="pictures a second that each camera sends")
    parser.add_argument("--sample", type=float, default=1.0, help="pictures a second that are looked at")
    parser.add_argument("--codec", choices=("h264", "mjpeg"), default="h264")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=720)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--still", action="store_true", help="nothing moves")
    parser.add_argument("--json", type=Path, help="write the numbers here as well")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    server_end, from_server = context.Pipe()
    server = context.Process(target=serve, args=(options, server_end), daemon=True)
    server.start()
    with tempfile.TemporaryDirectory() as folder:
        redis = prepare_redis(Path(folder))
        running = subprocess.Popen(redis.command, stdout=subprocess.DEVNULL)
        try:
            port = from_server.recv()
            reader_end, from_reader = context.Pipe()
            reader = context.Process(target=read, args=(options, port, redis.url, folder, reader_end))
            reader.start()
            found = from_reader.recv()
            from_server.send("how late")
            found |= from_server.recv()
            reader.join(30)
        finally:
            running.terminate()
            running.wait(10)
            server.terminate()
    show(found, options)
    if options.json:
        options.json.write_text(json.dumps({**vars(options), "json": None, "found": found}, indent=2) + "\n")


class Timed:
    """In place of a publisher: notes how long after its due time each picture was taken, and would be published."""

    def __init__(self, cameras: int, fps: float) -> None:
        self.taken_s: list[float] = []
        self.published_s: list[float] = []
        self._cameras, self._period_s = cameras, 1 / fps

    def publish(self, job: Job, pixels: Mapping[str, bytes]) -> tuple[FrameRef, ...]:  # noqa: ARG002
        now = time.time()
        for frame in job.frames:
            due_s = int(frame.source_id) / self._cameras * self._period_s
            self.taken_s.append((frame.captured_at.timestamp() - due_s) % self._period_s)
            self.published_s.append(self.taken_s[-1] + now - frame.captured_at.timestamp())
        return ()


def read(options: argparse.Namespace, port: int, redis_url: str, folder: str, answer: Connection) -> None:
    """The camera process, for so long; then what it cost."""
    settings = load_settings(redis_url=redis_url, data_dir=folder)
    rows = [_camera(number, port, options) for number in range(options.cameras)]
    publisher = Timed(options.cameras, options.fps)
    process = CameraProcess(settings, publisher, connect(redis_url), lambda: rows)
    stop = threading.Event()
    thread = threading.Thread(target=process.run, args=(stop,))
    began_s = time.monotonic()
    thread.start()
    while not _all_run(process, options.cameras):
        time.sleep(0.2)
        if time.monotonic() - began_s > 120:
            sys.exit(f"not all cameras run: {process.fleet.statuses()}")
    opened_s = time.monotonic() - began_s
    time.sleep(5)
    publisher.taken_s.clear()
    publisher.published_s.clear()
    before, counts = _cpu_s(), _counts(process)
    time.sleep(options.seconds)
    cpu_s, now = _cpu_s() - before, _counts(process)
    memory = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    answer.send(
        {
            "opened_s": opened_s,
            "cores": cpu_s / options.seconds,
            "cpu_ms_per_picture": cpu_s * 1000 / max(1, now["frames_read"] - counts["frames_read"]),
            "memory_mb": int(memory["VmRSS"].split()[0]) / 1000,
            "threads": int(memory["Threads"]),
            "expected": round(options.cameras * options.fps * options.seconds),
            **{name: now[name] - counts[name] for name in counts},
            "taken_ms": _percentiles(publisher.taken_s),
            "published_ms": _percentiles(publisher.published_s),
        }
    )
    stop.set()
    thread.join(10)


def _camera(number: int, port: int, options: argparse.Namespace) -> Camera:
    url = f"http://127.0.0.1:{port}/{number}"
    return Camera.model_validate({"camera_id": f"{number}", "url": url, "fps": options.sample})


def _all_run(process: CameraProcess, cameras: int) -> bool:
    states = [status.state for status in process.fleet.statuses().values()]
    return states.count("running") == cameras


def _counts(process: CameraProcess) -> dict[str, int]:
    statuses = process.fleet.statuses().values()
    names = ("frames_read", "sampled", "gated", "published")
    counts = {name: sum(getattr(status, name) for status in statuses) for name in names}
    return counts | {"dropped": sum(sum(status.dropped.values()) for status in statuses)}


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _percentiles(seconds: list[float]) -> list[float]:
    """Milliseconds: the median, 99 of 100, and the most."""
    return [round(float(at) * 1000, 1) for at in np.percentile(seconds, (50, 99, 100))] if seconds else []


def serve(options: argparse.Namespace, answer: Connection) -> None:
    """All the cameras. Says its port, then, asked for it, how late itself sent the pictures."""
    pictures = draw_pictures(options)
    kind, first, parts = as_flv(pictures, options) if options.codec == "h264" else _as_multipart(pictures)
    late_s: list[float] = []
    period_s = 1 / options.fps

    async def send(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = int((await reader.readuntil(b"\r\n\r\n")).split()[1].lstrip(b"/"))
        writer.write(_ANSWER + kind + b"\r\n\r\n" + first)
        offset_s = number / options.cameras * period_s
        sent, due_s = 0, (time.time() // period_s + 1) * period_s + offset_s
        try:
            while True:
                await asyncio.sleep(due_s - time.time())
                late_s.append(time.time() - due_s)
                writer.write(stamped(parts[sent % len(parts)], round(sent * period_s * 1000), options))
                await writer.drain()
                sent += 1
                due_s += period_s
        except OSError:
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(send, "127.0.0.1", 0, backlog=1024)
        answer.send(server.sockets[0].getsockname()[1])
        await asyncio.to_thread(answer.recv)
        answer.send({"sent_late_ms": _percentiles(late_s[len(late_s) // 10 :])})
        await asyncio.sleep(3600)

    asyncio.run(run())


def draw_pictures(options: argparse.Namespace) -> list[Any]:
    """A street with sensor noise, and a car that drives through it."""
    width, height = options.width, options.height
    rng = np.random.default_rng(1)
    street = cv2.resize(rng.integers(40, 200, (height // 8, width // 8, 3), dtype=np.uint8), (width, height))
    pictures: list[Any] = []
    for index in range(_PICTURES):
        image = street + rng.integers(0, 8, street.shape, dtype=np.uint8)
        if not options.still:
            left = index * (width - 260) // _PICTURES
            cv2.rectangle(image, (left, height // 2), (left + 260, height // 2 + 120), (30, 30, 160), -1)
        pictures.append(image)
    return pictures


def _as_multipart(pictures: list[Any]) -> tuple[bytes, bytes, list[bytes]]:
    jpegs = [cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes() for image in pictures]
    head = "Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n"
    parts = [head.format(len(jpeg)).encode() + jpeg + b"\r\n" + _BOUNDARY for jpeg in jpegs]
    return b"multipart/x-mixed-replace; boundary=picture", _BOUNDARY, parts


def as_flv(pictures: list[Any], options: argparse.Namespace) -> tuple[bytes, bytes, list[bytes]]:
    """H.264 as some cameras send it over HTTP: a frame a tag, so that nothing waits for what comes next."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as container:
        fast = {"preset": "veryfast", "tune": "zerolatency", "g": str(_KEY_EVERY), "crf": "26"}
        stream: Any = container.add_stream("libx264", rate=25, options=fast)
        stream.width, stream.height, stream.pix_fmt = options.width, options.height, "yuv420p"
        for image in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    data, at = file.getvalue(), 13
    head, frames = data[:at], list[bytes]()
    while at < len(data):
        end = at + 11 + int.from_bytes(data[at + 1 : at + 4], "big") + 4
        tag = data[at:end]
        if tag[0] == 9 and tag[12] == 1:  # a picture
            frames.append(tag)
        elif not frames:
            head += tag
        at = end
    return b"video/x-flv", head, frames


def stamped(part: bytes, at_ms: int, options: argparse.Namespace) -> bytes:
    if options.codec == "mjpeg":
        return part
    stamp = struct.pack(">I", at_ms)
    return part[:4] + stamp[1:] + stamp[:1] + part[8:]


def show(found: Mapping[str, Any], options: argparse.Namespace) -> None:
    scene = "still" if options.still else "moving"
    table = Table(
        title=f"{options.cameras} cameras of {options.fps:g} fps, {options.codec}, {options.width} x "
        f"{options.height}, {scene}, {options.seconds:g} s"
    )
    table.add_column("")
    table.add_column("", justify="right")
    for name, value in found.items():
        table.add_row(name, f"{value:.2f}" if isinstance(value, float) else str(value))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
