"""An answer's text as it comes: each piece once, whatever becomes of its worker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sightline.chat.completion import Chunks, completion_of
from sightline.chat.pieces import AnswerPieces, answer_of
from sightline.delivery.delta_stream import StreamEvent
from sightline.errors import AnswerError, BadMessageError, JobCancelledError
from sightline.pipelines.chat import ChatResult
from sightline.types import FrameError, Item, JobResult, JobStatus, Pipeline

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ITEM = Item(frame_id="question-1", source_id="chat", captured_at=NOW)


def result_of(**found: Any) -> JobResult:
    return JobResult(
        job_id="job-000001",
        pipeline=Pipeline("chat"),
        status=JobStatus.STORED,
        frames=(ChatResult(frame=ITEM, **found),),
        finished_at=NOW,
    )


def events(*said: str | None) -> list[StreamEvent]:
    """A text is a piece, but for `!`, a restart, `?`, a gap, and the last one, the result's answer."""
    kinds = {"!": "restart", "?": "gap"}
    *pieces, answer = said
    found = [
        StreamEvent(event=kinds[one], id="1")  # type: ignore[arg-type]
        if one in kinds
        else StreamEvent(event="delta", id="1", data={"text": one})
        for one in pieces
    ]
    return [*found, StreamEvent(event="result", id="2", result=result_of(answer=answer))]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["Pa", "ris", "Paris"], ["Pa", "ris"]),
        (["Pa", "ris ", "Paris"], ["Pa", "ris "]),  # cut by who answered
        (["Paris"], ["Paris"]),  # nothing came but the result
        (["Pa", "Paris."], ["Pa", "ris."]),
        (["Pa", "r", "!", "P", "ari", "s", "Paris"], ["Pa", "r", "i", "s"]),
        (["Par", "!", "Pa", "!", "Paris", "Paris"], ["Par", "is"]),
        (["Par", "!", "Paris"], ["Par", "is"]),
        (["Pa", "?", "s", "Paris"], ["Pa", "ris"]),
        (["Pa", "?", "x", "!", "Par", "is", "Paris"], ["Pa", "r", "is"]),
    ],
)
def test_each_piece_is_told_once(said: list[str], told: list[str]) -> None:
    pieces = AnswerPieces()
    assert list(filter(None, map(pieces.take, events(*said)))) == told


@pytest.mark.parametrize("said", [["Pa", "!", "Lyon", "Lyon"], ["Pa", "!", "Lyon"], ["Pa", "?", "Lyon"]])
def test_an_answer_that_now_reads_otherwise_is_an_error(said: list[str]) -> None:
    pieces = AnswerPieces()
    with pytest.raises(AnswerError, match="reads otherwise") as raised:
        list(map(pieces.take, events(*said)))
    assert raised.value.reason == "started_over"


def test_why_there_is_no_answer() -> None:
    def error(reason: str) -> FrameError:
        return FrameError(reason=reason, message="it is so", stage="chat")

    with pytest.raises(BadMessageError, match="it is so"):
        answer_of(result_of(error=error("bad_frame")))
    with pytest.raises(BadMessageError, match="it is so"):
        answer_of(result_of(refused="it is so"))
    with pytest.raises(AnswerError, match="it is so") as raised:
        answer_of(result_of(error=error("crashed")))
    assert raised.value.reason == "crashed"
    with pytest.raises(JobCancelledError):
        answer_of(result_of(dropped="cancelled"))
    with pytest.raises(AnswerError, match="dropped: expired"):
        answer_of(result_of(dropped="expired"))


def test_a_whole_answer() -> None:
    answer = ChatResult(frame=ITEM, answer="Paris", model="m", finish_reason="length", prompt_tokens=3, answer_tokens=2)
    assert completion_of(answer, "job-1", model="asked", created=5).model_dump(exclude_none=True) == {
        "id": "chatcmpl-job-1",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def test_chunks_begin_with_the_role_and_end_with_the_usage_where_it_is_wanted() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "count", "arguments": "{}"}}
    answer = ChatResult(
        frame=ITEM, answer="", finish_reason="tool_calls", prompt_tokens=3, answer_tokens=2, tool_calls=(call,)
    )
    chunks = Chunks("job-1", model="m", created=5, include_usage=True)
    first, *last = [chunks.piece("Hm"), *chunks.end(answer)]
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "Hm"}
    assert [each["choices"] for each in last] == [
        [{"index": 0, "delta": {"tool_calls": [{"index": 0, **call}]}, "finish_reason": None}],
        [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}],
        [],
    ]
    assert [each["usage"] and each["usage"]["total_tokens"] for each in (first, *last)] == [None, None, None, 5]


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("response_format.json_schema.schema: too large", "response_format.json_schema.schema"),
        ("tools: this model calls none", "tools"),
        ("text: there is none", "messages"),
        ("it has 5000 tokens: shorten it", "messages"),
    ],
)
def test_what_a_worker_refuses_is_named_by_its_field(said: str, field: str) -> None:
    with pytest.raises(BadMessageError) as refused:
        answer_of(result_of(refused=said))
    assert refused.value.field == field
