"""Sends dead frames on their way again, with the pixels of the picture store, as jobs of their own.

The job's id follows from the letter and how often it died: replaying again after a crash publishes the same job, and
after another death a new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sightline.blobs.store import FrameStore
from sightline.delivery.publisher import Publisher
from sightline.errors import BacklogFullError, SightlineError
from sightline.ids import content_id
from sightline.types import Lane, Value
from sightline.wire.messages import Job
from storage.database.engine import Database
from storage.results.dead_letters import Replay, begin_replays, mark_replayed
from storage.results.views import DeadLetterView

_NO_PICTURE: Final = (
    "its picture was not kept (the pixels were gone, or SIGHTLINE_KEEP_PICTURES is `none`); submit it again instead"
)


class Refusal(Value):
    """A letter that cannot be replayed, and why."""

    letter_id: str
    detail: str


class LetterNotReplayableError(SightlineError):
    reason = "dead_letter_not_replayable"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"dead letter {refusal.letter_id} cannot be replayed: {refusal.detail}")


def replay_letters(
    database: Database, pictures: FrameStore, publisher: Publisher, letters: Sequence[DeadLetterView]
) -> list[Refusal]:
    """Publish every letter that can be replayed; returns those that cannot. Repeating it changes nothing.

    Raises:
        BacklogFullError: the letters before are published; go on with the same ones later.
        StoreUnavailableError, BrokerUnavailableError: the same.
    """
    refused = refusals(letters)
    names = {refusal.letter_id for refusal in refused}
    jobs = [(letter, make_replay(letter)) for letter in letters if letter.letter_id not in names]
    begin_replays(database, [Replay(letter, job.job_id) for letter, job in jobs])
    published: list[Replay] = []
    try:
        for letter, job in jobs:
            found = dict(zip(job.keys, pictures.get_many(job.keys), strict=True))
            pixels = {key: data for key, data in found.items() if data is not None}
            if len(pixels) < len(found):
                refused.append(Refusal(letter_id=letter.letter_id, detail=_NO_PICTURE))
                continue
            publisher.publish(job, pixels)
            published.append(Replay(letter, job.job_id))
    except BacklogFullError as full:
        text = f"{full} ({len(published)} of {len(letters)} dead letters are replayed)"
        raise BacklogFullError(text, source_id=full.source_id, retry_after_s=full.retry_after_s) from full
    finally:
        mark_replayed(database, published)
    return refused


def refusals(letters: Sequence[DeadLetterView]) -> list[Refusal]:
    """What can be said without a look at the pictures."""
    return [Refusal(letter_id=letter.letter_id, detail=detail) for letter in letters if (detail := _obstacle(letter))]


def make_replay(letter: DeadLetterView) -> Job:
    """The job that replays a letter of a frame."""
    assert letter.frame is not None
    assert letter.pipeline is not None
    return Job(
        job_id=content_id("replay", letter.job_id, letter.frame.frame_id, str(letter.times)),
        pipeline=letter.pipeline,
        lane=Lane.BULK,
        frames=(letter.frame,),
    )


def _obstacle(letter: DeadLetterView) -> str | None:
    if letter.frame is None:
        return "it is a message that was no job; correct its sender, then discard it"
    if letter.stored_since:
        return "its frame is stored since"
    return None if letter.picture_kept or not letter.frame.keys else _NO_PICTURE
