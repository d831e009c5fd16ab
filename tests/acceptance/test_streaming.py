"""A stage that streams is killed in the middle of its answer: another worker starts it over, and listeners are told."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline import JobStatus, Sightline
from sightline.submission.jobs import NewFrame, make_job
from sightline.testing import make_picture
from sightline.types import Lane
from tests.acceptance.parts.system import ROOT, System
from tests.installing import write_package

SPEC = """
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import FrameResult, Pipeline
SPEC = PipelineSpec(
    Pipeline("tell"), ("image",), FrameResult, (StageSpec("tell", "cpu.tell", "our_story_stage", streams=True),)
)
"""
STAGE = """
import time
from sightline.pipelines import registry
from sightline.types import FrameResult, Reading
from sightline.wire.messages import Message
from workers.stages.step import Step

class Tell:
    task = "sightline.tell"
    runners = {}
    def work(self, step):
        for number in range(10):
            step.context.emit(number)
            time.sleep(0.2)
        reading = Reading(text="told", confidence=1.0)
        results = tuple(FrameResult(frame=frame, readings=(reading,)) for frame in step.message.job.frames)
        return Step(registry().next_task("tell", self.task), Message(job=step.message.job, results=results))
    def close(self):
        pass

def open_stage(services):
    return Tell()
"""


@pytest.fixture
def system(redis_url: str, tmp_path: Path, packages: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[System]:
    write_package(packages, "our_story", SPEC, pipelines="tell = our_story:SPEC")
    (packages / "our_story_stage.py").write_text(STAGE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(packages), str(ROOT)]))
    running = System(tmp_path, redis_url)
    yield running
    running.stop()


def test_a_streaming_stage_killed_halfway_starts_over_and_says_so(system: System) -> None:
    system.start("tell", "write")
    job, pixels = make_job(
        [NewFrame.photo(make_picture("AB12CD"))], system.settings, pipeline="tell", lane=Lane.BULK, source_id="story"
    )
    with Sightline(system.settings) as client:
        client.publisher.publish(job, pixels)
        events = client.stream(job.job_id)
        said: list[object] = []
        for event in events:
            said.append(event.data if event.event == "delta" else event.event)
            if event.data == 3 and "tell2" not in system.workers:
                system.kill("tell")
                system.start("tell2")
            if event.event == "result":
                assert event.result
                assert event.result.status is JobStatus.STORED
    assert said[:4] == [0, 1, 2, 3]
    restarted_at = said.index("restart")
    assert said[restarted_at:] == ["restart", *range(10), "result"]
    system.wait_until_quiet()


def test_a_job_that_is_cancelled_in_the_middle_of_its_answer_stops_there(system: System) -> None:
    system.start("tell", "write")
    job, pixels = make_job(
        [NewFrame.photo(make_picture("AB12CD"))], system.settings, pipeline="tell", lane=Lane.BULK, source_id="story"
    )
    with Sightline(system.settings) as client:
        client.publisher.publish(job, pixels)
        said: list[object] = []
        for event in client.stream(job.job_id):
            said.append(event.data if event.event == "delta" else event.event)
            if event.data == 0:
                assert client.cancel(job.job_id)
        result = client.wait(job.job_id, 1)
    assert result.frames[0].dropped == "cancelled"
    assert 9 not in said
    system.wait_until_quiet()
