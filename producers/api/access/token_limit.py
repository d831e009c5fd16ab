"""How many tokens a minute a key may have read and answered; what it asks is counted before it is accepted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

from producers.api.access.auth import Caller
from producers.api.services import ApiServices
from sightline.chat.token_budget import Estimate, Taken, TokenBudget, estimate_of
from sightline.errors import BadMessageError, TokensUsedError
from sightline.pipelines import registry
from sightline.pipelines.chat import CHAT_QUEUE
from sightline.types import FrameRef
from sightline.wire.messages import Job

#: As OpenAI's servers name them, and as their clients read them.
LIMIT: Final = "x-ratelimit-limit-tokens"
REMAINING: Final = "x-ratelimit-remaining-tokens"
RESET: Final = "x-ratelimit-reset-tokens"


class Published(NamedTuple):
    refused: tuple[FrameRef, ...]
    headers: Mapping[str, str]  #: how the key's tokens stand; empty: they are not limited


def publish_for(caller: Caller, services: ApiServices, job: Job, blobs: Mapping[str, bytes]) -> Published:
    """Publish a job as `Publisher.publish` does, within the tokens a minute of whose it is.

    Raises what that raises; further:
        BadMessageError: it asks for more than the key has in a minute.
        TokensUsedError: the key has asked for too much in the last minute; nothing was published.
    """
    limit = caller.tokens_per_minute
    if limit is None:
        limit = services.settings.chat_tokens_per_minute
    if not limit or caller.key_id is None or not _is_for_models(job):
        return Published(services.publisher.publish(job, blobs), {})
    estimate = estimate_of(job, blobs, services.settings.chat_answer_tokens)
    tokens = _tokens_within(estimate, limit, caller)
    budget = TokenBudget(services.redis)
    taken = budget.take(caller.key_id, job.job_id, tokens, limit)
    headers = _headers(taken, limit)
    if taken.wait_s:
        raise TokensUsedError(
            f"API key {caller.name!r}: {limit} tokens a minute, of which {taken.left} are left, and this one takes "
            f"about {tokens} with its answer; ask again in {math.ceil(taken.wait_s)} s, with a lower max_tokens, or "
            "have the limit raised (python -m storage limit-key)",
            retry_after_s=taken.wait_s,
            headers=headers,
        )
    try:
        refused = services.publisher.publish(job, blobs)
    except BaseException:
        budget.give_back(job.job_id)
        raise
    if len(refused) == len(job.frames):
        budget.give_back(job.job_id)
    return Published(refused, headers)


def _is_for_models(job: Job) -> bool:
    """Whether a language model reads it."""
    return any(stage.queue == CHAT_QUEUE for stage in registry().get(job.pipeline).stages)


def _tokens_within(estimate: Estimate, limit: int, caller: Caller) -> int:
    """Raises BadMessageError: it would have to wait for ever."""
    tokens = estimate.prompt + estimate.answer
    if tokens <= limit:
        return tokens
    if estimate.prompt < limit and not estimate.is_answer_said:
        return limit
    field = "max_tokens" if estimate.prompt < limit else "messages"
    raise BadMessageError(
        f"{field}: about {estimate.prompt} tokens are asked and up to {estimate.answer} answered, and API key "
        f"{caller.name!r} has {limit} a minute; ask for less, or have the limit raised (python -m storage limit-key)",
        field=field,
    )


def _headers(taken: Taken, limit: int) -> dict[str, str]:
    return {LIMIT: str(limit), REMAINING: str(taken.left), RESET: f"{taken.full_in_s:g}s"}
