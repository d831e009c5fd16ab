"""The chaos harness's own judgment: what was done wrong is found, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.chaos.faults import FAULTS, QUICK, plan_faults
from benchmarks.chaos.faults.broker import RedisRefuses
from benchmarks.chaos.faults.questions import Server500
from benchmarks.chaos.forks import FORKS
from benchmarks.chaos.journal import Entry, Journal
from benchmarks.chaos.load import make_job, plan_bundles, text_of
from benchmarks.chaos.machine import clock
from benchmarks.chaos.questions import QUESTIONS
from benchmarks.chaos.questions.items import question_of, seconds_of
from benchmarks.chaos.roles.receiver import Receipt, Receipts, read_receipts
from benchmarks.chaos.roles.stream import texts_of
from benchmarks.chaos.rounds import Round, round_at
from benchmarks.chaos.switches import CAMERA
from benchmarks.chaos.verdict.findings import Findings
from benchmarks.chaos.verdict.rows import OutboxRow, Rows
from benchmarks.chaos.verdict.verdict import Verdict, judge
from sightline.settings import Settings
from sightline.types import Pipeline
from sightline.wire.events import Event
from sightline.wire.messages import Job

SEED = 1


def plates_job() -> Job:
    bundle = replace(plan_bundles(SEED, 100)[0], pipeline=Pipeline.PLATES)
    return make_job(bundle, SEED, Settings())


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """One accepted job."""
    written, job = Journal(tmp_path / "journal"), plates_job()
    written.write(job.job_id, "trying", job=job.model_dump(mode="json"), round=0, poison=False)
    written.write(job.job_id, "accepted", refused=[])
    return written


def stored(job: Job) -> Findings:
    """All its frames as they should be, each told to the receiver half a second after the publish."""
    sources = {frame.frame_id: frame.source_id for frame in job.frames}
    counts = {source: {"published": frames, "stored": frames} for source, frames in Counter(sources.values()).items()}
    rows = Rows(
        frames=sources,
        dead={},
        letters=[],
        detections=Counter(sources.keys()),
        readings={frame.frame_id: [text_of(SEED, frame.seq)] for frame in job.frames},
        found={},
        pictures=set(),
        passages=set(),
        wrong_passages=[],
        outbox={
            f"event of {frame_id}": OutboxRow(Event.FRAME_STORED, frame_id, sent=True, last_error=None)
            for frame_id in sources
        },
    )
    receipts = [Receipt(message_id, job.published_at + 0.5, f"digest {message_id}", True) for message_id in rows.outbox]
    starts = Counter({(job.job_id, "gpu.detect"): 1})
    return Findings(rows, receipts, counts, set(), balanced=True, starts=starts, heard={}, left_over=[])


def verdict_on(entries: Mapping[str, Entry], found: Findings, struck_at: float = 0.0) -> Verdict:
    return judge([Round(0, RedisRefuses(), struck_at)], entries, found, SEED)


def of_camera(job: Job) -> Job:
    """The same, but from the camera."""
    frames = tuple(frame.model_copy(update={"source_id": CAMERA}) for frame in job.frames)
    return job.model_copy(update={"frames": frames})


@pytest.fixture
def found() -> Findings:
    return stored(plates_job())


def test_a_whole_run_passes(journal: Journal, found: Findings) -> None:
    verdict = verdict_on(journal.read(), found)
    assert verdict.violations == []
    assert verdict.pipelines == {"plates": {"stored": len(found.rows.frames)}}
    assert verdict.rounds[0].events == len(found.rows.frames)


def test_a_lost_frame_is_found(journal: Journal, found: Findings) -> None:
    lost = next(iter(found.rows.frames))
    del found.rows.frames[lost], found.rows.outbox[f"event of {lost}"]
    verdict = verdict_on(journal.read(), found)
    assert verdict.rounds[0].lost == 1
    assert f"frame {lost} (redis-refuses): ends nowhere" in verdict.violations
    assert any(violation.startswith("source ") for violation in verdict.violations)


def test_a_frame_with_two_ends_is_found(journal: Journal, found: Findings) -> None:
    found.dropped.add(next(iter(found.rows.frames)))
    verdict = verdict_on(journal.read(), found)
    assert verdict.rounds[0].duplicated == 1
    assert any("['stored', 'dropped']" in violation for violation in verdict.violations)


def test_an_innocent_dead_frame_is_found(journal: Journal, found: Findings) -> None:
    frame_id, source_id = found.rows.frames.popitem()
    found.rows.dead[frame_id] = (source_id, "worker_lost")
    found.rows.outbox[f"event of {frame_id}"] = OutboxRow(Event.FRAME_DEAD, frame_id, sent=True, last_error=None)
    found.counts[source_id]["stored"] -= 1
    found.counts[source_id]["dead"] = 1
    verdict = verdict_on(journal.read(), found)
    assert verdict.violations == [f"frame {frame_id} (redis-refuses): innocent, but dead as worker_lost"]


def test_a_producer_that_died_may_leave_a_job_without_pixels(journal: Journal, found: Findings) -> None:
    frame_id, source_id = found.rows.frames.popitem()
    found.rows.dead[frame_id] = (source_id, "frame_missing")
    found.rows.outbox[f"event of {frame_id}"] = OutboxRow(Event.FRAME_DEAD, frame_id, sent=True, last_error=None)
    found.counts[source_id]["stored"] -= 1
    found.counts[source_id]["dead"] = 1
    assert len(verdict_on(journal.read(), found).violations) == 1
    (entry,) = journal.read().values()
    entry.tries = 2
    assert verdict_on({entry.job.job_id: entry}, found).violations == []


def test_a_branch_that_failed_for_good_is_the_end_of_its_job(journal: Journal, found: Findings) -> None:
    (entry,) = journal.read().values()
    entry.job = entry.job.model_copy(update={"pipeline": FORKS})
    entry.poison = True
    entries = {entry.job.job_id: entry}
    assert [violation.partition(": ")[2] for violation in verdict_on(entries, found).violations] == [
        "a branch failed for good, but it is stored "
    ] * len(found.rows.frames)
    for frame_id, source_id in [*found.rows.frames.items()]:
        del found.rows.frames[frame_id]
        reason = "bad_image" if found.rows.dead else "attempts_exhausted"
        found.rows.dead[frame_id] = (source_id, reason)
        found.rows.outbox[f"event of {frame_id}"] = OutboxRow(Event.FRAME_DEAD, frame_id, sent=True, last_error=None)
        found.counts[source_id] = {"published": found.counts[source_id]["published"]}
        found.counts[source_id]["dead"] = found.counts[source_id]["published"]
    (violation,) = verdict_on(entries, found).violations
    assert violation.endswith("a branch failed for good, but it is dead attempts_exhausted")


def test_what_was_said_by_two_workers_twice_or_not_to_the_end_is_found(journal: Journal, found: Findings) -> None:
    entries = journal.read()
    ((job_id, entry),) = entries.items()
    entry.job = entry.job.model_copy(update={"pipeline": FORKS})
    whole = [[7, text_of(SEED, frame.seq)] for frame in entry.job.frames]

    def broken(pieces: list[Any]) -> list[str]:
        found.heard[job_id] = pieces
        return [violation.partition(" heard ")[2][:11] for violation in verdict_on(entries, found).violations]

    assert broken(whole) == []
    assert broken([*whole[:-1], [8, *whole[-1][1:]]]) == ["two workers"]
    for pieces in (whole[:-1], [*whole, whole[-1]], [*whole[:3], None, *whole[4:]]):
        assert broken(pieces) == [str(pieces)[:11]]
    found.starts[job_id, "cpu.match"] = 2
    assert [one for one in broken(whole[:-1]) if one] == []


def asked(pipeline: Pipeline) -> tuple[Entry, Findings]:
    """Two questions, each with the answer that it should have."""
    job = make_job(replace(plan_bundles(SEED, 100)[0], size=2, pipeline=pipeline), SEED, Settings())
    found = stored(job)
    found.rows.detections.clear()
    found.rows.readings.clear()
    for item in job.frames:
        text, length_s = text_of(SEED, item.seq), seconds_of(item.seq)
        segment = {"start_s": 0.0, "end_s": length_s, "text": f"{length_s:.1f}"}
        told = f'- Picture 1: license plate "{text}"\n- Recording: "{segment["text"]}"\n\nQuestion: {question_of(text)}'
        found.rows.found[item.frame_id] = {
            Pipeline.CHAT: {"answer": [question_of(text)]},
            Pipeline.TRANSCRIBE: {"text": [segment["text"]], "segments": [segment]},
            Pipeline.ASK: {"answer": [told], "heard": [{"segments": [segment]}]},
        }[pipeline]
    return Entry(job, 0, poison=False, verdict="accepted", tries=1), found


@pytest.mark.parametrize("pipeline", QUESTIONS)
def test_an_answer_of_another_question_is_found(pipeline: Pipeline) -> None:
    entry, found = asked(pipeline)
    entries = {entry.job.job_id: entry}
    assert verdict_on(entries, found).violations == []
    first, second = (item.frame_id for item in entry.job.frames)
    found.rows.found[first] = {kind: values * 2 for kind, values in found.rows.found[first].items()}
    found.rows.found[second] = {}
    violations = verdict_on(entries, found).violations
    assert [violation.partition(": ")[0] for violation in violations] == [f"frame {first}", f"frame {second}"]


def test_a_recording_with_a_hole_in_it_is_found() -> None:
    entry, found = asked(Pipeline.TRANSCRIBE)
    item = entry.job.frames[0]
    found.rows.found[item.frame_id]["segments"] = [{"start_s": 0.2, "end_s": seconds_of(item.seq), "text": "0.3"}]
    (violation,) = verdict_on({entry.job.job_id: entry}, found).violations
    assert f"frame {item.frame_id}: asked of transcribe" in violation


def test_who_listens_hears_each_answer_once() -> None:
    entry, found = asked(Pipeline.CHAT)
    job_id, questions = entry.job.job_id, [question_of(text_of(SEED, item.seq)) for item in entry.job.frames]
    pieces = [{"item": number, "text": text} for number, text in enumerate(questions)]

    def broken(pieces: list[Any]) -> bool:
        found.heard[job_id] = pieces
        return any("who listened heard" in violation for violation in verdict_on({job_id: entry}, found).violations)

    assert not broken(pieces)
    assert broken([*pieces, pieces[0]])
    assert broken(pieces[:1])
    found.starts[job_id, "gpu.chat"] = 2  # one was at its end while the other still spoke
    assert not broken(pieces[:1])
    assert broken([*pieces, pieces[0]])


def test_a_question_may_be_given_up_while_the_server_fails_and_not_else() -> None:
    entry, found = asked(Pipeline.CHAT)
    for item in entry.job.frames:
        del found.rows.frames[item.frame_id], found.rows.outbox[f"event of {item.frame_id}"]
        found.rows.dead[item.frame_id] = ("chat", "model_failed")
        found.rows.outbox[f"event of {item.frame_id}"] = OutboxRow(
            Event.FRAME_DEAD, item.frame_id, sent=True, last_error=None
        )
    found.counts["chat"] = {"published": 2, "dead": 2}
    entries = {entry.job.job_id: entry}
    assert judge([Round(0, Server500())], entries, found, SEED).violations == []
    assert len(verdict_on(entries, found).violations) == 2


def test_a_fault_that_struck_nothing_is_told(journal: Journal, found: Findings) -> None:
    this = Round(0, RedisRefuses(), missed="no worker came to die-in-shard")
    assert judge([this], journal.read(), found, SEED).violations == ["round 1: no worker came to die-in-shard"]


def test_a_reading_of_another_picture_and_a_second_detection_are_found(journal: Journal, found: Findings) -> None:
    first, second, *_ = found.rows.frames
    found.rows.readings[first] = ["OTHER"]
    found.rows.detections[second] += 1
    verdict = verdict_on(journal.read(), found)
    assert [violation.split(":")[0] for violation in verdict.violations] == [f"frame {first}", f"frame {second}"]
    assert verdict.rounds[0].duplicated == 1


def test_work_done_twice_is_found_where_no_fault_explains_it(journal: Journal, found: Findings) -> None:
    found.starts[next(iter(journal.read())), "gpu.detect"] += 1
    assert verdict_on(journal.read(), found).violations == ["round 1 (redis-refuses): 1 stages did their work twice"]
    verdict = judge([Round(0, RedisRefuses())], journal.read(), found, SEED, timely=False)
    assert (verdict.violations, verdict.rounds[0].repeated_work) == ([], 1)


def test_what_is_left_over_and_unknown_is_found(journal: Journal, found: Findings) -> None:
    job = plates_job().model_copy(update={"job_id": "job-unknown", "frames": plates_job().frames[:1]})
    journal.write(job.job_id, "trying", job=job.model_dump(mode="json"), round=0, poison=False)
    verdict = verdict_on(journal.read(), replace(found, left_over=["1 messages in unacked"]))
    assert verdict.violations == [
        "job job-unknown: its producer never learned whether it was accepted",
        "1 messages in unacked",
    ]


def test_an_event_that_was_not_noted_not_sent_or_not_received_is_found(journal: Journal, found: Findings) -> None:
    first, second, third, *_ = found.rows.outbox
    about = found.rows.outbox.pop(first).about
    unsent, unheard = (
        f"event {one} ({Event.FRAME_STORED} of {found.rows.outbox[one].about})" for one in (second, third)
    )
    found.rows.outbox[second] = replace(found.rows.outbox[second], sent=False, last_error="answered 500")
    found.receipts[:] = [receipt for receipt in found.receipts if receipt.message_id not in (first, second, third)]
    found.rows.passages.add("p1")
    assert sorted(verdict_on(journal.read(), found).violations) == sorted(
        [
            f"frame.stored of {about}: was never noted",
            f"{unsent}: not delivered, answered 500",
            f"{unheard}: the receiver acted on it 0 times",
            "passage.new of p1: was never noted",
            "passage.final of p1: was never noted",
        ]
    )


def test_an_event_that_was_acted_on_twice_is_found_whatever_its_id(journal: Journal, found: Findings) -> None:
    receipt = found.receipts[0]
    found.receipts.extend([replace(receipt, acted=False), replace(receipt, message_id="another")])
    verdict = verdict_on(journal.read(), found)
    assert verdict.violations == [
        f"event with body {receipt.digest}: the receiver acted on it twice",
        "event another: received, but not in the outbox",
    ]
    assert (verdict.rounds[0].events_again, verdict.rounds[0].acted_twice) == (1, 1)


def test_a_camera_may_not_know_what_became_of_a_job(tmp_path: Path) -> None:
    job = of_camera(plates_job())
    found = stored(job)
    for frame in job.frames:
        found.rows.readings[frame.frame_id] = [min(texts_of(SEED))]
    entry = Entry(job, 0, poison=False, tries=1, repeated=False)
    assert verdict_on({job.job_id: entry}, found).violations == []
    lost = job.frames[0].frame_id
    del found.rows.frames[lost], found.rows.outbox[f"event of {lost}"]
    found.receipts[:] = [receipt for receipt in found.receipts if not receipt.message_id.endswith(lost)]
    (violation,) = verdict_on({job.job_id: entry}, found).violations
    assert violation.startswith(f"source {CAMERA}: the ledger counts")


def test_recovery_ends_with_the_last_job_that_came_late(journal: Journal, found: Findings) -> None:
    (entry,) = journal.read().values()
    published_at = entry.job.published_at
    found.receipts[:] = [replace(receipt, at=published_at + 0.5) for receipt in found.receipts]
    this = verdict_on(journal.read(), found, published_at - 1).rounds[0]
    assert (this.goes_on_s, this.recovered_s) == (pytest.approx(1.5), 0.0)
    found.receipts[-1] = replace(found.receipts[-1], at=published_at + 7)
    this = verdict_on(journal.read(), found, published_at - 1).rounds[0]
    assert (this.goes_on_s, this.recovered_s) == (pytest.approx(8), pytest.approx(8))


def test_what_happens_belongs_to_the_round_that_runs() -> None:
    rounds = [Round(number, RedisRefuses(), struck_at) for number, struck_at in enumerate((100.0, 200.0))]
    assert [round_at(rounds, at).number for at in (50, 100, 199, 200, 900)] == [0, 0, 0, 1, 1]


def test_receipts_know_what_they_had_before_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "receipts"
    Receipts(path).take("one", b"body")
    with path.open("a") as file:
        file.write('["two", 17')
    after = Receipts(path)
    for message_id in ("one", "two"):
        after.take(message_id, b"body")
    assert [(receipt.message_id, receipt.acted) for receipt in read_receipts(path)] == [
        ("one", True),
        ("one", False),
        ("two", True),
    ]


def test_a_stepped_clock_moves_while_the_process_runs(tmp_path: Path) -> None:
    program = "import time, sys; print(time.time(), flush=True); sys.stdin.readline(); print(time.time(), flush=True)"
    environment = dict(os.environ) | dict(clock.environment(tmp_path, "part"))
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        before = float(process.stdout.readline())
        assert before == pytest.approx(time.time(), abs=60)
        clock.step(tmp_path, "part", -clock.STEP_S)
        time.sleep(0.2)
        process.stdin.write("\n")
        process.stdin.flush()
        assert float(process.stdout.readline()) == pytest.approx(before - clock.STEP_S, abs=60)


def test_a_journal_survives_a_torn_line(tmp_path: Path) -> None:
    path, job = tmp_path / "journal", plates_job()
    Journal(path).write(job.job_id, "trying", job=job.model_dump(mode="json"), round=3, poison=True)
    with path.open("a") as file:
        file.write('{"job_id": "j1-00')
    Journal(path).write(job.job_id, "accepted", refused=[job.frames[0].frame_id])
    (entry,) = Journal(path).read().values()
    assert (entry.job, entry.round, entry.poison, entry.verdict) == (job, 3, True, "accepted")
    assert len(entry.accepted_frames) == len(job.frames) - 1


def test_the_same_seed_is_the_same_run() -> None:
    names = [fault.name for fault in plan_faults(5, 60)]
    assert names == [fault.name for fault in plan_faults(5, 60)] != [fault.name for fault in plan_faults(6, 60)]
    assert set(names[: len(FAULTS)]) == set(FAULTS) > set(QUICK)
    assert plan_bundles(5, 6000) == plan_bundles(5, 6000)
    assert sum(bundle.size for bundle in plan_bundles(5, 6000)) == 6000
    asked = [bundle for bundle in plan_bundles(5, 6000, questions=0.3) if bundle.pipeline in QUESTIONS]
    assert 0.2 < len(asked) / len(plan_bundles(5, 6000, questions=0.3)) < 0.4
    assert {bundle.pipeline for bundle in asked} == set(QUESTIONS)
