"""What a pipeline of another package finds, in the table for any medium: stored, told, read back, removed."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sightline.errors import BadMessageError
from sightline.pipelines import make_results
from sightline.testing import MemoryFrameStore
from sightline.types import FrameError, Item, ItemResult, JobStatus, OtherResult, Part, Pipeline
from sightline.wire.messages import Job, Message, parse_message
from storage.database.engine import Database
from storage.results import queries
from storage.results.findings import list_findings
from storage.results.views import FindingView
from storage.retention.retention import Horizons, count_old, remove_old
from storage.sinks.outbox import Outbox
from storage.sinks.sinks import Sink, add_sink
from storage.tables import Deliveries, Findings
from tests.installing import forget_packages, write_package
from tests.integration.storage.bundles import NOON, frame_result, message, stage_run, unique
from tests.stores import open_store

PIPELINE = Pipeline("count-words")
CODE = """
from sightline.pipelines import *
from sightline.types import ItemResult, Value

class Word(Value):
    text: str
    letters: int

class WordCount(ItemResult):
    number: int | None = None
    words: tuple[Word, ...] = ()

SPEC = PipelineSpec("count-words", ("text",), WordCount, (StageSpec("count", "cpu.count", "x"),))
"""


@pytest.fixture(autouse=True)
def count_words(packages: Path) -> Any:
    write_package(packages, "count_words", CODE, pipelines="count-words = count_words:SPEC")
    import count_words  # pyright: ignore

    return count_words


def result(module: Any, text: str, **more: Any) -> ItemResult:
    item = Item(
        frame_id=unique("item"),
        source_id="letters",
        captured_at=NOON,
        name="one.txt",
        parts=(Part(medium="text", text=text),),
    )
    words = tuple(module.Word(text=word, letters=len(word)) for word in text.split())
    return module.WordCount(frame=item, number=len(words), words=words, stages=(stage_run("count"),), **more)


def counted(*results: ItemResult, pipeline: Pipeline = PIPELINE) -> Message:
    job = Job(job_id=unique("job"), pipeline=pipeline, frames=tuple(one.frame for one in results))
    return Message(job=job, results=results)


def test_findings_are_stored_beside_plates_in_one_transaction_and_read_back(
    database: Database, count_words: Any
) -> None:
    store = open_store(database)
    sent = counted(result(count_words, "two words"), result(count_words, ""))
    lost = result(count_words, "").frame
    dead = counted(*make_results(PIPELINE, [lost], error=FrameError(reason="bad", message="x", stage="count")))
    plates = message(frame_result(["AB12CD"]))
    first, second, third = store.store([sent, plates, dead], ())
    assert first.counts == {"letters": Counter(stored=2)}
    assert second.counts == {"gate": Counter(stored=1)}
    assert third.counts == {"letters": Counter(dead=1)}
    assert first.result.frames == sent.results
    assert queries.get_job(database, sent.job.job_id) == first.result
    assert [type(one).__name__ for one in first.result.frames] == ["WordCount"] * 2
    letter = queries.get_job(database, dead.job.job_id)
    assert letter is not None
    assert letter.frames == dead.results
    assert queries.get_frame(database, sent.job.frames[0].frame_id) == sent.results[0]
    with database.read() as connection:
        rows = connection.execute(sa.select(Findings.__table__)).mappings().all()
    assert sorted((row["kind"], row["finding_index"], str(row["payload"])) for row in rows) == [
        ("number", 0, "0"),
        ("number", 0, "2"),
        ("words", 0, "{'text': 'two', 'letters': 3}"),
        ("words", 1, "{'text': 'words', 'letters': 5}"),
    ]
    assert {(row["stage"], row["model"], row["pipeline"]) for row in rows} == {("count", "count-model", PIPELINE)}


def test_they_are_listed_page_by_page_by_pipeline_field_job_source_and_time(
    database: Database, count_words: Any
) -> None:
    first, second = counted(result(count_words, "two words")), counted(result(count_words, "three"))
    open_store(database).store([first, message(frame_result(["AB12CD"])), second], ())
    found, cursor = list[FindingView](), None
    while len(found) < 9:
        page = list_findings(database, limit=2, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len(found) == len({(one.frame_id, one.kind, one.finding_index) for one in found}) == 5
    own = list_findings(database, job_id=first.job.job_id).items
    assert {(one.kind, one.finding_index, str(one.payload)) for one in own} == {
        ("number", 0, "2"),
        ("words", 0, "{'text': 'two', 'letters': 3}"),
        ("words", 1, "{'text': 'words', 'letters': 5}"),
    }
    assert {(one.job_id, one.pipeline, one.stage) for one in own} == {(first.job.job_id, PIPELINE, "count")}
    assert len(list_findings(database, pipeline=PIPELINE, kind="number", source="letters").items) == 2
    for nothing in ({"pipeline": "plates"}, {"kind": "x"}, {"source": "gate"}, {"until": NOON}):
        assert not list_findings(database, **nothing).items  # pyright: ignore[reportArgumentType]
    assert len(list_findings(database, since=NOON).items) == 5
    with pytest.raises(BadMessageError, match="limit: 0"):
        list_findings(database, limit=0)


def test_a_pipeline_may_have_one_result_for_all_items_of_a_job(database: Database, packages: Path) -> None:
    """They are counted and end one by one all the same."""
    code = CODE.replace('"x"),)', '"x"),), result_of="job"').replace("count-words", "count-all")
    write_package(packages, "count_all", code, pipelines="count-all = count_all:SPEC")
    import count_all  # pyright: ignore

    first, second = result(count_all, "two words"), result(count_all, "and three more")
    job = Job(job_id=unique("job"), pipeline=Pipeline("count-all"), frames=(first.frame, second.frame))
    sent = parse_message(Message(job=job, results=(first.model_copy(update={"number": 5}),)).pack())
    (stored,) = open_store(database).store([sent], ())
    assert stored.counts == {"letters": Counter(stored=2)}
    assert [one.found["number"] for one in stored.result.frames] == [5, None]
    assert queries.get_job(database, job.job_id) == stored.result
    with pytest.raises(BadMessageError, match="one per item"):
        parse_message(Message(job=job, results=(second,)).pack())
    with pytest.raises(BadMessageError, match="one per item"):
        parse_message(Message(job=job.model_copy(update={"pipeline": PIPELINE}), results=(first,)).pack())


def test_the_same_message_again_changes_nothing(database: Database, count_words: Any) -> None:
    store = open_store(database)
    sent = counted(result(count_words, "once and again"))
    assert store.store([sent], ()) == store.store([sent], ())
    with database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Findings)) == 4


def test_events_and_explanations_say_what_was_found(database: Database, count_words: Any) -> None:
    add_sink(
        database, Sink.model_validate({"sink_id": "all", "url": "file:///tmp/x.jsonl", "events": ["frame.stored"]})
    )
    sent = counted(result(count_words, "two words"))
    open_store(database, outbox=Outbox(sinks_every_s=0)).store([sent], ())
    with database.read() as connection:
        (payload,) = connection.scalars(sa.select(Deliveries.payload))
    data = payload["data"]
    assert (data["number"], data["pipeline"], data["words"][1]["letters"]) == (2, PIPELINE, 5)
    assert data["links"].keys() == {"frame"}  # it has no picture
    explained = queries.explain_frame(database, sent.job.frames[0].frame_id)
    assert explained is not None
    assert explained.why.startswith("found: number 2, words ")
    assert (explained.found or {})["number"] == 2


def test_without_the_package_results_are_shown_as_they_were_stored(
    database: Database, count_words: Any, packages: Path
) -> None:
    sent = counted(result(count_words, "two words"))
    (stored,) = open_store(database).store([sent], ())
    for info in packages.glob("*.dist-info/*"):
        info.unlink()
    forget_packages()
    found = queries.get_job(database, sent.job.job_id)
    assert found is not None
    assert (found.status, found.pipeline) == (JobStatus.STORED, PIPELINE)
    (one,) = found.frames
    assert isinstance(one, OtherResult)
    assert one.found == stored.result.frames[0].found


def test_findings_go_with_their_job(database: Database, count_words: Any) -> None:
    open_store(database).store([counted(result(count_words, "two words"))], ())
    now = datetime.now(UTC) + timedelta(days=30)
    horizons = Horizons(results=now, pictures=None, letters=None, events=None, entries=None)
    assert count_old(database, MemoryFrameStore(), horizons, now)["findings"] == 3
    assert remove_old(database, MemoryFrameStore(), horizons, now, wait=lambda _: False)["findings"] == 3
