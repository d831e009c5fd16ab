"""Which engine the settings name."""

from __future__ import annotations

from sightline import entry_points
from sightline.settings import Settings
from workers.speech.engine import SpeechEngine


def open_engine(settings: Settings) -> SpeechEngine:
    """Load the engine that `SIGHTLINE_SPEECH_ENGINE` names.

    Raises:
        ModelError: its library or its weights are missing; says what to do about it.
        SettingsError: it needs a setting that is not given.
    """
    name = settings.speech_engine
    if name in entry_points.found(entry_points.SPEECH_ENGINES):
        return entry_points.load(entry_points.SPEECH_ENGINES, name)(settings)
    if name == "stub":
        from workers.speech.stub import StubEngine

        return StubEngine()
    if name == "openai":
        from workers.speech.openai import open_openai

        return open_openai(settings)
    if name == "whisper":
        from workers.speech.whisper import open_whisper

        return open_whisper(settings)
    from workers.speech.pocketsphinx import open_pocketsphinx

    return open_pocketsphinx(settings)
