"""Opens the engine that the settings name. Its library is imported here and nowhere before."""

from __future__ import annotations

from sightline.errors import SettingsError
from sightline.settings import Settings
from workers.chat.engine import ChatEngine


def open_engine(settings: Settings) -> ChatEngine:
    """Ready for its first question.

    Raises:
        ModelError: the model is unknown, missing, damaged or cannot be opened.
        SettingsError: a setting of the engine is missing, its library, or the memory for the model.
    """
    if settings.chat_sees_pictures and settings.chat_engine != "openai":
        raise SettingsError(
            f"SIGHTLINE_CHAT_SEES_PICTURES: {settings.chat_engine} reads text alone; take SIGHTLINE_CHAT_ENGINE=openai "
            "and a server with a model that sees, or leave it out"
        )
    if settings.chat_engine == "openvino":
        from workers.chat.openvino.engine import OpenVinoEngine

        return OpenVinoEngine.from_settings(settings)
    if settings.chat_engine == "openai":
        from workers.chat.openai.engine import OpenAiEngine

        return OpenAiEngine.from_settings(settings)
    from workers.chat.stub import StubEngine

    return StubEngine.from_settings(settings)
