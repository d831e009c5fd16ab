"""How much a model can be asked: prompts that fit its context, by whichever rule the question says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from sightline.pipelines.chat import ChatOptions
from workers.chat.engine import BadQuestionError, Message

Count = Callable[[Sequence[Message]], int]

#: Room for an answer that does not say how long it may be, where the oldest messages are left out to make it.
_USUAL_ANSWER: Final = 256


class Fitted(NamedTuple):
    messages: Sequence[Message]
    prompt_tokens: int
    answer_tokens: int  #: so many there may be


def fitting(messages: Sequence[Message], options: ChatOptions, count: Count, context_tokens: int) -> Fitted:
    """Messages that leave room for an answer.

    Raises:
        BadQuestionError: they do not, and the question does not say that the oldest may be left out.
    """
    tokens = count(messages)
    if tokens >= context_tokens:
        if options.too_long == "refuse":
            raise BadQuestionError(
                f"messages: {tokens} tokens, and the model has room for {context_tokens} with the answer; ask with "
                'fewer, or say "too_long": "leave_out_oldest"'
            )
        answer = min(options.max_tokens or _USUAL_ANSWER, context_tokens // 2)
        messages = _newest(messages, count, context_tokens - answer)
        tokens = count(messages)
    if tokens >= context_tokens:
        raise BadQuestionError(
            f"messages: the last one and the system's alone are {tokens} tokens, and the model has room for "
            f"{context_tokens} with the answer; ask with a shorter one, or another model"
        )
    room = context_tokens - tokens
    return Fitted(messages, tokens, min(options.max_tokens or room, room))


def _newest(messages: Sequence[Message], count: Count, room: int) -> list[Message]:
    """The system's messages, the last one, and as many before it as fit. Of the others none is counted."""
    system = [one for one in messages[:-1] if one["role"] in ("system", "developer")]
    others = [one for one in messages[:-1] if one not in system]
    kept = [messages[-1]]
    room -= count([*system, *kept])
    for one in reversed(others):
        room -= count([one])
        if room < 0:
            break
        kept.insert(0, one)
    while len(kept) > 1 and kept[0]["role"] == "tool":  # it would answer what is gone
        del kept[0]
    return [*system, *kept]
