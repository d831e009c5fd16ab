"""Dead letters and pictures go in their own time, and not while something refers to them."""

from __future__ import annotations

import os
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from sightline.blobs.opening import open_frame_store
from sightline.testing import MemoryFrameStore
from sightline.types import Lane
from storage.database.engine import Database
from storage.jobs.accepted import Accepted
from storage.results import queries
from storage.results.dead_letters import Replay, begin_replays, discard_letters, get_letters, mark_replayed
from storage.results.store import Store
from storage.retention.retention import Horizons, count_old
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.retention.aging import NOW, SETTINGS, age, put_aged, remove


def test_dead_letters_have_their_own_time(database: Database, store: Store) -> None:
    pictures = MemoryFrameStore()

    def die(name: str, days: float) -> str:
        put_aged(store, database, message(frame_result(frame_id=name, error="bad_image")), days, (name,))
        pictures.put_many({name: b"x"})
        return next(each.letter_id for each in queries.list_dead_letters(database).items if each.frame.frame_id == name)  # type: ignore[union-attr]

    die("frame-old", 201)
    die("frame-open", 199)
    discard_letters(database, [die("frame-gone", 101)])
    discard_letters(database, [die("frame-left", 99)])
    removed = remove(database, pictures)
    assert (removed["jobs"], removed["dead_letters"]) == (3, 2)
    assert pictures.pixels.keys() == {"frame-open", "frame-left"}
    letters = queries.list_dead_letters(database, ended=True).items
    assert {letter.frame.frame_id for letter in letters if letter.frame} == {"frame-open", "frame-left"}
    assert queries.counts_by_source(database) == {"gate": Counter(dead=2, removed_dead=2)}


def test_a_letter_that_was_stored_since_goes_with_its_frame(database: Database, store: Store) -> None:
    """It must not be trouble again once its frame is gone."""
    pictures = MemoryFrameStore()
    pictures.put_many({"frame-0001": b"x"})
    dead = message(frame_result(frame_id="frame-0001", error="bad_image"))
    put_aged(store, database, dead, 150, ("frame-0001",))
    (letter,) = queries.list_dead_letters(database).items
    replay = message(frame_result(["AB12CD"], frame_id="frame-0001"), lane=Lane.BULK)
    begin_replays(database, [Replay(letter, replay.job.job_id)])
    mark_replayed(database, [Replay(letter, replay.job.job_id)])
    put_aged(store, database, replay, 20, ("frame-0001",))
    # The picture is too old; nobody will replay what is stored.
    assert remove(database, pictures) == Counter(jobs=1, pictures=1)
    assert queries.get_job(database, dead.job.job_id) is None
    assert not get_letters(database, [letter.letter_id])[0].picture_kept
    age(database, replay.job.job_id, 101)
    removed = remove(database, pictures)
    assert (removed["frames"], removed["dead_letters"]) == (1, 1)
    assert queries.list_dead_letters(database, ended=True).items == ()
    assert queries.counts_by_source(database) == {"gate": Counter(removed=1, removed_dead=1)}


def test_letters_outlive_their_job_as_long_as_an_audit_asks(database: Database) -> None:
    short = SETTINGS.model_copy(update={"keep_dead_letters_days": 1.0})
    assert Horizons.from_settings(short, NOW).letters == NOW - timedelta(days=31)
    assert Horizons.from_settings(short, NOW, days=5).letters == NOW - timedelta(days=5)
    assert Horizons.from_settings(SETTINGS, NOW).letters == NOW - timedelta(days=200)


def test_a_picture_that_another_row_refers_to_stays(database: Database, store: Store) -> None:
    """A frame that died, was stored by another job, and whose letter is not old yet."""
    pictures = MemoryFrameStore()
    pictures.put_many({"frame-0001": b"x", "frame-0002": b"x"})
    put_aged(store, database, message(frame_result(frame_id="frame-0001", error="bad_image")), 250, ("frame-0001",))
    put_aged(store, database, message(frame_result(frame_id="frame-0001")), 1, ("frame-0001",))
    put_aged(store, database, message(frame_result(frame_id="frame-0002", error="bad_image")), 250, ("frame-0002",))
    removed = remove(database, pictures)
    assert (removed["dead_letters"], removed["pictures"]) == (2, 1)
    assert pictures.pixels.keys() == {"frame-0001"}


def test_pictures_of_no_row_go_once_they_are_old(database: Database, store: Store, tmp_path: Path) -> None:
    pictures = open_frame_store((tmp_path / "pictures").as_uri(), ttl_s=None)
    put_aged(store, database, message(frame_result(frame_id="frame-kept")), 5, ("frame-kept",))
    accepted = Accepted(database, pictures)
    noted = message(frame_result(frame_id="frame-noted"))
    accepted.keep(noted.job, {"frame-noted": b"spare"})
    pictures.put_many(dict.fromkeys(("frame-kept", "frame-lost", "frame-new"), b"x"))
    for path in (tmp_path / "pictures").glob("*/*"):
        if path.name != "frame-new":
            os.utime(path, (time.time() - 11 * 86400,) * 2)
    horizons = Horizons.from_settings(SETTINGS, NOW)
    assert count_old(database, pictures, horizons, NOW) == Counter(pictures=1)
    assert remove(database, pictures) == Counter(pictures=1)
    assert pictures.get_many(["frame-kept", "frame-lost", "frame-new"]) == [b"x", None, b"x"]
    assert len(list((tmp_path / "pictures").glob("*/*"))) == 3
