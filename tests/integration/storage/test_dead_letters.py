"""Dead letters: one a frame and job, however often it dies; replayed, stored after all, discarded."""

from __future__ import annotations

from collections import Counter

import pytest

from storage.database.engine import Database
from storage.jobs.rows import letter_id
from storage.results import queries
from storage.results.dead_letters import (
    LetterNotFoundError,
    Replay,
    begin_replays,
    bury_message,
    count_troubles,
    discard_letters,
    get_letters,
    mark_replayed,
)
from storage.results.store import Store
from storage.results.views import DeadLetterView, LetterState
from tests.integration.storage.bundles import frame_result, message, unique


@pytest.fixture
def letter(database: Database, store: Store) -> DeadLetterView:
    """A frame that died once, its picture kept."""
    dead = frame_result(error="model_unavailable")
    store.store([message(dead)], kept={dead.frame.frame_id})
    return listed(database)[0]


def listed(database: Database, *, ended: bool = False) -> tuple[DeadLetterView, ...]:
    return queries.list_dead_letters(database, ended=ended).items


def now(database: Database, letter: DeadLetterView) -> DeadLetterView:
    return get_letters(database, [letter.letter_id])[0]


def frame_id(letter: DeadLetterView) -> str:
    assert letter.frame is not None
    return letter.frame.frame_id


def replay(database: Database, letter: DeadLetterView) -> str:
    """As a producer does it; returns the new job's id."""
    job_id = unique("replay")
    begin_replays(database, [Replay(letter, job_id)])
    mark_replayed(database, [Replay(letter, job_id)])
    return job_id


def test_a_letter_has_a_short_name_that_stays(database: Database, store: Store, letter: DeadLetterView) -> None:
    assert letter.letter_id == letter_id(letter.job_id, frame_id(letter))
    assert len(letter.letter_id) == 16
    assert (letter.state, letter.picture_kept, letter.times) == (LetterState.OPEN, True, 1)
    dead = frame_result(error="bad_image", frame_id=frame_id(letter))
    store.store([message(dead, job_id=letter.job_id, published_at=1_888_888_888)], ())
    again = now(database, letter)
    assert (again.reason, again.times) == ("bad_image", 2)
    assert again.picture_kept  # by the first death; the second found no pixels


def test_unknown_names_are_refused(database: Database, letter: DeadLetterView) -> None:
    with pytest.raises(LetterNotFoundError, match="0123456789abcdef"):
        get_letters(database, [letter.letter_id, "0123456789abcdef"])


def test_the_death_of_a_replay_is_a_death_of_its_letter(
    database: Database, store: Store, letter: DeadLetterView
) -> None:
    job_id = replay(database, letter)
    assert now(database, letter).state is LetterState.REPLAYED
    sent = message(frame_result(error="worker_lost", frame_id=frame_id(letter)), job_id=job_id)
    for _ in range(2):  # its own repetition too
        (stored,) = store.store([sent], ())
        assert stored.counts == {"gate": Counter(dead=1)}
        assert stored.result.errors[0].reason == "worker_lost"
    (again,) = listed(database)
    assert (again.letter_id, again.state, again.times) == (letter.letter_id, LetterState.OPEN, 2)
    assert (again.reason, again.pipeline, again.lane) == ("worker_lost", letter.pipeline, letter.lane)
    assert queries.get_job(database, job_id) == stored.result
    assert queries.counts_by_source(database) == {"gate": Counter(dead=2)}

    third = replay(database, again)
    store.store([message(frame_result(error="bad_image", frame_id=frame_id(letter)), job_id=third)], ())
    assert now(database, letter).times == 3
    for of in (letter.job_id, job_id, third):  # every job that ended so still tells of its frame
        result = queries.get_job(database, of)
        assert result is not None
        assert [error.reason for error in result.errors] == ["bad_image"]


def test_a_letter_that_dies_twice_in_one_transaction_is_counted_twice(
    database: Database, store: Store, letter: DeadLetterView
) -> None:
    job_id = replay(database, letter)
    dead = frame_result(error="worker_lost", frame_id=frame_id(letter))
    again = message(dead, job_id=letter.job_id, published_at=1_888_888_888)
    store.store([again, message(dead, job_id=job_id)], ())
    assert now(database, letter).times == 3
    assert queries.counts_by_source(database) == {"gate": Counter(dead=3)}


def test_a_replay_that_is_stored_ends_its_letter(database: Database, store: Store, letter: DeadLetterView) -> None:
    assert count_troubles(database) == 1
    job_id = replay(database, letter)
    assert count_troubles(database) == 1
    (stored,) = store.store([message(frame_result(frame_id=frame_id(letter)), job_id=job_id)], ())
    assert stored.counts == {"gate": Counter(stored=1)}
    assert (listed(database), count_troubles(database)) == ((), 0)
    (ended,) = listed(database, ended=True)
    assert (ended.state, ended.times) == (LetterState.STORED, 1)
    assert queries.counts_by_source(database) == {"gate": Counter(stored=1, dead=1)}


def test_a_replay_that_died_before_it_was_noted_is_not_under_way(
    database: Database, store: Store, letter: DeadLetterView
) -> None:
    under_way = Replay(letter, unique("replay"))
    begin_replays(database, [under_way])
    dead = frame_result(error="worker_lost", frame_id=frame_id(letter))
    store.store([message(dead, job_id=under_way.job_id)], ())
    mark_replayed(database, [under_way])
    assert now(database, letter).state is LetterState.OPEN


def test_discarding_keeps_the_row(database: Database, store: Store, letter: DeadLetterView) -> None:
    assert discard_letters(database, [letter.letter_id]) == 1
    assert discard_letters(database, [letter.letter_id]) == 0
    assert (listed(database), count_troubles(database)) == ((), 0)
    (ended,) = listed(database, ended=True)
    assert ended.state is LetterState.DISCARDED
    assert queries.counts_by_source(database) == {"gate": Counter(dead=1)}
    replay(database, letter)
    assert now(database, letter).state is LetterState.REPLAYED  # somebody thought better of it
    discard_letters(database, [letter.letter_id])
    dead = frame_result(error="worker_lost", frame_id=frame_id(letter))
    store.store([message(dead, job_id=letter.job_id, published_at=1_888_888_888)], ())
    assert now(database, letter).state is LetterState.OPEN  # new trouble


def test_a_message_that_was_no_job_is_discarded_like_the_rest(database: Database) -> None:
    bury_message(database, {"stage": "detect", "reason": "bad_message", "message": "v: 2", "payload": "nonsense"})
    (letter,) = listed(database)
    assert (letter.frame, letter.payload, letter.state) == (None, "nonsense", LetterState.OPEN)
    assert get_letters(database, [letter.letter_id]) == [letter]
    assert discard_letters(database, [letter.letter_id]) == 1
    assert listed(database) == ()


def nested(depth: int) -> object:
    payload: object = "end"
    for _ in range(depth):
        payload = [payload]
    return payload


@pytest.mark.parametrize(
    "payload", ["\ud800", "\x00", nested(300), 10**30], ids=["half a character", "nothing", "deep", "long"]
)
def test_whatever_json_a_message_was_it_is_kept(database: Database, payload: object) -> None:
    bury_message(database, {"stage": "detect", "reason": "bad_message", "message": "v: 2", "payload": payload})
    (letter,) = listed(database)
    assert letter.payload == payload
