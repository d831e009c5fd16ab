"""Recognizers: `open_recognizer` and `open_plates_recognizer` load those the settings name."""

from __future__ import annotations

from sightline import entry_points
from sightline.errors import ModelError
from sightline.settings import ModelSettings
from workers.recognizers.recognizer import Recognizer

__all__ = ["Recognizer", "open_named_recognizer", "open_plates_recognizer", "open_recognizer"]


def open_plates_recognizer(settings: ModelSettings, text: Recognizer | None = None) -> Recognizer | None:
    """Load what `SIGHTLINE_PLATES_RECOGNIZER` names; None if that is the same as `SIGHTLINE_RECOGNIZER`.

    `text` is what is loaded for all text: what it can do for plates too is not loaded again.

    Raises:
        ModelError: its library or its weights are missing or damaged; says what to do about it.
        SettingsError: SIGHTLINE_PLATE_COUNTRIES names a country without formats.
    """
    name = settings.whole_plates_recognizer
    return None if name in ("", settings.recognizer) else open_named_recognizer(name, settings, text)


def open_named_recognizer(name: str, settings: ModelSettings, text: Recognizer | None = None) -> Recognizer:
    """Load what a pipeline reads with in place of `SIGHTLINE_RECOGNIZER`: ours for plates, or that of a package.

    `text` is what is loaded for all text: what it can do here too is not loaded again.

    Raises:
        ModelError: nothing has this name, or what it needs is missing or damaged; says what to do about it.
        SettingsError: SIGHTLINE_PLATE_COUNTRIES names a country without formats.
    """
    if name == "plates":
        from workers.recognizers.plates import open_plate_recognizer

        return open_plate_recognizer(settings)
    if name == "voted":
        from workers.recognizers.voted import open_voted_recognizer

        return open_voted_recognizer(settings, text)
    if (other := _of_a_package(name, settings)) is not None:
        return other
    raise ModelError(f"recognizer {name!r} is unknown; known are plates, voted and those of packages", model=name)


def open_recognizer(settings: ModelSettings) -> Recognizer:
    """Load the recognizer that `SIGHTLINE_RECOGNIZER` names.

    Raises:
        ModelError: its library or its weights are missing or damaged; says what to do about it.
    """
    if settings.recognizer == "stub":
        from sightline.testing import StubRecognizer

        return StubRecognizer()
    if (other := _of_a_package(settings.recognizer, settings)) is not None:
        return other
    if settings.recognizer == "paddleocr":
        from workers.recognizers.paddle import open_paddle_recognizer

        return open_paddle_recognizer(settings)
    from workers.recognizers.rapid import open_rapid_recognizer

    return open_rapid_recognizer(settings)


def _of_a_package(name: str, settings: ModelSettings) -> Recognizer | None:
    """The recognizer that a package brings under this name, if one does."""
    if name not in entry_points.found(entry_points.RECOGNIZERS):
        return None
    return entry_points.load(entry_points.RECOGNIZERS, name)(settings)
