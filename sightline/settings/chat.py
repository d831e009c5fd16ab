"""What answers questions, and how much of it at once."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sightline.settings.group import Count, Group


class ChatSettings(Group):
    """What workers of `chat` answer with."""

    title = "Chat"

    chat_engine: Literal["openvino", "openai", "stub"] = Field(
        "openvino",
        description="What answers: `openvino`, a model in the worker; `openai`, any server that speaks OpenAI's "
        "language; `stub` says back what it is asked, for tests.",
    )
    chat_model: str = Field(
        "smollm2",
        description="The model: a name of the model registry; of `openai`, a name that the server knows.",
    )
    chat_concurrency: Count = Field(
        32, description="Bulk jobs that a chat worker holds at once; others get 25 % extra threads."
    )
    chat_max_in_engine: Count = Field(32, description="Answers that are worked on at once, at most.")
