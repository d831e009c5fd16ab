"""Lines of all processes in one log: each is whole, and says whose it is."""

from __future__ import annotations

import io
import json

from sightline.local.log_streams import stream_of


def test_text_has_the_name_in_front() -> None:
    out = io.StringIO()
    stream = stream_of("api", 6, "text", out)
    stream({"data": b"one\ntw", "name": "stderr"})
    stream({"data": b"other\n", "name": "stdout"})
    stream({"data": b"o\n", "name": "stderr"})
    assert out.getvalue().splitlines() == ["api    | one", "api    | other", "api    | two"]


def test_every_line_is_an_object_whatever_the_child_writes() -> None:
    out = io.StringIO()
    stream = stream_of("redis", 6, "json", out)
    written = (b'{"level": "ERROR", "job": "j1"}', b"1:M Ready", b"[1, 2]", b"\xff", b'"no object"', b"end")
    stream({"data": b"\n".join(written)})
    stream.close()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0] == {"process": "redis", "level": "ERROR", "job": "j1"}
    assert [line["message"] for line in lines[1:]] == ["1:M Ready", "[1, 2]", "\ufffd", '"no object"', "end"]
    assert {line["process"] for line in lines} == {"redis"}
    assert all({"time", "level", "logger"} <= line.keys() for line in lines[1:])
