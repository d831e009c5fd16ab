"""Videos as people have them: of every kind, turned, joined, damaged, cut off. All are made here, by FFmpeg."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.stream import Disposition

from tests.cameras import picture

#: Of the picture with an index, by its index.
Stamp = Callable[[int], int]


def make_video(
    path: Path,
    *,
    frames: int = 20,
    fps: int = 10,
    size: tuple[int, int] = (320, 240),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    format: str | None = None,
    options: Mapping[str, str] = {},
    container_options: Mapping[str, str] = {},
    rotation: int = 0,
    metadata: Mapping[str, str] = {},
    track_tags: Mapping[str, str] = {},
    stamp: Stamp | None = None,
    interlaced: bool = False,
    sound_s: float = 0,
    noisy: bool = False,
) -> Path:
    """A moving white box. `stamp` gives the time stamp of a packet, in frames; `noisy` pictures fill many packets."""
    width, height = size
    with av.open(f"file:{path}", "w", format=format, options=dict(container_options)) as container:
        container.metadata.update(metadata)
        options = {"x264-params": "interlaced=1:tff=1"} if interlaced and codec == "libx264" else dict(options)
        video: Any = container.add_stream(codec, rate=fps, options={**_QUICK.get(codec, {}), **options})
        video.width, video.height, video.pix_fmt, video.time_base = width, height, pix_fmt, Fraction(1, fps)
        if interlaced:
            video.codec_context.flags |= Flags.interlaced_dct | Flags.interlaced_me
        if rotation:
            video.set_display_rotation(rotation)
        video.metadata.update(track_tags)
        if sound_s:
            _hum(container, container.add_stream("aac", rate=8000), sound_s)
        for index in range(frames):
            image = picture(index, width=width, height=height)
            if noisy:
                image += np.random.default_rng(index).integers(0, 40, image.shape, np.uint8)
            if interlaced:
                image[1::2] = picture(index + 1, width=width, height=height)[1::2]
            for packet in video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")):
                _mux(container, packet, stamp)
        for packet in video.encode():
            _mux(container, packet, stamp)
    return path


def make_jpegs(path: Path, jpegs: Sequence[bytes], *, fps: int = 10) -> Path:
    """A video of these JPEGs as they are, each of 320 x 240 pixels."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("mjpeg", rate=fps)
        video.width, video.height, video.pix_fmt, video.time_base = 320, 240, "yuvj420p", Fraction(1, fps)
        for index, jpeg in enumerate(jpegs):
            packet = av.Packet(jpeg)
            packet.stream, packet.pts, packet.dts, packet.time_base = video, index, index, Fraction(1, fps)
            packet.is_keyframe = True
            container.mux(packet)
    return path


def make_tracks(path: Path, *sizes: tuple[int, int]) -> Path:
    """A video with a track of each size."""
    with av.open(str(path), "w") as container:
        tracks: list[Any] = []
        for width, height in sizes:
            track: Any = container.add_stream("libx264", rate=10, options=_QUICK["libx264"])
            track.width, track.height, track.pix_fmt = width, height, "yuv420p"
            tracks.append(track)
        for index in range(20):
            for track in tracks:
                image = picture(index, width=track.width, height=track.height)
                container.mux(track.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        for track in tracks:
            container.mux(track.encode())
    return path


def make_sound(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        _hum(container, container.add_stream("aac", rate=8000), 1)
    return path


def make_cover(path: Path) -> Path:
    """A piece of music with a picture on its cover."""
    with av.open(str(path), "w") as container:
        voice: Any = container.add_stream("aac", rate=8000)
        cover: Any = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture(), format="bgr24")))
        _hum(container, voice, 1)
    return path


def damage_packet(path: Path, index: int) -> Path:
    """Overwrites the picture data of one packet of a video."""
    data = bytearray(path.read_bytes())
    with av.open(f"file:{path}") as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][index]
    noise = random.Random(1).randbytes(max(1, packet.size - 12))
    assert packet.pos is not None
    data[packet.pos + 12 : packet.pos + 12 + len(noise)] = noise
    path.write_bytes(data)
    return path


def cut_off(path: Path, share: float) -> Path:
    """Leaves the first part of a file, as `head -c` does."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def lose_packets(path: Path, *, every: int) -> Path:
    """Leaves out each so-manieth packet of a transport stream, as a network does."""
    data = path.read_bytes()
    packets = [data[at : at + 188] for at in range(0, len(data), 188)]
    path.write_bytes(b"".join(packet for number, packet in enumerate(packets) if number < 20 or number % every))
    return path


_QUICK: Mapping[str, dict[str, str]] = {
    "libx264": {"preset": "ultrafast"},
    "libx265": {"preset": "ultrafast", "x265-params": "log-level=none"},
}


def _mux(container: Any, packet: Any, stamp: Stamp | None) -> None:
    if stamp is not None:
        index = round(packet.pts * packet.time_base / Fraction(1, round(packet.stream.average_rate)))
        packet.pts = packet.dts = round(stamp(index) / packet.stream.average_rate / packet.time_base)
    container.mux(packet)


def _hum(container: Any, stream: Any, seconds: float) -> None:
    for block in range(int(seconds * 8000 / 1024) + 1):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 8000, block * 1024
        container.mux(stream.encode(frame))
    container.mux(stream.encode())
