"""Photos and videos on disk, as frames ready to submit. Photos are passed on as they are; videos need PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sightline.errors import BadMessageError, SourceError
from sightline.exif import taken_at
from sightline.jobs import NewFrame
from sightline.sequences import name_burst, name_video

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm", ".ts", ".m4v"})
SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES
#: Where cameras write EXIF: before the picture.
_HEAD_BYTES = 262_144


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The files behind the given paths: a folder gives its photos and videos, sorted, with subfolders.

    A file that is named is taken whatever its suffix: its content decides.

    Raises:
        BadMessageError: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise BadMessageError(f"path {str(path)!r}: no such file or folder", field="paths")
    return list(dict.fromkeys(found))


def read_frames(path: Path, *, fps: float) -> Iterator[NewFrame]:
    """The frames of one file: a photo is one; a video gives `fps` pictures a second of its own time, as JPEG.

    A photo stands alone, the frames of a video are a sequence of their own.

    Raises:
        SourceError: the file cannot be read or decoded.
    """
    is_video = path.suffix.lower() in VIDEO_SUFFIXES
    try:
        modified_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        sequence = name_video(path) if is_video else None
        data = b"" if is_video else path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    if not is_video:
        yield NewFrame.photo(data, path.name, modified_at=modified_at)
        return
    for frame in _read_video(path, fps, modified_at):
        yield replace(frame, sequence=sequence, time_from="video")


def find_burst(paths: Iterable[Path]) -> str | None:
    """The sequence of these photos if they are a burst, see `name_burst`; it is rarely one, and two looks tell."""
    return name_burst(map(_taken_at, paths))


def _taken_at(path: Path) -> datetime | None:
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return None
    try:
        with path.open("rb") as file:
            return taken_at(file.read(_HEAD_BYTES))
    except OSError:  # it is told when its turn comes
        return None


def _read_video(path: Path, fps: float, started_at: datetime) -> Iterator[NewFrame]:
    try:
        import av
        import av.error
    except ImportError as error:
        raise SourceError(f"{path}: reading videos needs PyAV: pip install 'sightline[video]'") from error
    try:
        with av.open(str(path)) as container:
            due_s = 0.0
            for picture in container.decode(video=0):
                position_s = float(picture.time or 0.0)
                if position_s + 1e-6 >= due_s:
                    due_s = max(due_s + 1.0 / fps, position_s)
                    at = started_at + timedelta(seconds=position_s)
                    yield NewFrame(_encode_jpeg(picture), at, name=path.name, position_s=position_s)
    except av.error.FFmpegError as error:
        raise SourceError(f"{path}: {error.strerror}; the file is damaged or no video") from error


def _encode_jpeg(picture: Any) -> bytes:
    """One decoded picture as JPEG, by FFmpeg's own encoder: no other imaging library is needed."""
    from fractions import Fraction

    import av

    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = picture.width, picture.height
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    encoder.options = {"qmin": "2", "qmax": "2"}
    picture = picture.reformat(format="yuvj420p")
    picture.pts = None
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
