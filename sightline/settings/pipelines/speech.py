"""What reads speech."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from sightline.entry_points import SPEECH_ENGINES, OneOf
from sightline.settings.group import Count, Group, Seconds


class SpeechSettings(Group):
    """What workers of `transcribe` read recordings with; see `docs/how-to/transcribe.md`."""

    title = "Speech"

    speech_engine: Annotated[str, OneOf(("pocketsphinx", "whisper", "openai", "stub"), (SPEECH_ENGINES,))] = Field(
        "pocketsphinx",
        description="What reads speech: `pocketsphinx`, English, whose model comes with it; `whisper`, with weights of "
        "yours; `openai`, any server that speaks OpenAI's language; `stub` counts what is said, for tests.",
    )
    speech_model: str = Field(
        "",
        description="Of `whisper` a folder with the model in OpenVINO's format; of `openai` a name that the server "
        "knows.",
    )
    speech_url: str = Field(
        "",
        pattern=r"^($|https?://)",
        description="Of `openai`: where the server is, such as `http://127.0.0.1:8000/v1`.",
    )
    speech_api_key: SecretStr = Field(SecretStr(""), description="Key that is sent to that server.")
    speech_timeout_s: Seconds = Field(45, description="An answer of that server may take this long.")
    speech_calls_at_once: Count = Field(4, description="Requests to that server at once, of one worker.")
    speech_language: str = Field(
        "",
        pattern=r"^([a-z]{2,3})?$",
        description="Language of recordings that come without one, such as `en`. Empty: the engine decides.",
    )
    speech_shard_s: Seconds = Field(
        30,
        description="Long recordings are cut at a quiet place about every so many seconds, and read side by side.",
    )
    transcribe_concurrency: Count = Field(2, description="Bulk jobs, or pieces of them, a speech worker holds at once.")
