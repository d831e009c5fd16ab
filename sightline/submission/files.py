"""Photos and videos on disk, as frames ready to submit. Photos are passed on as they are; videos need PyAV."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sightline.errors import BadMessageError, SourceError
from sightline.images.conversion import is_convertible
from sightline.images.exif import taken_at
from sightline.images.header import ImageLimits, format_of
from sightline.images.kinds import HEAD_BYTES, name_kind
from sightline.submission.folders import is_unfinished, walk
from sightline.submission.jobs import NewFrame
from sightline.submission.names import readable_name
from sightline.submission.sequences import name_burst, name_video
from sightline.submission.sounds import SOUND_SUFFIXES, begins_as_sound
from sightline.submission.texts import TEXT_SUFFIXES
from sightline.types import Medium
from sightline.video.clock import clock_time
from sightline.video.report import VideoReport
from sightline.video.sampler import Sampler

if TYPE_CHECKING:
    from sightline.video.file import VideoFile

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp"}
    | {".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".j2k", ".jp2", ".tif", ".tiff"}
)
VIDEO_SUFFIXES = frozenset(
    {".3g2", ".3gp", ".asf", ".avi", ".dav", ".dv", ".f4v", ".flv", ".h264", ".h265", ".hevc", ".m2t", ".m2ts", ".m2v"}
    | {".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob"}
    | {".webm", ".wmv"}
)
SUFFIXES = PHOTO_SUFFIXES | VIDEO_SUFFIXES
#: One JPEG after the other: nothing but the name tells them from a photo.
_JPEGS: Final = frozenset({".mjpeg", ".mjpg"})
#: Where cameras write EXIF: before the picture.
_HEAD_BYTES = 262_144


def find_files(paths: Iterable[Path], media: Collection[Medium] = ("image",)) -> list[Path]:
    """The files behind the given paths: a folder gives its photos and videos, texts or recordings, sorted, with
    subfolders.

    A file that is named is taken whatever its suffix: its content decides. In a folder it decides for those with a
    suffix of no photo and no video. There hidden files and folders, unfinished uploads and what a watched folder has
    put away are passed over.

    Raises:
        BadMessageError: a path does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            files = (root / name for root, _, names in walk(path) for name in names if not is_unfinished(name))
            found += sorted(file for file in files if file.is_file() and _is_wanted(file, media))
        elif path.is_file():
            found.append(path)
        else:
            raise BadMessageError(f"path {str(path)!r}: no such file or folder", field="paths")
    return list(dict.fromkeys(found))


def read_frames(
    path: Path, *, fps: float, limits: ImageLimits | None = None, report: VideoReport | None = None
) -> Iterator[NewFrame]:
    """The frames of one file: a photo is one, as it is or made a JPEG; a video gives `fps` pictures a second of its
    own time, as JPEG.

    A photo stands alone, the frames of a video are a sequence of their own. Pictures of a video that are damaged are
    left out.

    Args:
        limits: pictures of a video are made to fit; a photo that is no JPEG, PNG or WebP must.
        report: what of a video did not become a frame is noted here.

    Raises:
        BadImageError: a photo of another kind cannot be made a JPEG.
        SourceError: the file cannot be read, or there is no picture in it that can be decoded.
    """
    try:
        modified_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        video = _open_video(path)
        data = path.read_bytes() if video is None else b""
        named = None if video is None else name_video(path)
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from error
    name = readable_name(path.name)
    if video is None:
        yield NewFrame.photo(data, name, limits=limits, modified_at=modified_at)
        return
    report = report or VideoReport()
    report.tracks = video.tracks
    started_at = video.recorded_at or modified_at
    try:
        for at_s, jpeg in _sample(video, fps, limits, report):
            at = started_at + timedelta(seconds=at_s)
            yield NewFrame(jpeg, at, name, at_s, named, time_from="video", video=named)
    finally:
        video.close()


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


