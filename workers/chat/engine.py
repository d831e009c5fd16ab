"""What a chat engine is. No implementation here, so that stage and tests can import the contract alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sightline.errors import JobCancelledError, PoisonError
from sightline.pipelines.chat import ChatOptions
from sightline.wire.models import LoadedModel

#: `{"text": "…"}` or `{"tool_calls": […]}`
Piece = Mapping[str, Any]
Message = Mapping[str, Any]  #: as OpenAI's clients send it


class BadQuestionError(PoisonError):
    """A question that this model cannot be asked; the text says what would do."""

    reason = "bad_question"


def _tell_nobody(_: Piece) -> None: ...


@dataclass(eq=False)
class Question:
    """What an engine is asked. Whoever asks may call it off, at any time and from any thread."""

    messages: Sequence[Message]
    options: ChatOptions = field(default_factory=ChatOptions)
    #: Told each piece of the answer as it comes, by the engine's own thread: it returns at once. An empty one says that
    #: the engine is at it, where the first piece takes long.
    tell: Callable[[Piece], None] = _tell_nobody
    gives_way: bool = False  #: bulk: it may stand still while others are answered
    _called_off: threading.Event = field(default_factory=threading.Event)
    _then: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    def call_off(self) -> None:
        """Nobody wants the answer any more: the engine ends it within a step."""
        self._called_off.set()
        for act in self._then:
            act()

    def when_called_off(self, act: Callable[[], None]) -> None:
        """Have this done then, or now if it was; perhaps twice."""
        self._then.append(act)
        if self.is_called_off:
            act()

    @property
    def is_called_off(self) -> bool:
        return self._called_off.is_set()

    def check(self) -> None:
        """Raises JobCancelledError where it was called off."""
        if self.is_called_off:
            raise JobCancelledError("the question was called off")


@dataclass(frozen=True)
class Answer:
    text: str
    finish_reason: Literal["stop", "length", "tool_calls"]
    model: str
    prompt_tokens: int | None = None  #: None: a server did not say it
    answer_tokens: int | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()


class ChatEngine(Protocol):
    """Works on as many questions at once as `most_at_once` says; whoever gives it more waits for it."""

    @property
    def model(self) -> LoadedModel: ...

    @property
    def most_at_once(self) -> int:
        """May change, where a server says what it takes."""
        ...

    @property
    def lets_stand(self) -> bool:
        """Whether questions that give way stand still while others are answered, so that they are in nobody's way."""
        ...

    def begin(self, question: Question) -> Future[Answer]:
        """Take a question; returns at once. Any thread may ask.

        The future may raise `JobCancelledError` (it was called off), `BadQuestionError`, or `RetryableError`.

        Raises:
            BadQuestionError: it cannot be asked like this.
        """
        ...

    def close(self) -> None:
        """End what is under way, and free the model."""
        ...
