"""What cameras count, added up: a sum never goes down, whichever cameras come, go and start over."""

from __future__ import annotations

from producers.camera.metrics import CameraMetrics
from sightline.camera_status import CameraStatus


def sums(metrics: CameraMetrics) -> dict[tuple[str, str], float]:
    (frames,) = [metric for metric in metrics.collect() if metric.name == "sightline_camera_frames"]
    return {(sample.labels["fate"], sample.labels["reason"]): sample.value for sample in frames.samples}


def test_a_camera_that_goes_takes_nothing_away_and_starts_over_when_it_is_back() -> None:
    gate = CameraStatus(state="running", frames_read=10, sampled=5, published=3, dropped={"backlog": 2})
    yard = CameraStatus(state="paused", frames_read=4, sampled=4, gated=4)
    statuses = {"gate": gate, "yard": yard}
    metrics = CameraMetrics(lambda: statuses)
    first = sums(metrics)
    assert first["read", ""] == 14
    assert (first["dropped", "backlog"], first["gated", ""], first["thinned", ""]) == (2, 4, 0)
    del statuses["yard"]
    statuses["gate"] = gate.model_copy(update={"frames_read": 11})
    assert sums(metrics)["read", ""] == 15
    statuses["yard"] = yard.model_copy(update={"frames_read": 1})
    assert sums(metrics)["read", ""] == 16
    statuses["gate"] = CameraStatus(state="starting", frames_read=2)  # another reader, which counts anew
    assert sums(metrics)["read", ""] == 18


def test_every_state_has_its_line() -> None:
    metrics = CameraMetrics(lambda: {"gate": CameraStatus(state="running")})
    (states,) = [metric for metric in metrics.collect() if metric.name == "sightline_camera_readers"]
    assert {sample.labels["state"]: sample.value for sample in states.samples} == {
        "starting": 0,
        "running": 1,
        "reconnecting": 0,
        "paused": 0,
        "ended": 0,
        "offline": 0,
    }
