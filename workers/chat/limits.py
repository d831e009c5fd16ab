"""How much a model can be asked: prompts that fit its context, by whichever rule the question says."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from sightline.pipelines.chat import ChatOptions
from workers.chat.engine import BadQuestionError, Message


def fitting(
    messages: Sequence[Message], options: ChatOptions, count: Callable[[Sequence[Message]], int], context_tokens: int
) -> tuple[Sequence[Message], int, int]:
    """Messages that leave room for an answer, how many tokens they are, and how many the answer may be.

    Raises:
        BadQuestionError: they do not, and the question does not say that the oldest may be left out.
    """
    left, tokens = list(messages), count(messages)
    if tokens >= context_tokens:
        if options.too_long == "refuse":
            raise BadQuestionError(
                f"messages: {tokens} tokens, and the model has room for {context_tokens} with the answer; ask with "
                'fewer, or say "too_long": "leave_out_oldest"'
            )
        left = _newest(messages, lambda some: count(some) < context_tokens)
        tokens = count(left)
    if tokens >= context_tokens:
        raise BadQuestionError(
            f"messages: the last one and the system's alone are {tokens} tokens, and the model has room for "
            f"{context_tokens} with the answer; ask with a shorter one, or another model"
        )
    room = context_tokens - tokens
    return left, tokens, min(options.max_tokens or room, room)


def _newest(messages: Sequence[Message], fits: Callable[[Sequence[Message]], bool]) -> list[Message]:
    """The system's messages and as many of the newest others as fit, at least the last."""

    others = [number for number, one in enumerate(messages) if one["role"] not in ("system", "developer")]

    def without(oldest: int) -> list[Message]:
        kept = others[oldest:]
        while len(kept) > 1 and messages[kept[0]]["role"] == "tool":  # it would answer what is gone
            del kept[0]
        gone = set(others) - set(kept)
        return [one for number, one in enumerate(messages) if number not in gone]

    least = bisect_left(range(max(0, len(others) - 1)), True, key=lambda oldest: fits(without(oldest)))
    return without(least)
