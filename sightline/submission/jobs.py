"""How uploads become a job. The ids come from the content, so that the same upload is the same job."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from sightline.errors import BadMessageError
from sightline.ids import content_id
from sightline.images.conversion import Converted, is_convertible, to_jpeg
from sightline.images.exif import taken_at
from sightline.images.header import ImageLimits, check_image, format_of
from sightline.images.kinds import HEAD_BYTES, name_kind
from sightline.submission.sequences import SUBMITTED, name_burst
from sightline.types import Lane, Pipeline, TimeFrom
from sightline.wire.messages import MAX_FRAMES_PER_JOB, Job, parse_job

if TYPE_CHECKING:
    from sightline.settings import Settings


@dataclass(frozen=True)
class NewFrame:
    """An encoded picture (JPEG, PNG, WebP) that is no frame yet.

    `position_s` is its time within a video, and `video` names that by its content. `original`: the file that it was
    made from, if that is of another kind; `note` says what of that is not in the picture.
    """

    data: bytes
    captured_at: datetime
    name: str = ""
    position_s: float | None = None
    sequence: str | None = None
    time_from: TimeFrom | None = None
    video: str | None = None
    original: bytes | None = None
    note: str = ""

    @classmethod
    def photo(
        cls,
        data: bytes,
        name: str = "",
        *,
        limits: ImageLimits | None = None,
        captured_at: datetime | None = None,
        modified_at: datetime | None = None,
    ) -> Self:
        """A photo. It was captured when the caller says; else when its camera says, in its EXIF; else when its file was
        written; else now.

        `limits` are those of a file that is no JPEG, PNG or WebP and becomes one; None: it stays as it is.

        Raises BadImageError: it cannot become one.
        """
        made = _converted(data, limits) if limits is not None and format_of(data) is None else None
        moment: datetime | None
        source: TimeFrom
        if captured_at is not None:
            moment, source = captured_at, "caller"
        elif (moment := taken_at(data) if made is None else made.taken_at) is not None:
            source = "exif"
        elif modified_at is not None:
            moment, source = modified_at, "file"
        else:
            moment, source = datetime.now(UTC), "received"
        if made is None:
            return cls(data, moment, name, time_from=source)
        return cls(made.jpeg, moment, name, time_from=source, original=data, note=made.note)

    def frame_id(self, source_id: str, pipeline: str) -> str:
        """The same for the same picture of the same source in the same pipeline.

        Of a video the place in it counts: what a decoder makes of a damaged file differs from time to time.
        """
        if self.position_s is None:
            return content_id(pipeline, source_id, self.original or self.data)
        what = (self.data, self.name) if self.video is None else (self.video,)
        return content_id(pipeline, source_id, *what, f"{self.position_s:.3f}")


def _converted(data: bytes, limits: ImageLimits) -> Converted | None:
    kind = name_kind(data[:HEAD_BYTES])
    return to_jpeg(data, kind, limits) if is_convertible(kind) else None


def make_job(
    new_frames: Sequence[NewFrame],
    settings: Settings | None,
    *,
    pipeline: Pipeline | str,
    lane: Lane | str,
    source_id: str,
    sequence: str | None = None,
) -> tuple[Job, dict[str, bytes]]:
    """A job of these pictures, and its pixels by frame id. The same picture twice is one frame.

    `settings` have the limits of a picture; None: whoever takes the job checks them.
    `sequence`: that of all of them, whatever they say themselves.

    Raises:
        BadImageError: naming the picture, the value and the limit.
        BadMessageError: naming the wrong field.
    """
    if not new_frames:
        raise BadMessageError("images: none given; give at least one", field="images")
    if len(new_frames) > MAX_FRAMES_PER_JOB:
        raise BadMessageError(
            f"images: {len(new_frames)} given, at most {MAX_FRAMES_PER_JOB} go in a job", field="images"
        )
    pixels: dict[str, bytes] = {}
    frames: list[dict[str, object]] = []
    for new in new_frames:
        if settings is not None:
            check_image(new.data, max_mb=settings.max_image_mb, max_mpx=settings.max_image_mpx)
        frame_id = new.frame_id(source_id, str(pipeline))
        if frame_id in pixels:
            continue
        pixels[frame_id] = new.data
        frames.append(
            {
                "frame_id": frame_id,
                "source_id": source_id,
                "captured_at": new.captured_at,
                "seq": len(frames),
                "name": new.name[-255:],
                "sequence": sequence or new.sequence,
                "time_from": new.time_from,
            }
        )
    job = parse_job(
        {
            "job_id": content_id(str(pipeline), *pixels),
            "pipeline": pipeline,
            "lane": lane,
            "frames": frames,
            "published_at": time.time(),
        }
    )
    return job, pixels


def sequence_of(new_frames: Sequence[NewFrame], *, is_said: bool) -> str | None:
    """That of pictures which were submitted together: as whoever did says, else as their own times show."""
    if is_said:
        return SUBMITTED
    return name_burst(new.captured_at if new.time_from == "exif" else None for new in new_frames)
