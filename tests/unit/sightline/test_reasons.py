"""Every reason a worker gives is explained."""

from __future__ import annotations

import re
from pathlib import Path

from sightline import errors
from sightline.wire.reasons import EXPLANATIONS, explain

ROOT = Path(__file__).parents[3]


def test_every_reason_of_a_dead_letter_is_explained() -> None:
    given = {
        errors.BadImageError,
        errors.BadMessageError,
        errors.BadSoundError,
        errors.FrameMissingError,
        errors.ModelError,
    }
    reasons = {error.reason for error in given}
    for path in [*(ROOT / "workers").rglob("*.py"), ROOT / "sightline/delivery/sweeper.py"]:
        reasons |= set(re.findall(r'\breason ?= ?"(\w+)"', path.read_text("utf-8")))
    assert reasons == EXPLANATIONS.keys()


def test_an_unknown_reason_points_to_the_message() -> None:
    assert "message" in explain("struck_by_lightning")
