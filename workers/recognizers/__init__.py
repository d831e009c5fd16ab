"""Recognizers: `open_recognizer` loads the one the settings name."""

from __future__ import annotations

from sightline.settings import Settings
from workers.recognizers.recognizer import Recognizer

__all__ = ["Recognizer", "open_recognizer"]


def open_recognizer(settings: Settings) -> Recognizer:
    """Load the recognizer that `SIGHTLINE_RECOGNIZER` names.

    Raises:
        ModelError: its library or its weights are missing or damaged; says what to do about it.
    """
    if settings.recognizer == "stub":
        from sightline.testing import StubRecognizer

        return StubRecognizer()
    if settings.recognizer == "paddleocr":
        from workers.recognizers.paddle import open_paddle_recognizer

        return open_paddle_recognizer(settings)
    from workers.recognizers.rapid import open_rapid_recognizer

    return open_rapid_recognizer(settings)