def _sample(
    video: VideoFile, fps: float, limits: ImageLimits | None, report: VideoReport
) -> Iterator[tuple[float, bytes]]:
    """Position and JPEG of the pictures that are due."""
    from sightline.video.jpeg import encode_jpeg

    sampler = Sampler(fps)
    try:
        for at_s, picture in video.pictures():
            if picture.damaged:
                report.note_unreadable(at_s)
            elif sampler.takes(at_s):
                try:
                    jpeg = encode_jpeg(picture.upright(), limits)
                except SourceError:
                    report.note_unreadable(at_s)
                    continue
                report.frames += 1
                yield at_s, jpeg
    except SourceError as error:  # what was read until then is good
        if not report.frames:
            raise
        report.ended_early = f"ends at {clock_time(video.end_s)}: {error}"
    else:
        report.ended_early = video.ended_early
    if not report.frames:
        raise SourceError(f"{video.path}: no picture in it could be decoded")


def _open_video(path: Path) -> VideoFile | None:
    """None: it is a photo, or nothing that we know, which is told when it is looked at as a photo."""
    if _is_photo(path):
        return None
    is_called_video = path.suffix.lower() in VIDEO_SUFFIXES
    try:
        from sightline.video.file import VideoFile
    except ImportError as error:
        if not is_called_video:
            return None
        raise SourceError(f"{path}: reading videos needs PyAV: pip install 'sightline[video]'") from error
    try:
        return VideoFile(path)
    except SourceError as error:
        if is_called_video or isinstance(error.__cause__, SourceError):  # a container, with no video in it
            raise
        return None


def is_text(path: Path, media: Collection[Medium]) -> bool:
    """Whether a file is taken as a text, where these are wanted: by its name, or since nothing else is."""
    return "text" in media and ("image" not in media or path.suffix.lower() in TEXT_SUFFIXES)


def is_sound(path: Path, media: Collection[Medium]) -> bool:
    """Whether a file is taken as a recording, where these are wanted. Where pictures are not, a video is one."""
    if "audio" not in media:
        return False
    if path.suffix.lower() in SOUND_SUFFIXES:
        return True
    try:
        if "image" not in media:
            return not is_text(path, media) and not _is_photo(path)
        return path.suffix.lower() not in SUFFIXES and begins_as_sound(path) and not is_picture(path)
    except OSError:
        return False


def is_picture(path: Path) -> bool:
    """Whether a file is a photo or a video, whatever is wanted; what is called a text is never a video."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        return _is_photo(path) if path.suffix.lower() in TEXT_SUFFIXES else _is_by_content(path)
    except OSError:
        return False


def _is_wanted(path: Path, media: Collection[Medium]) -> bool:
    """Whether a file of a folder is a photo or a video, a text or a recording."""
    if "text" in media and path.suffix.lower() in TEXT_SUFFIXES:
        return True
    if "audio" in media and _is_recording(path, media):
        return True
    return "image" in media and (path.suffix.lower() in SUFFIXES or _is_by_content(path))


def _is_recording(path: Path, media: Collection[Medium]) -> bool:
    """Whether a file of a folder is one, by its name or else its beginning."""
    if path.suffix.lower() in SOUND_SUFFIXES or (path.suffix.lower() in VIDEO_SUFFIXES and "image" not in media):
        return True
    try:
        return is_sound(path, media) and begins_as_sound(path)
    except OSError:
        return False


def _is_by_content(path: Path) -> bool:
    try:
        if _is_photo(path):
            return True
        video = _open_video(path)
    except (OSError, SourceError):
        return False
    if video is not None:
        video.close()
    return video is not None


def _is_photo(path: Path) -> bool:
    """FFmpeg would read a GIF as a video, and the tiles of a HEIC as pictures."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return (format_of(head) is not None and path.suffix.lower() not in _JPEGS) or is_convertible(name_kind(head))
