"""Step two, fast: readings become passages, by the rules of today, by those of before, and by a tracker."""

from __future__ import annotations

import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.passages.readings import ReadClip
from sightline.ids import content_id
from sightline.settings import Settings
from sightline.types import FrameRef, FrameResult, Lane, Pipeline
from sightline.wire.messages import Job, Message
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.items.writers import RowsOfPipelines
from storage.results.queries import list_passages, list_readings
from storage.results.store import Store

#: So many messages a writer with much to do stores at once.
_AT_ONCE = 4
#: Cameras of one producer: a message holds one frame of each.
_CAMERAS = 16
#: Frames of a film in a message of `sightline submit`.
_BUNDLE = 16

Key = tuple[str, int]  #: a reading: its frame and its index


class Passage(NamedTuple):
    """One passage as some rules see it."""

    text: str
    confidence: float
    readings: frozenset[Key]


#: Passages of each clip, in the order of the clips.
Rules = Callable[[Sequence[ReadClip], Settings], list[list[Passage]]]


def todays(clips: Sequence[ReadClip], settings: Settings) -> list[list[Passage]]:
    """Through the writer's own code into a database. Films come as from cameras, a tick a message; photos alone."""
    return _stored(clips, [*_ticks(clips), *_photos(clips)], settings)


def shuffled(clips: Sequence[ReadClip], settings: Settings) -> list[list[Passage]]:
    """The same with films as `sightline submit` bundles them, and in any order, as workers finish them.

    The passages must be the same.
    """
    messages = [*_bundles(clips), *_photos(clips)]
    random.Random(0).shuffle(messages)
    return _stored(clips, messages, settings)


def _stored(clips: Sequence[ReadClip], messages: list[Message], settings: Settings) -> list[list[Passage]]:
    with tempfile.TemporaryDirectory(prefix="sightline-passages-") as folder:
        url = f"sqlite:///{Path(folder) / 'passages.sqlite3'}"
        upgrade(url)
        database = open_database(url)
        try:
            store = Store(database, RowsOfPipelines(settings))
            for start in range(0, len(messages), _AT_ONCE):
                store.store(messages[start : start + _AT_ONCE], kept=())
            return [_passages(database, clip.source_id) for clip in clips]
        finally:
            database.close()


def _ticks(clips: Sequence[ReadClip]) -> Iterator[Message]:
    films = [clip for clip in clips if clip.kind != "photos"]
    for start in range(0, len(films), _CAMERAS):
        together = films[start : start + _CAMERAS]
        for tick in range(max(len(film.frames) for film in together)):
            results = [film.frames[tick].result for film in together if tick < len(film.frames)]
            yield _message([_of_sequence(result, "live") for result in results], Lane.LIVE)


def _bundles(clips: Sequence[ReadClip]) -> Iterator[Message]:
    for clip in clips:
        if clip.kind != "photos":
            results = [_of_sequence(frame.result, "live") for frame in clip.frames]
            for start in range(0, len(results), _BUNDLE):
                yield _message(results[start : start + _BUNDLE], Lane.BULK)


def _photos(clips: Sequence[ReadClip]) -> Iterator[Message]:
    for clip in clips:
        if clip.kind == "photos":
            for frame in clip.frames:
                yield _message([_of_sequence(frame.result, None)], Lane.INTERACTIVE)


def _message(results: Sequence[FrameResult], lane: Lane) -> Message:
    frames = tuple(result.frame for result in results)
    job_id = content_id(*(frame.frame_id for frame in frames))
    job = Job(job_id=job_id, pipeline=Pipeline.PLATES, lane=lane, frames=frames)
    return Message(job=job, results=tuple(results))


def _of_sequence(result: FrameResult, sequence: str | None) -> FrameResult:
    """Frames of a camera follow each other, photos do not. Older frame refs cannot say so."""
    if "sequence" not in FrameRef.model_fields:
        return result
    return result.model_copy(update={"frame": result.frame.model_copy(update={"sequence": sequence})})


def _passages(database: Database, source_id: str) -> list[Passage]:
    keys: dict[str, set[Key]] = defaultdict(set)
    cursor = None
    while True:
        page = list_readings(database, source=source_id, limit=1000, cursor=cursor)
        for one in page.items:
            if one.passage_id:
                keys[one.passage_id].add((one.frame_id, one.reading_index))
        cursor = page.next_cursor
        if cursor is None:
            break
    views = list_passages(database, source=source_id, limit=1000).items
    return [Passage(view.text, view.confidence, frozenset(keys[view.passage_id])) for view in views]
