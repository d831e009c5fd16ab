from __future__ import annotations

from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import pytest

from sightline.errors import BadMessageError
from sightline.ids import content_id, new_id
from sightline.types import FrameRef, FrameResult
from sightline.wire.messages import Message, parse_message


def raw_message(**changes: Any) -> dict[str, Any]:
    frame = {"frame_id": "frame-0001", "source_id": "gate", "captured_at": "2026-01-02T03:04:05Z"}
    job: dict[str, Any] = {"job_id": "job-00001", "pipeline": "plates", "frames": [frame]}
    return {"v": 1, "job": job | changes}


def test_a_message_survives_the_wire() -> None:
    message = parse_message(raw_message())
    assert parse_message(message.dump()) == message
    assert parse_message(message.pack()) == message


def test_whether_frames_follow_each_other_is_said_or_not() -> None:
    alone = parse_message(raw_message())
    assert (alone.job.frames[0].sequence, alone.job.frames[0].time_from) == (None, None)
    frame = raw_message()["job"]["frames"][0] | {"sequence": "live", "time_from": "camera"}
    live = parse_message(raw_message(frames=[frame]))
    assert (live.job.frames[0].sequence, live.job.frames[0].time_from) == ("live", "camera")
    assert parse_message(live.pack()) == parse_message(live.dump()) == live


def test_what_is_not_said_takes_no_room_between_our_processes() -> None:
    packed = b64decode(parse_message(raw_message()).pack())
    assert b"sequence" not in packed
    assert b"time_from" not in packed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frames": [raw_message()["job"]["frames"][0] | {"sequence": "a b"}]}, "sequence"),
        ({"frames": [raw_message()["job"]["frames"][0] | {"sequence": "x" * 65}]}, "sequence"),
        ({"frames": [raw_message()["job"]["frames"][0] | {"time_from": "dream"}]}, "time_from"),
        ({"pipeline": "cars"}, "job.pipeline"),
        ({"lane": "fast"}, "job.lane"),
        ({"frames": []}, "job.frames"),
        ({"job_id": "../../etc"}, "job.job_id"),
        ({"surprise": 1}, "job.surprise"),
        ({"frames": [{"frame_id": "frame-0001", "source_id": "gate", "captured_at": "yesterday"}]}, "captured_at"),
        (
            {"frames": [{"frame_id": "frame-0001", "source_id": "a/b", "captured_at": "2026-01-02T03:04:05Z"}]},
            "source_id",
        ),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadMessageError) as caught:
        parse_message(raw_message(**changes))
    assert caught.value.field.endswith(field)
    assert field in str(caught.value)


@pytest.mark.parametrize("raw", [None, 3, "text", "no base64", "é", [], {}, {"v": 2, "job": {}}])
def test_what_is_no_message_is_refused(raw: object) -> None:
    with pytest.raises(BadMessageError):
        parse_message(raw)


def test_results_are_one_per_frame_in_order() -> None:
    message = parse_message(raw_message())
    other = FrameRef(frame_id="frame-0002", source_id="gate", captured_at=datetime.now(UTC))
    with pytest.raises(BadMessageError, match="one per item"):
        parse_message(Message(job=message.job).dump() | {"results": [FrameResult(frame=other).model_dump(mode="json")]})


def test_ids_are_ordered_in_time_and_content_ids_keep_parts_apart() -> None:
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert [one[:12] for one in ids] == sorted(one[:12] for one in ids)
    assert content_id("ab", "c") != content_id("a", "bc")
    assert content_id("a", b"b") == content_id("a", b"b")


@pytest.mark.parametrize("field", ["published_at", "deadline_at"])
@pytest.mark.parametrize("value", [1_760_000_000_250, 1_760_000_000_250_000, -1.0, 0, "2025-10-09T08:53:20"])
def test_a_time_that_is_not_epoch_seconds_is_refused_with_the_cure(field: str, value: object) -> None:
    frame = {"frame_id": "f" * 32, "source_id": "gate", "captured_at": "2025-10-09T08:53:20Z"}
    job = {"job_id": "j" * 32, "pipeline": "plates", "frames": [frame], field: value}
    with pytest.raises(BadMessageError, match=rf"job\.{field}.*must be seconds since 1970 in UTC.*not milliseconds"):
        parse_message({"v": 1, "job": job})
