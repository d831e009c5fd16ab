"""Cameras that send pictures and see nothing."""

from typing import Any

import cv2
import numpy as np

from demo.scene import draw_street
from producers.camera.capture.health import Health
from producers.camera.capture.motion import GRAY_WIDTH

STREET: Any = cv2.cvtColor(cv2.resize(draw_street("KAB4721", None), (GRAY_WIDTH, 90)), cv2.COLOR_BGR2GRAY)
DARK = np.full_like(STREET, 12)
#: What a lens shows that somebody sprayed: light, and soft.
COVERED = np.linspace(90, 140, GRAY_WIDTH)[None, :].repeat(90, axis=0)


def noisy(image: Any, seed: int, noise: float = 0.7) -> Any:
    return np.clip(image + np.random.default_rng(seed).normal(0, noise, image.shape), 0, 255).astype(np.uint8)


def conditions(image: Any, seconds: range, health: Health, noise: float = 0.7) -> list[str | None]:
    seen: list[str | None] = []
    for at_s in seconds:
        assert health.wants(at_s)
        health.look(noisy(image, at_s, noise), at_s)
        seen.append(health.condition)
    return seen


def test_a_street_is_well_by_day_and_at_night() -> None:
    assert set(conditions(STREET, range(60), Health())) == {None}
    assert set(conditions(STREET * 0.15 + 8, range(60), Health())) == {None}


def test_dark_and_covered_after_ten_seconds_and_well_at_once() -> None:
    for image, name in ((DARK, "dark"), (COVERED, "covered")):
        health = Health()
        conditions(STREET, range(5), health)
        assert conditions(image, range(5, 20), health) == [None] * 10 + [name] * 5
        assert conditions(STREET, range(20, 22), health) == [None, None]


def test_a_lens_that_is_wiped_for_some_seconds_is_not_covered() -> None:
    health = Health()
    assert set(conditions(COVERED, range(9), health) + conditions(STREET, range(9, 12), health)) == {None}


def test_frozen_when_half_a_minute_is_exactly_the_same() -> None:
    health = Health()
    assert conditions(STREET, range(32), health, noise=0.0) == [None] * 30 + ["frozen"] * 2
    assert conditions(STREET, range(32, 34), health) == [None, None]


def test_one_look_a_second_and_a_clock_that_starts_over() -> None:
    health = Health()
    health.look(DARK, 100.0)
    assert [health.wants(at_s) for at_s in (100.5, 101.0, 3.0)] == [False, True, True]
    health.look(DARK, 3.0)
    assert health.condition is None


def test_moved_after_a_minute_and_for_ten() -> None:
    health, there = Health(), np.roll(STREET, 12, axis=0)
    assert set(conditions(STREET, range(60), health)) == {None}
    seen = conditions(there, range(60, 900), health)
    since = seen.index("moved")
    assert 55 <= since <= 80
    assert seen == [None] * since + ["moved"] * 600 + [None] * (840 - since - 600)


def test_a_camera_that_sees_nothing_has_not_moved() -> None:
    health = Health()
    conditions(STREET, range(60), health)
    assert set(conditions(DARK, range(60, 300), health)) == {None, "dark"}
    assert set(conditions(STREET, range(300, 500), health)) == {None}
