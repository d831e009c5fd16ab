"""From a chat completion as it is asked for to what becomes a job of the pipeline `chat`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from sightline.chat.request import ChatMessage, ChatRequest
from sightline.chat.schemas import check_schemas
from sightline.errors import BadImageError, BadMessageError
from sightline.images.base64_images import open_base64
from sightline.images.header import ImageLimits, check_image
from sightline.pipelines.chat import ChatOptions
from sightline.settings import AcceptedSettings, ChatSettings, Settings
from sightline.submission.jobs import NewFrame, NewItem
from sightline.submission.sounds import NewSound
from sightline.submission.texts import NewText
from sightline.types import MAX_PARTS

_PARTS: Final = (
    'must be {"type": "text", "text": …}, {"type": "image_url", "image_url": {"url": …}} '
    'or {"type": "input_audio", "input_audio": {"data": …}}'
)
_SAME: Final = ("temperature", "top_p", "seed", "tools", "tool_choice", "response_format", "too_long")


class Question(NamedTuple):
    """What is submitted together as one item: the messages, then their pictures and sounds; and the options."""

    items: list[NewItem]
    options: dict[str, Any]


def urls_of(asked: ChatRequest) -> list[str]:
    """The pictures of a question that have to be fetched, each once."""
    urls = (part.url for _, part in _media(asked) if part.medium == "image")
    return list(dict.fromkeys(url for url in urls if url[:5].lower() != "data:"))


def question_of(asked: ChatRequest, fetched: Mapping[str, bytes], settings: Settings) -> Question:
    """Checks everything that can be known of a question before a model sees it.

    Args:
        fetched: what is behind each of `urls_of`.

    Raises:
        BadMessageError, BadImageError: naming the field by its place, its value and what would do.
    """
    asked.refuse_unsupported()
    check_schemas(asked)
    options = _options(asked, settings)
    items: list[NewItem] = []
    messages = [_message(number, message, items, fetched, settings) for number, message in enumerate(asked.messages)]
    if len(items) >= MAX_PARTS:
        raise BadMessageError(
            f"messages: {len(items)} pictures and sounds, at most {MAX_PARTS - 1} go in a question", field="messages"
        )
    text = json.dumps(messages, ensure_ascii=False)
    _check_size(text, settings.max_text_mb)
    return Question([NewText(text, datetime.now(UTC), "messages", time_from="received"), *items], options)


def _check_size(text: str, max_mb: float) -> None:
    size_mb = len(text.encode(errors="surrogatepass")) / 1_000_000
    if size_mb > max_mb:
        raise BadMessageError(
            f"messages: {size_mb:.1f} MB of text, at most {max_mb:g} MB; shorten it, or raise SIGHTLINE_MAX_TEXT_MB",
            field="messages",
        )


class _Medium(NamedTuple):
    medium: str
    url: str


def _media(asked: ChatRequest) -> Iterator[tuple[str, _Medium]]:
    """The pictures and sounds of all messages, each with its place. Raises BadMessageError: a content is none."""
    for number, message in enumerate(asked.messages):
        for place, part in _parts(number, message):
            if isinstance(part, _Medium):
                yield place, part


def _parts(number: int, message: ChatMessage) -> Iterator[tuple[str, str | _Medium]]:
    """What a message consists of, each with its place."""
    where, content = f"messages.{number}.content", message.content
    if content is None and message.tool_calls:
        return
    if isinstance(content, str):
        yield where, content
        return
    if not isinstance(content, list):
        raise BadMessageError(f"{where}: must be a text or a list of parts (got {content!r:.80})", field=where)
    for position, part in enumerate(content):
        place = f"{where}.{position}"
        match part:
            case {"type": "text", "text": str(text)}:
                yield place, text
            case {"type": "image_url", "image_url": {"url": str(url)}}:
                yield place, _Medium("image", url)
            case {"type": "input_audio", "input_audio": {"data": str(data)}}:
                yield place, _Medium("audio", data)
            case _:
                raise BadMessageError(f"{place}: {_PARTS} (got {part!r:.80})", field=place)


def _message(
    number: int,
    message: ChatMessage,
    items: list[NewItem],
    fetched: Mapping[str, bytes],
    settings: AcceptedSettings,
) -> dict[str, Any]:
    """The message as the chat stage reads it: pictures and sounds, which are added to `items`, by their number."""
    said = message.model_dump(mode="json", exclude_none=True, exclude={"content"})
    if isinstance(message.content, str):
        return said | {"content": message.content}
    content: list[dict[str, Any]] = []
    for place, part in _parts(number, message):
        if isinstance(part, str):
            content.append({"type": "text", "text": part})
            continue
        items.append(_new_item(place, part, fetched, settings))
        content.append({"type": "part", "part": len(items)})
    return said | ({"content": content} if content or not message.tool_calls else {})


def _new_item(place: str, part: _Medium, fetched: Mapping[str, bytes], settings: AcceptedSettings) -> NewItem:
    if part.medium == "audio":
        data = open_base64(part.url, place, settings.max_sound_mb)
        return NewSound(data, datetime.now(UTC), place, time_from="received")
    limits = ImageLimits.of(settings)
    data = fetched[part.url] if part.url in fetched else open_base64(part.url, place, limits.max_mb)
    try:
        frame = NewFrame.photo(data, place, limits=limits)
        check_image(frame.data, max_mb=limits.max_mb, max_mpx=limits.max_mpx)
    except BadImageError as error:
        raise BadImageError(f"{place}: {error}") from error
    return frame


def _options(asked: ChatRequest, settings: ChatSettings) -> dict[str, Any]:
    stop = [asked.stop] if isinstance(asked.stop, str) else asked.stop
    given = {name: getattr(asked, name) for name in _SAME} | {
        "model": None if asked.model in ("default", settings.chat_model_name) else asked.model,
        "max_tokens": asked.max_completion_tokens or asked.max_tokens,
        "stop": stop,
    }
    options = {name: value for name, value in given.items() if value not in (None, [])} | {"text_is": "messages"}
    try:
        ChatOptions.model_validate(options)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise BadMessageError(f"{field}: {first['msg']} (got {first.get('input')!r:.80})", field=field) from error
    return options
