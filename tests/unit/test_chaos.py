"""The chaos harness's own judgment: what was done wrong is found, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.chaos.faults import FAULTS, RedisRefuses, plan_faults
from benchmarks.chaos.findings import Findings
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.load import make_job, plan_bundles, text_of
from benchmarks.chaos.rows import Rows
from benchmarks.chaos.verdict import Round, Verdict, judge
from sightline.messages import Job
from sightline.settings import Settings
from sightline.types import Pipeline

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
    """All its frames as they should be."""
    sources = {frame.frame_id: frame.source_id for frame in job.frames}
    counts = {source: {"published": frames, "stored": frames} for source, frames in Counter(sources.values()).items()}
    rows = Rows(
        frames=sources,
        dead={},
        finished_at={job.job_id: job.published_at + 0.5},
        detections=Counter(sources.keys()),
        readings={frame.frame_id: [text_of(SEED, frame.seq)] for frame in job.frames},
        pictures=set(),
        wrong_passages=[],
    )
    starts = Counter({(job.job_id, "gpu.detect"): 1})
    return Findings(rows, counts, set(), balanced=True, starts=starts, left_over=[])


def verdict_on(journal: Journal, found: Findings) -> Verdict:
    return judge([Round(0, RedisRefuses())], journal.read(), found, SEED)


@pytest.fixture
def found() -> Findings:
    return stored(plates_job())


def test_a_whole_run_passes(journal: Journal, found: Findings) -> None:
    verdict = verdict_on(journal, found)
    assert verdict.violations == []
    assert verdict.rounds[0].slowest_s == pytest.approx(0.5, abs=0.5)


def test_a_lost_frame_is_found(journal: Journal, found: Findings) -> None:
    lost = next(iter(found.rows.frames))
    del found.rows.frames[lost]
    verdict = verdict_on(journal, found)
    assert verdict.rounds[0].lost == 1
    assert f"frame {lost} (redis-refuses): ends nowhere" in verdict.violations
    assert any(violation.startswith("source ") for violation in verdict.violations)


def test_a_frame_with_two_ends_is_found(journal: Journal, found: Findings) -> None:
    found.dropped.add(next(iter(found.rows.frames)))
    verdict = verdict_on(journal, found)
    assert verdict.rounds[0].duplicated == 1
    assert any("['stored', 'dropped']" in violation for violation in verdict.violations)


def test_an_innocent_dead_frame_is_found(journal: Journal, found: Findings) -> None:
    frame_id, source_id = found.rows.frames.popitem()
    found.rows.dead[frame_id] = (source_id, "worker_lost")
    found.counts[source_id]["stored"] -= 1
    found.counts[source_id]["dead"] = 1
    verdict = verdict_on(journal, found)
    assert verdict.violations == [f"frame {frame_id} (redis-refuses): innocent, but dead as worker_lost"]


def test_a_reading_of_another_picture_and_a_second_detection_are_found(journal: Journal, found: Findings) -> None:
    first, second, *_ = found.rows.frames
    found.rows.readings[first] = ["OTHER"]
    found.rows.detections[second] += 1
    verdict = verdict_on(journal, found)
    assert [violation.split(":")[0] for violation in verdict.violations] == [f"frame {first}", f"frame {second}"]
    assert verdict.rounds[0].duplicated == 1


def test_work_done_twice_is_found_where_no_fault_explains_it(journal: Journal, found: Findings) -> None:
    found.starts[next(iter(journal.read())), "gpu.detect"] += 1
    assert verdict_on(journal, found).violations == ["round 1 (redis-refuses): 1 stages did their work twice"]


def test_what_is_left_over_and_unknown_is_found(journal: Journal, found: Findings) -> None:
    job = plates_job().model_copy(update={"job_id": "job-unknown", "frames": plates_job().frames[:1]})
    journal.write(job.job_id, "trying", job=job.model_dump(mode="json"), round=0, poison=False)
    verdict = verdict_on(journal, replace(found, left_over=["1 messages in unacked"]))
    assert verdict.violations == [
        "job job-unknown: its producer never learned whether it was accepted",
        "1 messages in unacked",
    ]


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
    names = [fault.name for fault in plan_faults(5, 40)]
    assert names == [fault.name for fault in plan_faults(5, 40)] != [fault.name for fault in plan_faults(6, 40)]
    assert set(names[: len(FAULTS)]) == set(FAULTS)
    assert plan_bundles(5, 6000) == plan_bundles(5, 6000)
    assert sum(bundle.size for bundle in plan_bundles(5, 6000)) == 6000
