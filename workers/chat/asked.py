"""The messages of an item, as OpenAI's clients send them: what its text, its pictures and its options come to."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from sightline.errors import FrameMissingError
from sightline.images.header import format_of
from sightline.pipelines.chat import ChatOptions
from sightline.types import Item
from workers.chat.engine import BadQuestionError, Message

#: A picture as the model is shown it.
Show = Callable[[bytes], bytes]

_ROLES: Final = ("system", "developer", "user", "assistant", "tool")


def _as_it_is(picture: bytes) -> bytes:
    return picture


def messages_of(
    item: Item, blobs: Mapping[str, bytes | None], options: ChatOptions, show: Show = _as_it_is
) -> list[Message]:
    """What a model is asked. `blobs`: the item's parts by their keys.

    Raises:
        BadImageError: a picture cannot be shown.
        BadQuestionError: it asks nothing, or not in a way that can be understood; names what is wrong.
        FrameMissingError: a part is gone.
    """
    media = item.media
    texts = [_text(item, number, blobs) for number, medium in enumerate(media) if medium == "text"]
    if not any(text.strip() for text in texts):
        raise BadQuestionError("text: there is none; a question needs one, pictures alone ask nothing")
    messages: list[Message]
    if options.text_is == "messages":
        messages = [_with_parts(one, item, blobs, show) for one in _parsed(texts)]
    else:
        pictures = [picture_part(item, number, blobs, show) for number, medium in enumerate(media) if medium == "image"]
        text = "\n\n".join(texts)
        messages = [{"role": "user", "content": [{"type": "text", "text": text}, *pictures] if pictures else text}]
    system = [{"role": "system", "content": options.system}] if options.system else []
    return [*system, *messages]


def _parsed(texts: list[str]) -> list[dict[str, Any]]:
    """Raises BadQuestionError where it is no list of messages."""
    try:
        found = json.loads(texts[0])
    except ValueError as error:
        raise BadQuestionError(f"messages: no JSON: {error}"[:300]) from error
    if not isinstance(found, list) or not found:
        raise BadQuestionError("messages: an empty list, or none; give at least one message")
    for number, one in enumerate(found):
        if not isinstance(one, dict) or one.get("role") not in _ROLES:
            raise BadQuestionError(f"messages.{number}.role: one of {', '.join(_ROLES)} expected")
        content = one.get("content")
        if not isinstance(content, str | list) and not one.get("tool_calls"):
            raise BadQuestionError(f"messages.{number}.content: a text or a list of parts expected")
    return found


def _with_parts(message: dict[str, Any], item: Item, blobs: Mapping[str, bytes | None], show: Show) -> dict[str, Any]:
    """The message with the item's parts where it refers to them."""
    content = message.get("content")
    if not isinstance(content, list):
        return message
    parts = [picture_part(item, one.get("part"), blobs, show) if _is_reference(one) else one for one in content]
    return message | {"content": parts}


def _is_reference(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "part"


def _text(item: Item, number: int, blobs: Mapping[str, bytes | None]) -> str:
    part = item.parts[number]
    if part.text is not None:
        return part.text
    try:
        return _bytes(item, number, blobs).decode()
    except UnicodeDecodeError as error:
        raise BadQuestionError(f"text: {part.key} is no UTF-8: {error}"[:300]) from error


def picture_part(
    item: Item, number: object, blobs: Mapping[str, bytes | None], show: Show = _as_it_is
) -> dict[str, Any]:
    """The item's part `number` as OpenAI's clients send pictures. Raises as `messages_of`."""
    if not isinstance(number, int) or not 0 <= number < len(item.media) or item.media[number] != "image":
        raise BadQuestionError(f"messages: part {number!r} is no picture of this item")
    data = _bytes(item, number, blobs)
    kind = format_of(data)
    if kind is None:
        raise BadQuestionError(f"part {number}: starts with {data[:8]!r}, which is no JPEG, PNG or WebP")
    shown = show(data)
    url = f"data:image/{format_of(shown)};base64,{base64.b64encode(shown).decode()}"
    return {"type": "image_url", "image_url": {"url": url}}


def _bytes(item: Item, number: int, blobs: Mapping[str, bytes | None]) -> bytes:
    key = item.parts[number].key if item.parts else item.frame_id
    data = blobs.get(key or "")
    if data is None:
        text = f"part {key} is not in the frame store (never put there, or its TTL is over)"
        raise FrameMissingError(text, frame_id=item.frame_id)
    return data
