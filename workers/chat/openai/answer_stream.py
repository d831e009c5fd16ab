"""An answer, from the chunks in which servers that speak OpenAI's language stream it."""

from __future__ import annotations

from typing import Any, Literal

from workers.chat.engine import Answer, Question


class NoChunkError(Exception):
    """What came is no piece of an answer; the text shows it."""


class AnswerStream:
    """Tells each piece as it comes."""

    def __init__(self, question: Question, model: str) -> None:
        self._question = question
        self._model = model
        self._texts: list[str] = []
        self._calls: dict[int, dict[str, Any]] = {}
        self._reason: str | None = None
        self._usage: dict[str, Any] = {}

    @property
    def has_begun(self) -> bool:
        return bool(self._texts or self._calls)

    @property
    def is_whole(self) -> bool:
        return self._reason is not None

    @property
    def answer(self) -> Answer:
        finish_reason: Literal["stop", "length", "tool_calls"] = "stop"
        if self._reason == "length":
            finish_reason = "length"
        elif self._calls:
            finish_reason = "tool_calls"
        return Answer(
            text="".join(self._texts),
            finish_reason=finish_reason,
            model=self._model,
            prompt_tokens=self._usage.get("prompt_tokens"),
            answer_tokens=self._usage.get("completion_tokens"),
            tool_calls=tuple(call for _, call in sorted(self._calls.items())),
        )

    def take(self, chunk: dict[str, Any]) -> None:
        """Raises NoChunkError where it is none."""
        try:
            if error := chunk.get("error"):
                raise NoChunkError(f"the error {error!r:.200}")
            self._usage = chunk.get("usage") or self._usage
            self._model = chunk.get("model") or self._model
            for choice in chunk.get("choices") or ():
                self._take(choice.get("delta") or {})
                self._reason = choice.get("finish_reason") or self._reason
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise NoChunkError(f"a stream with {chunk!r:.80}") from error

    def take_whole(self, completion: dict[str, Any]) -> None:
        """An answer that did not come as a stream. Raises NoChunkError where it is none."""
        try:
            choices = [{**one, "delta": one["message"]} for one in completion["choices"]]
        except (TypeError, KeyError) as error:
            raise NoChunkError(f"{completion!r:.80}") from error
        self.take({**completion, "choices": choices})

    def _take(self, delta: dict[str, Any]) -> None:
        if text := delta.get("content"):
            self._texts.append(text)
            self._question.tell({"text": text})
        if calls := delta.get("tool_calls"):
            for part in calls:
                self._add_call(part)
            self._question.tell({"tool_calls": calls})

    def _add_call(self, part: dict[str, Any]) -> None:
        empty = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
        call = self._calls.setdefault(int(part.get("index", len(self._calls))), empty)
        call["id"] = part.get("id") or call["id"]
        for name, text in (part.get("function") or {}).items():
            call["function"][name] = call["function"].get(name, "") + (text or "")
