"""Forgetting on request, on SQLite and on PostgreSQL; what the API makes of it is in `tests/integration/api`."""

from __future__ import annotations

import sqlalchemy as sa

from sightline.testing import MemoryFrameStore
from storage.database.engine import Database
from storage.jobs.accepted import Accepted
from storage.plates.text import fold
from storage.results import queries
from storage.results.store import Store
from storage.retention.erasure import erase_frame, erase_passage, erase_source
from storage.tables import PlateRotations
from tests.integration.storage.bundles import frame_result, message


def plates_of(database: Database) -> set[str]:
    """Those that the search knows."""
    with database.read() as connection:
        return set(connection.scalars(sa.select(PlateRotations.folded)))


def test_what_is_asked_for_goes_and_the_rest_says_what_it_says(database: Database, store: Store) -> None:
    pictures = MemoryFrameStore()
    right, wrong = frame_result(["AB12CD"]), frame_result(["AB12CE"], at_s=1)
    others = [frame_result(["XY98ZW"], at_s=500), frame_result([], error="bad_image", at_s=501)]
    store.store([message(right, frame_result(["AB12CD"], at_s=0.5), wrong), message(*others)], ())

    erased = erase_frame(database, pictures, wrong.frame.frame_id)
    assert erased is not None
    assert (erased.frames, erased.changed_passages, erased.passages) == (1, 1, 0)
    plates = {passage.text: passage for passage in queries.list_passages(database).items}
    assert {text: passage.reading_count for text, passage in plates.items()} == {"AB12CD": 2, "XY98ZW": 1}
    assert erase_frame(database, pictures, wrong.frame.frame_id) is None

    erased = erase_passage(database, pictures, plates["AB12CD"].passage_id)
    assert erased is not None
    assert (erased.frames, erased.passages, len(erased.job_ids)) == (2, 1, 1)
    assert plates_of(database) == {fold("XY98ZW")}

    erased = erase_source(database, pictures, "gate")
    assert erased is not None
    assert (erased.frames, erased.dead_letters, erased.passages) == (1, 1, 1)
    assert queries.list_frames(database).items == queries.list_jobs(database).items == ()
    assert plates_of(database) == set()
    assert erase_source(database, pictures, "gate") is None
    counts = queries.counts_by_source(database)["gate"]
    assert (counts["removed"], counts["removed_dead"]) == (4, 1)


def test_what_was_noted_of_an_accepted_job_goes_with_its_rows(database: Database, store: Store) -> None:
    """And of no other."""
    pictures = MemoryFrameStore()
    accepted = Accepted(database, pictures)
    finished, waiting = message(frame_result(["AB12CD"])), message(frame_result(["XY98ZW"], at_s=500))
    for each in (finished, waiting):
        accepted.keep(each.job, {each.job.frames[0].frame_id: b"spare"})
    store.store([finished], ())
    assert erase_frame(database, pictures, finished.job.frames[0].frame_id) is not None
    assert [accepted.is_open(each.job.job_id) for each in (finished, waiting)] == [False, True]
    assert accepted.forget_finished() == 0
    assert len(pictures.pixels) == 1
