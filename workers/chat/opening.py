"""Opens the engine that the settings name. Its library is imported here and nowhere before."""

from __future__ import annotations

from sightline.settings import Settings
from workers.chat.engine import ChatEngine


def open_engine(settings: Settings) -> ChatEngine:
    """Ready for its first question.

    Raises:
        ModelError: the model is unknown, missing, damaged or too large.
        SettingsError: a setting of the engine is missing, or its library.
    """
    from workers.chat.stub import StubEngine

    return StubEngine.from_settings(settings)
