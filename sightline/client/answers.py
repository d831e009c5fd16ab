"""What the Python client's questions are answered with, by the HTTP API.

A newer API may say more than is known here: that is left out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from sightline.types import Pipeline, Xyxy


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Match(Answer):
    """The known plate that a passage shows. `distance` 0: exactly this one.

    `text` is what showed it, `by` whether that is the voted plate (`vote`), what one sure
    reading says (`reading`), or what somebody corrected it to (`correction`).
    """

    list: str
    matched: str
    distance: float
    text: str
    by: str


class Correction(Answer):
    """What was read of a passage whose plate somebody corrected, with its confidence; who did it, and when."""

    read: str
    confidence: float
    by: str
    at: datetime


class Passage(Answer):
    """One vehicle passing one camera. `confidence`: how likely its plate is right, 0..1."""

    passage_id: str
    source_id: str
    text: str
    origin: str  #: `read`: a reading says just this plate; `composed` of several; `corrected` by somebody
    confidence: float
    first_seen: datetime
    last_seen: datetime
    reading_count: int
    best_frame_id: str  #: the frame whose crop is best to look at
    best_xyxy: Xyxy | None  #: where the plate is on it, in pixels
    direction: str
    zones: tuple[str, ...] = ()  #: of its camera, that it was read in
    state: Literal["open", "final"]  #: more readings may come; none came for a while, late ones still join
    match: Match | None  #: None if it is on no list
    correction: Correction | None = None  #: None if the plate is as it was read
    country: str | None = None  #: the likely one by the form of the plate, ISO 3166 in small letters: `sk`, `us-tx`
    country_confidence: float | None = None
    distance: float | None = None  #: from the plate that was searched for with `like`
    likelihood: float | None = None  #: that it is the plate that was searched for with `likely`


class Finding(Answer):
    """One field of a result that is no detection, reading or passage; of a field that is a list, one entry."""

    frame_id: str  #: of the item
    job_id: str
    source_id: str
    captured_at: datetime
    pipeline: Pipeline
    kind: str  #: the field's name
    finding_index: int = 0  #: the entry's number in a field that is a list
    payload: Any = None  #: its value
    stage: str | None = None  #: the last one that ran
    model: str | None = None
    model_sha256: str | None = None
    runtime: str | None = None
    worker: str | None = None
    queue_wait_ms: float | None = None
    inference_ms: float | None = None


class CameraStatus(Answer):
    """How a camera does. Counters count from the start of the camera process."""

    state: str
    frames_read: int = 0
    unreadable: int = 0
    sampled: int = 0
    thinned: int = 0
    gated: int = 0
    dropped: dict[str, int] = {}
    published: int = 0
    from_sub: int = 0
    saved_percent: float = 0.0
    condition: str | None = (
        None  #: `frozen`, `dark`, `covered`, `moved`, `sub_only`; None: nothing is wrong with its pictures
    )
    fps: float = 0.0  #: frames read per second, over the last seconds
    budget_fps: float | None = None  #: frames taken per second now; None: not read
    last_frame_at: datetime | None = None
    last_error: str | None = None


class Zone(Answer):
    """A named part of a camera's picture. `mode`: `mark`, `report` or `look`."""

    name: str
    polygon: tuple[tuple[float, float], ...]  #: in shares of the upright picture
    mode: str


class Camera(Answer):
    """A camera; its URLs are without credentials."""

    camera_id: str
    url: str
    sub_url: str | None = None  #: the smaller stream that is looked at all the time; None: `url` is
    pipeline: Pipeline
    fps: float
    min_fps: float | None
    preset: str
    motion: bool
    enabled: bool
    loop: bool
    rotation: int = 0
    mask: tuple[tuple[tuple[float, float], ...], ...] = ()  #: what is looked at, in shares of the upright picture
    after_reading: str = "keep"  #: what becomes of the photos of a folder: keep, move or delete
    zones: tuple[Zone, ...] = ()
    status: CameraStatus | None  #: None while Redis does not answer


class SourceAudit(Answer):
    """Where the frames of one source went: published = stored + repeated + dropped + dead + open."""

    source_id: str
    published: int
    stored: int
    repeated: int
    dropped: dict[str, int]
    dead: int
    open: int
    rows: int
    dead_rows: int
    removed: int = 0
    removed_dead: int = 0
    lost: int = 0
    missing_rows: int = 0
    balanced: bool


class MissingFrame(Answer):
    """A frame that should have a row."""

    job_id: str
    frame_id: str
    source_id: str
    outcome: str


class Audit(Answer):
    """`balanced`: nothing is missing. `notes` says in words what is wrong, or what can not be known any more."""

    balanced: bool
    sources: list[SourceAudit]
    since: datetime | None = None
    until: datetime | None = None
    notes: list[str] = []
    missing: list[MissingFrame] = []
