"""The text of an answer, piece by piece, each once: also where a worker starts it over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.chat.request import ChatRequest
from sightline.delivery.only_result import only_result
from sightline.errors import AnswerError, BadMessageError
from sightline.pipelines.chat import ChatResult

if TYPE_CHECKING:
    from sightline.delivery.delta_stream import StreamEvent
    from sightline.types import JobResult


class AnswerPieces:
    """Makes texts of events. What a second attempt says as the first did is not said again."""

    def __init__(self) -> None:
        self._told: list[str] = []
        self._again: str | None = None  #: what an attempt that started over said so far, while it is behind
        self._is_whole = True

    def take(self, event: StreamEvent) -> str:
        """What is new; empty: nothing.

        Raises:
            AnswerError: the answer cannot be told on, as an attempt that started over says something else; or there is
                none.
            BadMessageError, JobCancelledError: as `answer_of` does.
        """
        if event.event == "delta":
            return self._add(_text(event.data))
        if event.event == "result" and event.result is not None:
            return self._end(answer_of(event.result).answer or "")
        if event.event == "restart":
            self._again, self._is_whole = "", True
        elif event.event == "gap":
            self._is_whole = False  # its end may still fit
        return ""

    def _add(self, text: str) -> str:
        if not self._is_whole:
            return ""
        if self._again is None:
            self._told.append(text)
            return text
        told, self._again = "".join(self._told), self._again + text
        if told.startswith(self._again):
            return ""
        return self._go_on(told, self._again)

    def _end(self, answer: str) -> str:
        told = "".join(self._told)
        if self._is_whole and self._again is None and not answer.startswith(told):
            return ""  # blanks at the end, or the like
        return self._go_on(told, answer)

    def _go_on(self, told: str, now: str) -> str:
        if not now.startswith(told):
            raise AnswerError(
                "the answer was begun again by another worker and reads otherwise than before; ask again, "
                "with a seed or at temperature 0 for the same words",
                reason="started_over",
            )
        self._told, self._again = [now], None
        return now[len(told) :]


def answer_of(result: JobResult) -> ChatResult:
    """The answer of a job of one question.

    Raises as `only_result` does; BadMessageError also where the model refused the question.
    """
    frame = only_result(result, _field_of)
    if not isinstance(frame, ChatResult):
        raise AnswerError(f"job {result.job_id} is of pipeline {str(result.pipeline)!r}, which gives no answers")
    if frame.refused is not None:
        raise BadMessageError(frame.refused, field=_field_of(frame.refused))
    return frame


def _field_of(message: str) -> str:
    """What of a question a worker refused: its sentence begins with it, or is about the messages."""
    place, colon, _ = message.partition(":")
    return place if colon and place.partition(".")[0] in ChatRequest.model_fields else "messages"


def _text(data: Any) -> str:
    return str(data.get("text") or "") if isinstance(data, dict) else ""
