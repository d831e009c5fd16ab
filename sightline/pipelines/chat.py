"""`chat`: messages in, an answer out, token by token. What may be asked, and what comes of it."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, JsonValue

from sightline.types import ItemResult, Value

#: Of a setting for sampling: what an OpenAI client may send.
_Temperature = Annotated[float, Field(ge=0, le=2)]
_Share = Annotated[float, Field(gt=0, le=1)]
_Stop = Annotated[str, Field(min_length=1, max_length=256)]


class ChatOptions(Value):
    """How a question is to be answered. What is None is left to the model."""

    #: What the item's text is: what a user says, or the JSON of a list of messages as OpenAI's clients send it, in
    #: which `{"type": "part", "part": 1}` stands for the item's part 1, a picture or a sound.
    text_is: Literal["prompt", "messages"] = "prompt"
    model: Annotated[str, Field(min_length=1, max_length=255)] | None = None  #: None: the worker's first
    system: Annotated[str, Field(max_length=16_384)] | None = None  #: a first message of the role `system`
    max_tokens: Annotated[int, Field(ge=1)] | None = None  #: of the answer
    temperature: _Temperature | None = None
    top_p: _Share | None = None
    seed: int | None = None
    stop: Annotated[tuple[_Stop, ...], Field(max_length=8)] = ()  #: the answer ends before one of these
    #: Messages too long for the model: the answer is an error, or the oldest after the system's are left out.
    too_long: Literal["refuse", "leave_out_oldest"] = "refuse"
    tools: tuple[dict[str, JsonValue], ...] = ()
    tool_choice: JsonValue = None
    response_format: dict[str, JsonValue] | None = None  #: `{"type": "json_schema", "json_schema": {…}}`


class ChatResult(ItemResult):
    """An answer. None: there is none, as the question was refused, or the item failed."""

    answer: str | None = None
    #: What is wrong with the question, and what would do: whoever asked has to ask otherwise.
    refused: str | None = None
    #: `stop`: it was at its end; `length`: `max_tokens` or the model's context were reached.
    finish_reason: Literal["stop", "length", "tool_calls"] | None = None
    model: str | None = None
    prompt_tokens: Annotated[int, Field(ge=0)] | None = None
    answer_tokens: Annotated[int, Field(ge=0)] | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()

    @property
    def summary(self) -> str:
        return f"refused: {self.refused}" if self.refused else self.answer or ""


#: Where chat stages wait for work.
CHAT_QUEUE: Final = "gpu.chat"
