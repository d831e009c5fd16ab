"""Messages for models that read text alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workers.chat.engine import BadQuestionError, Message


def as_texts(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages with one text each. Raises BadQuestionError where one holds something else."""
    return [
        {"role": "system" if one["role"] == "developer" else one["role"], "content": _text(number, one)}
        for number, one in enumerate(messages)
    ]


def _text(number: int, message: Message) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    texts: list[str] = []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else part
        if kind != "text" or not isinstance(part.get("text"), str):
            what = "pictures" if kind == "image_url" else f"{kind!r:.40}"
            raise BadQuestionError(f"messages.{number}.content: this model sees no {what}; it reads text alone")
        texts.append(part["text"])
    return "\n".join(texts)
