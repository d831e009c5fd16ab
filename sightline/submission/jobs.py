"""How uploads become a job. The ids come from the content, so that the same upload is the same job."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from sightline.errors import BadMessageError
from sightline.ids import content_id, new_id
from sightline.images.conversion import Converted, is_convertible, to_jpeg
from sightline.images.exif import taken_at
from sightline.images.header import ImageLimits, check_image, format_of
from sightline.images.kinds import HEAD_BYTES, name_kind
from sightline.pipelines import check_media, registry
from sightline.pipelines.items import MAX_JOB_CHARS, check_options
from sightline.submission.sequences import SUBMITTED, name_burst
from sightline.submission.sounds import NewSound, check_sound
from sightline.submission.texts import NewText, check_text
from sightline.types import Lane, Medium, Pipeline, TimeFrom
from sightline.wire.messages import MAX_FRAMES_PER_JOB, Job, parse_job

if TYPE_CHECKING:
    from sightline.settings import Settings


#: Clocks differ, zones are mistaken for one another; what is further ahead is a mistake in the unit or the year.
AHEAD: Final = timedelta(days=1)


@dataclass(frozen=True)
class NewFrame:
    """An encoded picture (JPEG, PNG, WebP) that is no frame yet.

    `position_s` is its time within a video, and `video` names that by its content. `original`: the file that it was
    made from, if that is of another kind; `note` says what of that is not in the picture.
    """

    medium: ClassVar[Medium] = "image"

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


#: What becomes an item, or a part of one.
NewItem = NewFrame | NewText | NewSound


def make_job(
    new_items: Sequence[NewItem],
    settings: Settings | None,
    *,
    pipeline: Pipeline | str,
    lane: Lane | str,
    source_id: str,
    sequence: str | None = None,
    options: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> tuple[Job, dict[str, bytes]]:
    """A job of these, and by key what of them lies in the frame store. The same picture or text twice is one item.

    Of a pipeline whose items have several parts, all are one item (`PipelineSpec.most_parts`). Of one whose items are
    new each time, so is the job, unless it has the `idempotency_key` of another with the same content.

    `settings` have the limits of what comes in; None: whoever takes the job checks them, and knows its pipeline.
    `sequence`: that of all of them, whatever they say themselves. `options` are of each item; with others the same
    content is another one.

    Raises:
        BadImageError: naming the picture, the value and the limit.
        BadMessageError: naming the wrong field.
    """
    if not new_items:
        raise BadMessageError("images: none given; give at least one", field="images")
    if len(new_items) > MAX_FRAMES_PER_JOB:
        raise BadMessageError(
            f"images: {len(new_items)} given, at most {MAX_FRAMES_PER_JOB} go in a job", field="images"
        )
    spec = registry().find(pipeline) if settings is None else registry().get(pipeline)
    latest = datetime.now(UTC) + AHEAD
    for number, new in enumerate(new_items):
        if new.captured_at.tzinfo is not None and new.captured_at > latest:  # one without a zone is refused below
            raise _of_the_future(new)
        _check(new, settings, pipeline, number)
    if spec is not None and options:
        check_options(pipeline, options, "options")
    salt = json.dumps(dict(options), sort_keys=True, default=str) if options else None
    if spec is not None and spec.is_new_each_time:
        salt = idempotency_key or new_id()
    is_together = spec is not None and spec.most_parts > 1
    stored: dict[str, bytes] = {}
    items: dict[str, dict[str, Any]] = {}
    chars_left = MAX_JOB_CHARS
    for number, parts in enumerate([tuple(new_items)] if is_together else [(new,) for new in new_items]):
        ids = [part.frame_id(source_id, str(pipeline)) for part in parts]
        frame_id = ids[0] if salt is None and not is_together else content_id(*ids, salt or "", str(number))
        if frame_id in items:
            continue
        items[frame_id], data, chars = _item(frame_id, parts, chars_left, is_frame=not is_together)
        items[frame_id] |= {"source_id": source_id, "seq": len(items) - 1, "options": options or None}
        if sequence:
            items[frame_id]["sequence"] = sequence
        stored |= data
        chars_left -= chars
    job_id = content_id(str(pipeline), *items)
    job = parse_job(
        {
            "job_id": content_id(job_id, idempotency_key) if idempotency_key else job_id,
            "pipeline": pipeline,
            "lane": lane,
            "frames": list(items.values()),
            "published_at": time.time(),
        },
        is_checked_later=settings is None,
    )
    return job, stored


def _item(
    frame_id: str, parts: Sequence[NewItem], chars_left: int, *, is_frame: bool
) -> tuple[dict[str, Any], dict[str, bytes], int]:
    """The item, what of it lies in the frame store, and how many characters of it travel in the message."""
    first, stored, chars = parts[0], dict[str, bytes](), 0
    said: list[dict[str, Any]] = []
    for number, new in enumerate(parts):
        key = frame_id if len(parts) == 1 else f"{frame_id}.p{number}"
        if isinstance(new, NewText) and new.fits(chars_left - chars):
            said.append({"medium": "text", "text": new.text})
            chars += len(new.text)
            continue
        said.append({"medium": new.medium, "key": key})
        stored[key] = new.text.encode() if isinstance(new, NewText) else new.data
    item = {
        "frame_id": frame_id,
        "captured_at": first.captured_at,
        "name": first.name[-255:],
        "sequence": first.sequence,
        "time_from": first.time_from,
        "parts": () if is_frame and isinstance(first, NewFrame) else said,
    }
    return item, stored, chars


def _check(new: NewItem, settings: Settings | None, pipeline: str, number: int) -> None:
    if registry().find(pipeline) is not None:  # a pipeline that there is not is told of with the whole job
        check_media(pipeline, (new.medium,), _name_of(number, new))
    if isinstance(new, NewText):
        check_text(new, settings.max_text_mb if settings else math.inf)
    elif isinstance(new, NewSound):
        check_sound(new, settings.max_sound_mb if settings else math.inf)
    elif settings is not None:
        check_image(new.data, max_mb=settings.max_image_mb, max_mpx=settings.max_image_mpx)


_FIELDS: Final[Mapping[Medium, str]] = {"image": "images", "text": "texts", "audio": "sounds"}


def _of_the_future(new: NewItem) -> BadMessageError:
    cure = "give the file its right time (touch -d)" if new.time_from in ("file", "video") else "give the right time"
    named = f"{new.name}: " if new.name else ""
    said = f"{named}captured_at {new.captured_at.isoformat()} is more than a day in the future"
    return BadMessageError(f"{said}; {cure}", field="captured_at")


def notes_on(new_items: Sequence[NewItem], job: Job) -> list[str]:
    """What is to be said of what became a job: what of a file is not in it, and what was there twice."""
    notes = [f"{_name_of(number, new)}: {new.note}" for number, new in enumerate(new_items) if new.note]
    if sum(max(1, len(item.parts)) for item in job.frames) == len(new_items):
        return notes
    first: dict[str, str] = {}
    for number, new in enumerate(new_items):
        name = _name_of(number, new)
        same = first.setdefault(new.frame_id("", ""), name)
        if same != name:
            notes.append(f"{name}: the same as {same}; both are one item")
    return notes


def _name_of(number: int, new: NewItem) -> str:
    return new.name or f"{_FIELDS[new.medium]}.{number}"


def sequence_of(new_items: Sequence[NewItem], *, is_said: bool) -> str | None:
    """That of pictures which were submitted together: as whoever did says, else as their own times show."""
    if is_said:
        return SUBMITTED
    return name_burst(new.captured_at if new.time_from == "exif" else None for new in new_items)
