"""A camera that was turned is noticed; light, weather and traffic are not taken for that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from demo.scene import draw_street
from producers.camera.capture.motion import GRAY_WIDTH
from producers.camera.capture.shift import Shift

HEIGHT = 90
#: Seconds -> the picture of then, of any size.
Film = Callable[[int], Any]


def town(seed: int = 1) -> Any:
    """Houses with windows, a street, a fence: twice as wide and high as what the camera sees."""
    random = np.random.default_rng(seed)
    image = np.full((2 * HEIGHT, 2 * GRAY_WIDTH), 150, np.float32)
    for _ in range(60):
        left, top = random.integers(0, 2 * GRAY_WIDTH), random.integers(0, 2 * HEIGHT)
        width, height = random.integers(8, 60), random.integers(8, 50)
        shade = float(random.uniform(40, 220))
        cv2.rectangle(image, (int(left), int(top)), (int(left + width), int(top + height)), (shade,), -1)
    return cv2.blur(image, (3, 3))


TOWN = town()
STREET = cv2.cvtColor(cv2.resize(draw_street("KAB4721", None), (GRAY_WIDTH, HEIGHT)), cv2.COLOR_BGR2GRAY)


def view(x: float = 0, y: float = 0, turned: float = 0, image: Any = TOWN) -> Any:
    """What the camera sees of the town, moved by so many pixels of 160 and turned by degrees."""
    center = GRAY_WIDTH + x, HEIGHT + y
    matrix = cv2.getRotationMatrix2D(center, turned, 1.0)
    matrix[:, 2] -= (center[0] - GRAY_WIDTH / 2, center[1] - HEIGHT / 2)
    return cv2.warpAffine(image, matrix, (GRAY_WIDTH, HEIGHT))


def moves(film: Film, seconds: int, noise: float = 0.7) -> list[int]:
    """When the camera is said to have moved."""
    shift, random = Shift(), np.random.default_rng(3)
    said: list[int] = []
    for at_s in range(seconds):
        image = film(at_s) + random.normal(0, noise, (HEIGHT, GRAY_WIDTH))
        if shift.look(np.clip(image, 0, 255).astype(np.uint8), float(at_s)):
            said.append(at_s)
    return said


@pytest.mark.parametrize("contrast", [1.0, 0.25], ids=["day", "evening"])
@pytest.mark.parametrize(
    "there",
    [view(x=8), view(x=16), view(x=48), view(y=10), view(x=-12, y=9), view(turned=10), view(image=town(2))],
    ids=["5 % aside", "10 % aside", "30 % aside", "up", "both", "turned", "elsewhere"],
)
def test_another_view_is_said_once_and_is_the_usual_one_then(there: Any, contrast: float) -> None:
    said = moves(lambda at_s: contrast * (view() if at_s < 60 else there), 400)
    assert len(said) == 1
    assert 115 < said[0] <= 140  # it moved after a minute, and that must last for another


def test_a_camera_that_is_turned_for_a_while_and_back_has_not_moved() -> None:
    assert moves(lambda at_s: view(x=40 if 60 <= at_s < 110 else 0), 200) == []


def test_wind_shakes_a_camera() -> None:
    assert moves(lambda at_s: view(x=1.5 * np.sin(at_s), y=np.cos(2.3 * at_s)), 300) == []


@pytest.mark.parametrize("scene", [view(), STREET], ids=["town", "street"])
@pytest.mark.parametrize(
    "light",
    [
        pytest.param(lambda at_s, _x: 0.8 + 0.2 * np.sin(at_s / 3), id="slow swings"),
        pytest.param(lambda at_s, _x: 1 + 0.3 * (-1) ** at_s, id="flicker"),
        pytest.param(lambda at_s, x: 0.6 + 0.4 / (1 + np.exp(-8 * (x - at_s % 40 / 20 + 0.5))), id="cloud"),
        pytest.param(lambda at_s, _x: 1.0 if at_s < 100 else 0.15, id="lamps go out"),
        pytest.param(lambda at_s, _x: max(0.04, 1 - at_s / 300), id="dusk in five minutes"),
        pytest.param(
            lambda at_s, x: 0.12 if at_s < 100 else 0.12 + 0.8 * np.exp(-(((x - 0.3) / 0.2) ** 2)), id="a lamp"
        ),
        pytest.param(lambda at_s, _x: 1.0 if at_s < 100 else 1.9, id="overexposed"),
        pytest.param(lambda at_s, _x: 0.05 if at_s < 100 else 1.0, id="from the dark"),
    ],
)
def test_light_moves_no_camera(scene: Any, light: Callable[[int, Any], Any]) -> None:
    x = np.linspace(0, 1, GRAY_WIDTH)[None, :]
    assert moves(lambda at_s: scene * light(at_s, x), 400) == []


def test_fog_a_covered_lens_and_a_black_picture_are_no_other_view() -> None:
    assert moves(lambda at_s: view() * (0.02 if at_s >= 60 else 1) + (120 if at_s >= 60 else 0), 200) == []
    assert moves(lambda at_s: view() * (0 if at_s >= 60 else 1), 200) == []


def test_traffic_and_what_stops_before_the_lens_move_no_camera() -> None:
    def film(at_s: int) -> Any:
        image = view().copy()
        left = at_s * 37 % 220 - 60
        image[30:80, max(0, left) : max(0, left + 60)] = 30  # a car each few seconds
        if 100 <= at_s < 160:
            image[:, :110] = 200  # a truck stands there for a minute
            image[20:70:6, 5:100] = 90
        if 200 <= at_s < 225:
            image[:] = 60  # a bus in front of all of it
            image[10:80:7] = 180
        return image

    assert moves(film, 300) == []


def test_negative_of_infrared_at_night_keeps_most_edges() -> None:
    """Plants and clothes are light in infrared, and dark by day: a third of the houses change places in gray."""
    random = np.random.default_rng(5)
    by_day = view()
    mask = cv2.resize(
        random.choice([0.0, 1.0], (6, 10), p=[0.65, 0.35]).astype(np.float32),
        (GRAY_WIDTH, HEIGHT),
        interpolation=cv2.INTER_NEAREST,
    )
    in_infrared = np.where(mask > 0, 255 - by_day, by_day) * 0.5
    assert moves(lambda at_s: by_day if at_s < 100 else in_infrared, 300) == []
