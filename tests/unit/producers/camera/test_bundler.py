import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from producers.camera.counters import CameraCounters
from producers.camera.publish.bundler import LiveBundler
from producers.camera.publish.slots import EncodedFrame, LiveSlot
from sightline.errors import BacklogFullError, BrokerUnavailableError, StoreUnavailableError
from sightline.ids import new_id
from sightline.types import FrameRef, Lane, Pipeline
from tests.cameras import FakePublisher, wait_until


class Live:
    """Slots, and a bundler that empties them."""

    def __init__(self, cameras: int = 3, *, pipeline: Pipeline = Pipeline.PLATES, tick_ms: float = 100) -> None:
        self.publisher = FakePublisher()
        self.wake = threading.Event()
        self.slots = [LiveSlot(pipeline, CameraCounters(), self.wake) for _ in range(cameras)]
        self.bundler = LiveBundler(self.publisher, lambda: self.slots, self.wake, tick_ms=tick_ms, deadline_s=5)

    def put(self, *, age_s: float = 0) -> None:
        for index, slot in enumerate(self.slots):
            captured_at = datetime.now(UTC) - timedelta(seconds=age_s)
            slot.put(
                EncodedFrame(FrameRef(frame_id=new_id(), source_id=f"cam{index}", captured_at=captured_at), b"jpeg")
            )

    def status(self, index: int = 0):
        return self.slots[index].counters.status()


def test_the_newest_frames_of_all_cameras_travel_together() -> None:
    live = Live()
    live.put(age_s=2)
    live.put(age_s=1)
    live.bundler.publish_waiting()
    live.bundler.publish_waiting()
    [job] = live.publisher.jobs
    assert [frame.source_id for frame in job.frames] == ["cam0", "cam1", "cam2"]
    assert job.lane is Lane.LIVE
    assert job.deadline_at == pytest.approx(time.time() + 4, abs=0.5)
    assert live.publisher.pixels.keys() == {frame.frame_id for frame in job.frames}
    assert (live.status().published, live.status().dropped) == (1, {"overwritten": 1})


def test_one_job_per_pipeline() -> None:
    live = Live(3)
    live.slots[1].pipeline = Pipeline.OBJECTS
    live.put()
    live.bundler.publish_waiting()
    assert {job.pipeline: len(job.frames) for job in live.publisher.jobs} == {Pipeline.PLATES: 2, Pipeline.OBJECTS: 1}


def test_beyond_64_frames_the_job_is_split() -> None:
    live = Live(130)
    live.put()
    live.bundler.publish_waiting()
    assert [len(job.frames) for job in live.publisher.jobs] == [64, 64, 2]


def test_frames_over_the_limit_of_their_camera_are_dropped_alone() -> None:
    live = Live()
    live.publisher.refuse = {"cam1"}
    live.put()
    live.bundler.publish_waiting()
    assert [live.status(n).published for n in range(3)] == [1, 0, 1]
    assert live.status(1).dropped == {"backlog": 1}


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (BrokerUnavailableError("down"), "broker_unavailable"),
        (StoreUnavailableError("down"), "store_unavailable"),
        (BacklogFullError("full"), "backlog"),
    ],
)
def test_what_cannot_be_published_now_is_dropped_and_counted(
    error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    live = Live()
    live.publisher.trouble = [error, error]
    for _ in range(3):
        live.put()
        live.bundler.publish_waiting()
    assert live.status().dropped == {reason: 2}
    assert live.status().published == 1
    assert sum("dropped" in record.message for record in caplog.records) == 1


def test_a_frame_past_its_deadline_is_not_published() -> None:
    live = Live()
    live.put(age_s=6)
    live.bundler.publish_waiting()
    assert live.publisher.jobs == []
    assert live.status().dropped == {"stale": 1}


def test_a_closed_slot_publishes_nothing() -> None:
    live = Live(1)
    live.put()
    live.slots[0].close()
    live.put()
    live.bundler.publish_waiting()
    assert live.publisher.jobs == []
    assert live.status().dropped == {"stopped": 2}


def test_at_most_one_bundle_a_tick() -> None:
    live = Live(2, tick_ms=200)
    stop = threading.Event()
    thread = threading.Thread(target=live.bundler.run, args=(stop,))
    began_at = time.monotonic()
    thread.start()
    while len(live.publisher.jobs) < 4:
        live.put()
        time.sleep(0.02)
    stop.set()
    thread.join(10)
    assert len(live.publisher.jobs) <= 1 + (time.monotonic() - began_at) / 0.2


def test_a_waiting_frame_is_published_at_once_when_nothing_went_before() -> None:
    live = Live(1, tick_ms=5000)
    stop = threading.Event()
    thread = threading.Thread(target=live.bundler.run, args=(stop,))
    thread.start()
    live.put()
    wait_until(lambda: live.publisher.jobs, 2)
    stop.set()
    thread.join(2)
    assert not thread.is_alive()
