"""An answer, as OpenAI's clients read it: whole, or as the chunks of a stream."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sightline.chat.lookups.named import Found
from sightline.pipelines.chat import ChatResult

FinishReason = Literal["stop", "length", "tool_calls"]


class CompletionMessage(BaseModel):
    """What a model says."""

    role: Literal["assistant"] = "assistant"
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class CompletionChoice(BaseModel):
    """The answer; there is one."""

    index: int = 0
    message: CompletionMessage
    finish_reason: FinishReason


class CompletionUsage(BaseModel):
    """Tokens, as the model counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


def _is_none(given: object) -> bool:
    return given is None


class ChatCompletion(BaseModel):
    """An answer. `id` is `chatcmpl-` and the id of its job."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "chatcmpl-9b2d7f0c4e6a18355d90c1aa7e42f6b3",
                "object": "chat.completion",
                "created": 1767312000,
                "model": "smollm2",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "The capital of France is Paris."},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 37, "completion_tokens": 8, "total_tokens": 45},
            }
        }
    )

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int  #: epoch seconds
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage | None = None
    #: What was looked up for it, where that was asked for.
    lookups: Annotated[list[Found] | None, Field(exclude_if=_is_none)] = None


def completion_of(
    answer: ChatResult, job_id: str, *, model: str, created: int, lookups: list[Found] | None = None
) -> ChatCompletion:
    """The whole answer. `model`: the one that was asked, where the answer does not say it."""
    message = CompletionMessage(content=answer.answer, tool_calls=list(answer.tool_calls) or None)
    choice = CompletionChoice(message=message, finish_reason=answer.finish_reason or "stop")
    return ChatCompletion(
        id=f"chatcmpl-{job_id}",
        created=created,
        model=answer.model or model,
        choices=[choice],
        usage=usage_of(answer),
        lookups=lookups,
    )


def usage_of(answer: ChatResult) -> CompletionUsage | None:
    """None: who answered did not count."""
    if answer.prompt_tokens is None or answer.answer_tokens is None:
        return None
    prompt, completion = answer.prompt_tokens, answer.answer_tokens
    return CompletionUsage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


class Chunks:
    """The chunks of one streamed answer, in their order: pieces, then the end."""

    def __init__(
        self, job_id: str, *, model: str, created: int, include_usage: bool, lookups: list[Found] | None = None
    ) -> None:
        """`lookups`: what was looked up, told with the first one."""
        self._head = {
            "id": f"chatcmpl-{job_id}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
        }
        self._usage = {"usage": None} if include_usage else {}
        self._first = {} if lookups is None else {"lookups": [one.model_dump(mode="json") for one in lookups]}
        self._has_begun = False

    def piece(self, text: str) -> dict[str, Any]:
        return self._chunk({"content": text}, None)

    def end(self, answer: ChatResult) -> list[dict[str, Any]]:
        """The last ones: calls of tools, why it ended, and what it cost where that is wanted."""
        chunks: list[dict[str, Any]] = []
        if answer.tool_calls or not self._has_begun:
            calls = [{"index": number, **call} for number, call in enumerate(answer.tool_calls)]
            chunks.append(self._chunk({"tool_calls": calls} if calls else {"content": ""}, None))
        chunks.append(self._chunk({}, answer.finish_reason or "stop"))
        usage = usage_of(answer)
        if self._usage and usage is not None:
            chunks.append({**self._head, "choices": [], "usage": usage.model_dump()})
        return chunks

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
        role = {} if self._has_begun else {"role": "assistant"}
        first = {} if self._has_begun else self._first
        self._has_begun = True
        choice = {"index": 0, "delta": role | delta, "finish_reason": finish_reason}
        return {**self._head, "choices": [choice], **self._usage, **first}
