"""Commands that ask the API, with the answers of one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from sightline.cli import main


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the API answers, by path, or what it is to make of a query; anything else is a 404."""
    given: dict[str, Any] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/v1")
            self.send_response(200 if path in given else 404)
            self.end_headers()
            answer = given.get(path, {})
            query = dict(parse_qsl(urlsplit(self.path).query))
            self.wfile.write(json.dumps(answer(query) if callable(answer) else answer).encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("SIGHTLINE_API_URL", f"http://127.0.0.1:{server.server_port}")
        yield given
        server.shutdown()


def sightline(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run a command in this process; its exit code."""
    monkeypatch.setattr("sys.argv", ["sightline", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_no_rows_at_all_is_not_the_same_as_none_that_match(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers["/passages"] = answers["/dead-letters"] = {"items": []}
    for arguments in (["passages"], ["passages", "KAB*"], ["dead-letters"], ["dead-letters", "--source", "gate"]):
        assert sightline(monkeypatch, *arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == ["no passages yet", "nothing matches", "no dead letters", "nothing matches"]


def test_a_cameras_setting_and_what_was_measured_are_two_things(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = {"state": "running", "fps": 24.9, "frames_read": 100, "published": 7, "dropped": {}, "last_error": None}
    status |= {"unreadable": 3, "budget_fps": 2.5, "sampled": 20, "thinned": 9, "gated": 4, "saved_percent": 65.0}
    camera = {"camera_id": "gate", "pipeline": "plates", "fps": 5.0, "min_fps": 0.5, "url": "rtsp://***@host/1"}
    camera |= {"status": status}
    answers["/cameras"] = {"items": [camera, camera | {"camera_id": "hall", "min_fps": None, "status": None}]}
    assert sightline(monkeypatch, "cameras", "list") == 0
    assert [" ".join(row.split()) for row in capsys.readouterr().out.splitlines()] == [
        "camera state condition pipeline fps wanted fps now fps read read unreadable sampled thinned still dropped "
        "published saved url last error",
        "gate running plates 0.5 to 5 2.50 24.90 100 3 20 9 4 0 7 65 % rtsp://***@host/1",
        "hall plates 5.00 rtsp://***@host/1",
    ]
    assert sightline(monkeypatch, "cameras", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0]) == camera


def test_a_folder_that_is_none_of_ours_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["passages"], ["cameras", "list"], ["submit", str(tmp_path)]):
        assert sightline(monkeypatch, *arguments, "--data", str(tmp_path / "nope")) == 2
        assert f"no run.env in {tmp_path / 'nope'}: is that the folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["passages", "detections", "readings", "findings", "jobs", "audit-log", "dead-letters"]
)
def test_every_list_goes_on_past_a_page_and_ends_where_it_is_told(
    command: str, answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, str]] = []

    def page(query: dict[str, str]) -> dict[str, Any]:
        asked.append(query)
        first, count = int(query.get("cursor", 0)), int(query["limit"])
        items = [{"n": n, "query": {}} for n in range(first, min(first + count, 2100))]
        return {"items": items, "next_cursor": str(first + count) if first + count < 2100 else None}

    answers[f"/{command}"] = page
    for limit, found in (("1500", 1500), ("5000", 2100)):
        assert sightline(monkeypatch, command, "--json", "--limit", limit, "--since", "2d", "--until", "1d") == 0
        rows = [json.loads(row)["n"] for row in capsys.readouterr().out.splitlines()]
        assert rows == list(range(found))
    assert [query["limit"] for query in asked] == ["1000", "500", "1000", "1000", "1000"]
    assert {(query["since"], query["until"]) for query in asked} == {("2d", "1d")}


def test_findings_are_shown_in_short_and_asked_for_by_pipeline_field_and_job(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, str]] = []
    finding = {
        "captured_at": "2026-01-02T00:00:00Z",
        "source_id": "notes",
        "pipeline": "chat",
        "frame_id": "frame-0001",
    }

    def page(query: dict[str, str]) -> dict[str, Any]:
        asked.append(query)
        values = {"number": 14, "answer": "A long\n answer " * 9, "words": {"text": "ä"}}
        return {"items": [finding | {"kind": kind, "payload": value} for kind, value in values.items()]}

    answers["/findings"] = page
    arguments = ["findings", "--pipeline", "chat", "--kind", "answer", "--job", "job-00001"]
    assert sightline(monkeypatch, *arguments, "--source", "notes") == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["captured", "(UTC)", "source", "pipeline", "field", "value", "item"]
    assert "14" in rows[0]
    assert "A long answer A long" in rows[1]
    assert rows[1].rstrip().endswith("… frame-0001".replace(" ", "  "))
    assert '{"text": "ä"}' in rows[2]
    del asked[0]["limit"]
    assert asked == [{"pipeline": "chat", "kind": "answer", "job": "job-00001", "source": "notes"}]


def test_what_has_one_page_only_says_so(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (
        ["passages", "KAB4721", "--like", "1"],
        ["passages", "KAB4?21", "--likely"],
        ["jobs", "--status", "open"],
    ):
        assert sightline(monkeypatch, *arguments, "--limit", "1001") == 2
        assert "--limit: at most 1000" in capsys.readouterr().err


def test_plates_that_may_be_one_are_asked_for(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, str]] = []

    def page(query: dict[str, str]) -> dict[str, Any]:
        asked.append(query)
        return {"items": [{"text": "KAB4721", "likelihood": 0.93}]}

    answers["/passages/likely"] = page
    assert sightline(monkeypatch, "passages", "KAB4?21", "--likely", "--zone", "lane") == 0
    said = capsys.readouterr().out
    assert "likelihood" in said
    assert "0.93" in said
    assert asked == [{"text": "KAB4?21", "zone": "lane", "limit": "50"}]
    for more in (["--like", "1"], ["--list", "deny"], ["--csv", "x.csv"]):
        assert sightline(monkeypatch, "passages", "KAB4?21", "--likely", *more) == 2
    assert sightline(monkeypatch, "passages", "--likely") == 2


def test_status_is_one_screen(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers["/status"] = {
        "frames_per_s": 12.34,
        "open_frames": 7,
        "oldest_open_s": 3.21,
        "waiting": {"gpu.detect": 2},
        "dead_letters": 1,
        "database_bytes": 4_200_000,
        "picture_disk": {"bytes": 50_000_000_000, "free_bytes": 20_000_000_000},
    }
    assert sightline(monkeypatch, "status") == 0
    said = [line.rstrip().split("  ")[-1].strip() for line in capsys.readouterr().out.splitlines()]
    assert said == ["now", "12.3", "7", "3.2 s", "2", "1", "4.2 MB", "20.0 of 50.0 GB free"]
    assert sightline(monkeypatch, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out) == answers["/status"]


def test_a_job_tells_where_its_time_went(
    answers: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = {"stage": "detect", "queue_wait_ms": 812.345, "inference_ms": 20.55, "batch_size": 4, "model": "m"}
    frames: list[dict[str, Any]] = [
        {"frame": {"frame_id": "f1", "name": "car.jpg"}, "stages": [stage], "readings": [{"text": "KAB4721"}]},
        {"frame": {"frame_id": "f2"}, "error": {"stage": "detect", "message": "cut off"}},
        {"frame": {"frame_id": "f3"}, "dropped": "stale"},
    ]
    result = {"status": "dead", "pipeline": "plates", "finished_at": "2026-05-01T12:00:00Z", "frames": frames}
    answers["/jobs/j1"] = {"status": "dead", "result": result}
    answers["/jobs/j2"] = {"status": "open"}
    assert sightline(monkeypatch, "jobs", "show", "j1") == 0
    said = capsys.readouterr().out
    for part in ("car.jpg", "812.3", "20.6", "KAB4721", "dead in detect: cut off", "dropped: stale"):
        assert part in said
    assert sightline(monkeypatch, "jobs", "show", "j2") == 0
    assert "j2: open; it has no result yet" in capsys.readouterr().out
    assert sightline(monkeypatch, "jobs", "--limit", "3", "show", "j1") == 2
