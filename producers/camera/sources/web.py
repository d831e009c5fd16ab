"""Cameras that are asked by HTTP: single pictures, MJPEG, HLS, DASH, or a video file."""

from __future__ import annotations

import threading
from typing import Final

import av.error

from producers.camera.address import encode_credentials
from producers.camera.sources.http import CameraHttp, HttpFile
from producers.camera.sources.snapshots import SnapshotSource
from producers.camera.sources.source import Source, SourceOptions
from producers.camera.sources.streams import QUICK, StreamSource
from sightline.errors import SourceError
from sightline.images.header import format_of
from sightline.redaction import redact_url
from sightline.video.container import Container, ReadOptions
from sightline.video.words import explain

#: What a camera may send. FFmpeg knows formats that name files of this machine, and draws text.
_FORMATS: Final = (
    "asf,avi,flv,live_flv,h264,hevc,ivf,m4v,matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mpjpeg,nut,ogg,hls,dash,aac,mp3"
)
_PLAYLISTS: Final = {"mpegurl": "hls", "dash+xml": "dash"}


def open_web(url: str, options: SourceOptions, stop: threading.Event) -> Source:
    """Open what is behind an `http(s)` URL; what is sent decides what it is.

    Raises:
        SourceError: it cannot be had, or is no video; the text says why.
    """
    http = CameraHttp(encode_credentials(url), options)
    try:
        file = HttpFile(http)
        if _is_picture(file):
            return SnapshotSource(url, http, file, options, stop)
        return StreamSource(url, _open_container(url, http, file, options), options, stop, http.close)
    except (OSError, SourceError) as error:
        http.close()
        if isinstance(error, SourceError):
            raise
        if isinstance(error, TimeoutError):
            raise SourceError(f"{redact_url(url)}: did not open within {options.open_timeout_s:g} s") from error
        raise SourceError(f"{redact_url(url)}: {explain(error, url, was_open=False)}") from error


def _is_picture(file: HttpFile) -> bool:
    """One picture, and that is all: a camera that is asked for each."""
    kind = file.headers.get("content-type", "").lower()
    if kind.startswith("multipart/"):
        return False
    return kind.startswith("image/") or ("content-length" in file.headers and format_of(file.peek()) is not None)


def _open_container(url: str, http: CameraHttp, file: HttpFile, options: SourceOptions) -> Container:
    kind = file.headers.get("content-type", "").lower()
    known = next((format for name, format in _PLAYLISTS.items() if name in kind), None)
    try:
        container = _open_as(url, http, file, options, known)
    except SourceError as error:
        is_unknown = isinstance(error.__cause__, av.error.InvalidDataError)
        if (jpegs := _open_jpegs(url, http, options) if is_unknown else None) is None:
            raise
        return jpegs
    if container.has_size or (jpegs := _open_jpegs(url, http, options)) is None:
        return container
    container.close()
    file.close()
    return jpegs


def _open_as(url: str, http: CameraHttp, file: HttpFile, options: SourceOptions, format: str | None) -> Container:
    # One connection for each piece: FFmpeg's own HTTP, which keeps them, is not asked.
    ffmpeg = {"format_whitelist": _FORMATS, "http_persistent": "0", "http_multiple": "0"}
    read = ReadOptions(
        QUICK | ffmpeg,
        format=format,
        file=file,
        open_file=lambda url: HttpFile(http, url),
        open_timeout_s=options.open_timeout_s,
        read_timeout_s=options.read_timeout_s,
        on_demand=options.on_demand,
        hardware=options.hardware,
    )
    try:
        return Container(url, read)
    except BaseException:
        file.close()
        raise


def _open_jpegs(url: str, http: CameraHttp, options: SourceOptions) -> Container | None:
    """MJPEG as cheap cameras send it, without the first boundary or the type of its parts; None if it is none."""
    try:
        container = _open_as(url, http, HttpFile(http), options, "mjpeg")
    except (SourceError, OSError):
        return None
    if container.has_size:
        return container
    container.close()
    return None
