"""A chat completion, as OpenAI's clients ask for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

from sightline.errors import BadMessageError
from sightline.types import Lane

_PART_SCHEMA: Final = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"type": "string", "enum": ["text", "image_url", "input_audio"]},
        "text": {"type": "string"},
        "image_url": {"type": "object", "required": ["url"], "properties": {"url": {"type": "string"}}},
        "input_audio": {"type": "object", "required": ["data"], "properties": {"data": {"type": "string"}}},
    },
}
#: Looked at by `sightline.chat.question`, which names what is wrong by its place.
_Content = Annotated[
    JsonValue,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": _PART_SCHEMA}, {"type": "null"}]}),
]

#: What is not done, by name: the values that ask for nothing, and what to do.
_UNSUPPORTED: Final[Mapping[str, tuple[tuple[Any, ...], str]]] = {
    "n": ((1,), "one answer is given; ask again for another"),
    "logprobs": ((False,), "likelihoods are not told; leave it out"),
    "top_logprobs": ((0,), "likelihoods are not told; leave it out"),
    "presence_penalty": ((0,), "there is no such penalty; leave it out"),
    "frequency_penalty": ((0,), "there is no such penalty; leave it out"),
    "logit_bias": (({},), "tokens cannot be weighted; leave it out"),
    "modalities": ((["text"],), "answers are text; leave it out"),
    "audio": ((), "answers are text; leave it out"),
    "functions": (([],), "give them as `tools`"),
    "function_call": (("none", "auto"), "give it as `tool_choice`"),
    "prediction": ((), "leave it out"),
    "web_search_options": ((), "nothing is searched; leave it out"),
}


class ChatMessage(BaseModel):
    """One message of a conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: _Content = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class StreamOptions(BaseModel):
    """What a stream tells beside its pieces."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A question. What it does not know and OpenAI's clients may send, such as `user`, is passed over."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "model": "smollm2",
                "messages": [{"role": "user", "content": "What is the capital of France?"}],
                "max_tokens": 64,
            }
        },
    )

    model: Annotated[
        str, Field(min_length=1, max_length=255, description="As `/v1/models` lists it; `default`: whichever there is.")
    ]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2048)]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, description="The older name of `max_completion_tokens`.")] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int | None = None
    stop: Annotated[
        JsonValue,
        WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
        Field(description="The answer ends before one of these texts, at most 8."),
    ] = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Annotated[JsonValue, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})] = None
    response_format: dict[str, Any] | None = None
    stream: Annotated[bool | None, Field(description="Send the answer as it comes, as server-sent events.")] = None
    stream_options: StreamOptions | None = None
    service_tier: Annotated[
        Literal["auto", "default", "flex", "priority"] | None,
        Field(description="`flex` is the bulk lane: answered when nobody else waits."),
    ] = None
    too_long: Annotated[
        Literal["refuse", "leave_out_oldest"] | None,
        Field(description="Of messages that the model has no room for: refuse them, or leave out the oldest."),
    ] = None
    lookups: Annotated[
        bool,
        Field(description="Look up what is stored, where the last message asks that; see `/v1/lookups/of-question`."),
    ] = False
    asked_at: Annotated[
        AwareDatetime | None, Field(description="For `lookups`: the time of who asks, with its zone.")
    ] = None
    conversation: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
            description="An id of your choice: what was said under it before is put before `messages`, and these are "
            "kept with their answer.",
        ),
    ] = None
    background: Annotated[
        bool, Field(description="Go on with the answer when the client goes away; its job keeps it.")
    ] = False

    @property
    def lane(self) -> Lane:
        return Lane.BULK if self.service_tier == "flex" else Lane.INTERACTIVE

    def question(self) -> str:
        """The text of the last message, if a user says it."""
        last = self.messages[-1]
        if last.role != "user":
            return ""
        if isinstance(last.content, str):
            return last.content
        parts = last.content if isinstance(last.content, list) else []
        return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("type") == "text")

    def with_question(self, text: str) -> Self:
        """The same with another text in the last message; its pictures stay."""
        last = self.messages[-1]
        media = [
            part
            for part in (last.content if isinstance(last.content, list) else [])
            if not (isinstance(part, dict) and part.get("type") == "text")
        ]
        content: JsonValue = [{"type": "text", "text": text}, *media] if media else text
        messages = [*self.messages[:-1], last.model_copy(update={"content": content})]
        return self.model_copy(update={"messages": messages})

    def refuse_unsupported(self) -> None:
        """What changes an answer and is not done must not be passed over.

        Raises:
            BadMessageError: naming it, and what to do.
        """
        for name, value in (self.model_extra or {}).items():
            nothing, cure = _UNSUPPORTED.get(name, ((value,), ""))
            if value is not None and value not in nothing:
                raise BadMessageError(f"{name}: {value!r:.80} is not supported; {cure}", field=name)
