"""What was said in a conversation before, put before a question; and the question noted with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from producers.api.access.auth import Caller
from producers.api.services import ApiServices
from sightline.chat.question import question_of
from sightline.chat.request import ChatMessage, ChatRequest
from sightline.errors import BadMessageError
from sightline.wire.messages import Job
from storage.conversations.conversations import SYSTEM_ROLES, Owner, forget_question, history_of, note_question

_MEDIA = {"image_url": "(a picture, which is not kept)", "input_audio": "(a recording, which is not kept)"}


def owner_of(caller: Caller, *, sees_all: bool = False) -> Owner:
    """Raises BadMessageError where no key was shown, whose conversations they would be."""
    if caller.key_id is None:
        raise BadMessageError("conversation: it is of an API key; send one", field="conversation")
    return Owner(caller.key_id, sees_all)


def with_history(
    asked: ChatRequest,
    fetched: Mapping[str, bytes],
    services: ApiServices,
    caller: Caller,
    idempotency_key: str | None,
) -> ChatRequest:
    """The question after what was said before. Where that is too long, the oldest messages are left out.

    Raises:
        ConversationNotFoundError: it is of another key.
        BadMessageError, BadImageError: a message is wrong, named by its place among those that were sent.
    """
    assert asked.conversation is not None
    question_of(asked, fetched, services.settings)
    said = history_of(services.database, asked.conversation, owner_of(caller).key_id, idempotency_key)
    before = [ChatMessage.model_validate(one) for one in said]
    system = [one for one in asked.messages[:-1] if one.role in SYSTEM_ROLES]
    if not system:  # what the model was told first goes on to hold
        system = [one for one in before if one.role in SYSTEM_ROLES][-1:]
    new = [one for one in asked.messages if one.role not in SYSTEM_ROLES or one is asked.messages[-1]]
    room = services.settings.max_text_mb * 1_000_000 - _size([*system, *new])
    kept: list[ChatMessage] = []
    for one in reversed([one for one in before if one.role not in SYSTEM_ROLES]):
        room -= _size([one])
        if room < 0:
            break
        kept.insert(0, one)
    while kept and kept[0].role == "tool":  # it would answer what is gone
        del kept[0]
    update = {"messages": [*system, *kept, *new], "too_long": asked.too_long or "leave_out_oldest"}
    return asked.model_copy(update=update)


def note(asked: ChatRequest, services: ApiServices, caller: Caller, job: Job, idempotency_key: str | None) -> bool:
    """Keep the messages as they were sent, without pictures and recordings. False if they were kept before."""
    assert asked.conversation is not None
    messages = [_kept(one) for one in asked.messages]
    source = job.frames[0].source_id
    owner = owner_of(caller)
    return note_question(services.database, asked.conversation, owner, source, messages, job.job_id, idempotency_key)


def forget(asked: ChatRequest, services: ApiServices, job: Job) -> None:
    """The question was not accepted."""
    assert asked.conversation is not None
    forget_question(services.database, asked.conversation, job.job_id)


def _size(messages: Sequence[ChatMessage]) -> int:
    return len(json.dumps([one.model_dump(mode="json", exclude_none=True) for one in messages]).encode())


def _kept(message: ChatMessage) -> dict[str, Any]:
    said = message.model_dump(mode="json", exclude_none=True)
    if isinstance(message.content, list):
        said["content"] = "\n".join(_text(part) for part in message.content)
    return said


def _text(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    return str(part.get("text", "")) if kind == "text" else _MEDIA.get(str(kind), "")
