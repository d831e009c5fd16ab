"""What the page shows: cameras with their newest frames, newest passages and readings, and what waits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from producers.api.routes.cameras import CameraView, camera_views
from producers.api.routes.sinks import SinkView, sink_views
from producers.api.services import ApiServices
from sightline.errors import RetryableError
from sightline.pipelines import registry
from storage.passages.views import PassageView
from storage.results import queries
from storage.results.dead_letters import count_troubles
from storage.results.views import DeadLetterView, FrameView, ReadingView

Part = TypeVar("Part")

_PASSAGES, _READINGS, _LETTERS = 12, 10, 5


@dataclass(frozen=True)
class Overview:
    """One moment. A part that could not be had is empty or None, and `troubles` says why."""

    now: datetime
    troubles: list[str]
    queues: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    open_frames: int | None = None
    totals: Mapping[str, int] = field(default_factory=dict[str, int])
    cameras: tuple[tuple[CameraView, FrameView | None], ...] = ()
    passages: tuple[PassageView, ...] = ()
    readings: tuple[ReadingView, ...] = ()
    letters: tuple[DeadLetterView, ...] = ()
    sinks: tuple[SinkView, ...] = ()
    letter_count: int | None = None  #: dead letters that are neither stored since nor discarded


def make_overview(services: ApiServices, note_look: Callable[[], None]) -> Overview:
    """Ask for every part. Where Redis or the database does not answer, the rest is shown.

    What is in the database is shown only once `note_look` has noted who looks.
    """
    database, ledger = services.database, services.publisher.ledger
    troubles: list[str] = []
    redis, rows = _Asker(troubles), _Asker(troubles)
    rows.ask(note_look, None)
    return Overview(
        now=datetime.now(UTC),
        troubles=troubles,
        queues=redis.ask(services.publisher.queue_depths, dict.fromkeys(registry().queues)),
        open_frames=redis.ask(lambda: sum(ledger.open_frames().values()), None),
        totals=redis.ask(lambda: _totals(ledger.counts()), Counter[str]()),
        cameras=rows.ask(lambda: _cameras(services), ()),
        passages=rows.ask(lambda: queries.list_passages(database, limit=_PASSAGES).items, ()),
        readings=rows.ask(lambda: queries.list_readings(database, limit=_READINGS).items, ()),
        letters=rows.ask(lambda: queries.list_dead_letters(database, limit=_LETTERS).items, ()),
        sinks=rows.ask(lambda: tuple(sink_views(services)), ()),
        letter_count=rows.ask(lambda: count_troubles(database), None),
    )


def _cameras(services: ApiServices) -> tuple[tuple[CameraView, FrameView | None], ...]:
    return tuple((view, queries.latest_frame(services.database, view.camera_id)) for view in camera_views(services))


class _Asker:
    """Asks one service until it fails once: who waited for it in vain does not wait again."""

    def __init__(self, troubles: list[str]) -> None:
        self._troubles = troubles
        self._answers = True

    def ask(self, question: Callable[[], Part], absent: Part) -> Part:
        if self._answers:
            try:
                return question()
            except RetryableError as error:
                self._answers = False
                self._troubles.append(str(error))
        return absent


def _totals(counts: Mapping[str, Mapping[str, int]]) -> Counter[str]:
    """Frames of all sources by outcome; dropped ones of all rules together."""
    totals: Counter[str] = Counter()
    for outcomes in counts.values():
        for outcome, frames in outcomes.items():
            totals[outcome.partition(":")[0]] += frames
    return totals
