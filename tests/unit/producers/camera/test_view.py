"""Pictures are turned upright and masked before anything looks at them."""

from typing import Any

import cv2
import numpy as np
import pytest

from producers.camera.capture.reader import Reader
from producers.camera.capture.view import View
from tests.cameras import camera, picture

LEFT_HALF = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_pictures_are_turned_clockwise(rotation: Any) -> None:
    upright = picture()
    hung: Any = np.rot90(upright, rotation // 90)  # counterclockwise: what a camera that hangs so sends
    assert np.array_equal(View(rotation, ()).apply(hung), upright)


def test_what_is_outside_of_the_mask_is_black_in_color_and_in_gray() -> None:
    view = View(0, (LEFT_HALF,))
    for image in (picture(), cv2.cvtColor(picture(), cv2.COLOR_BGR2GRAY)):
        seen = view.apply(image)
        assert np.array_equal(seen[:, :159], image[:, :159])
        assert not seen[:, 161:].any()


def test_several_polygons_add_up_and_lie_in_the_upright_picture() -> None:
    corner = ((0.9, 0.9), (1.0, 0.9), (1.0, 1.0))
    seen = View(90, (LEFT_HALF, corner)).apply(np.full((200, 100, 3), 255, np.uint8))
    assert seen.shape == (100, 200, 3)
    assert seen[:, :99].all()
    assert seen[95, 199].all()
    assert not seen[:80, 101:].any()


def test_a_camera_without_a_view_keeps_the_names_of_its_archive() -> None:
    """A field that changes no picture must not make files be read again."""
    plain: Any = Reader(camera(preset="archive"), *[None] * 3, jpeg_quality=90, deadline_s=5)  # pyright: ignore[reportArgumentType]
    turned: Any = Reader(camera(preset="archive", rotation=90), *[None] * 3, jpeg_quality=90, deadline_s=5)  # pyright: ignore[reportArgumentType]
    assert "rotation" not in plain._row
    assert "mask" not in plain._row
    assert plain._row != turned._row
