import numpy as np
import numpy.typing as npt

from producers.camera.capture.motion import MotionGate


def gray(box: int | None = None, *, noise: int = 0, size: int = 8) -> npt.NDArray[np.uint8]:
    image = np.full((90, 160), 90, np.uint8)
    if noise:
        image += np.random.default_rng(noise).integers(0, 9, image.shape, dtype=np.uint8)
    if box is not None:
        image[40 : 40 + size, box : box + size] = 250
    return image


def test_first_frame_passes_then_a_still_scene_is_held_back() -> None:
    gate = MotionGate(hold_s=0)
    assert [gate.passes(gray(noise=n + 1), n * 0.1) for n in range(10)] == [True] + [False] * 9


def test_a_small_moving_thing_passes() -> None:
    gate = MotionGate(hold_s=0)
    assert all(gate.passes(gray(10 * n, size=5), n * 0.1) for n in range(10))


def test_the_first_still_frames_after_motion_pass() -> None:
    gate = MotionGate(hold_s=1.0)
    gate.passes(gray(), 0.0)
    gate.passes(gray(50), 2.0)
    assert [gate.passes(gray(50), at_s) for at_s in (2.5, 3.0, 3.5)] == [True, True, False]


def test_slow_movement_adds_up() -> None:
    gate = MotionGate(hold_s=0, heartbeat_s=1000)
    passed = [gate.passes(np.full((90, 160), 90 + n, np.uint8), n * 0.1) for n in range(100)]
    assert 3 <= sum(passed) <= 6


def test_a_still_scene_is_looked_at_every_few_seconds() -> None:
    gate = MotionGate(hold_s=0, heartbeat_s=5)
    assert [at_s for at_s in range(20) if gate.passes(gray(), at_s)] == [0, 5, 10, 15]


def test_the_heartbeat_follows_a_low_rate_to_half_a_minute() -> None:
    gate = MotionGate(hold_s=0, heartbeat_s=5)
    gate.passes(gray(), 0)
    assert gate.moved_at_s == 0
    assert [at_s for at_s in range(1, 40) if gate.passes(gray(), at_s, slowdown=3)] == [15, 30]
    assert [at_s for at_s in range(40, 120) if gate.passes(gray(), at_s, slowdown=600)] == [60, 90]
    assert gate.moved_at_s == 0
    slow = MotionGate(hold_s=0, heartbeat_s=100)
    slow.passes(gray(), 0)
    assert [at_s for at_s in range(1, 120) if slow.passes(gray(), at_s, slowdown=2)] == [100]


def test_another_size_and_a_clock_that_goes_back_pass() -> None:
    gate = MotionGate(hold_s=0)
    assert gate.passes(gray(), 100.0)
    assert gate.passes(gray()[:80], 100.1)
    assert gate.passes(gray()[:80], 0.0)
