"""The client and an API that knows more pipelines than are installed where the client is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sightline import BadMessageError, Sightline
from sightline.testing import make_picture
from tests.installing import forget_packages, write_package

JOB_ID = "job-of-the-api"
PACKAGE = """
from sightline.pipelines import PipelineSpec, StageSpec
from sightline.types import ItemResult, Pipeline

def spec(name, *accepts):
    stages = (StageSpec(name, "cpu." + name, "x"),)
    return PipelineSpec(Pipeline(name), accepts=accepts, result=ItemResult, stages=stages)

LETTERS, CALLS, TALK = spec("letters", "text"), spec("calls", "audio"), spec("talk", "image", "audio", "text")
"""


@pytest.fixture
def bodies() -> list[bytes]:
    """What was posted, and what is said of its type."""
    return []


@pytest.fixture
def client(bodies: list[bytes]) -> Iterator[Sightline]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            is_cancel = self.path.endswith("/cancel")
            self.send_response(404 if is_cancel else 202)
            self.end_headers()
            problem = {"type": "urn:sightline:problem:job_not_found", "detail": "there is no job"}
            self.wfile.write(json.dumps(problem if is_cancel else {"job_id": JOB_ID, "status": "open"}).encode())

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            frame = {"frame_id": "frame-0001", "source_id": "x", "captured_at": "2026-01-02T00:00:00Z"}
            result: dict[str, Any] = {"job_id": JOB_ID, "pipeline": "weigh", "status": "stored"}
            result |= {"finished_at": "2026-01-02T00:00:00Z", "frames": [{"frame": frame, "stages": [], "grams": 7}]}
            self.wfile.write(json.dumps({"job_id": JOB_ID, "status": "stored", "result": result}).encode())

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with Sightline(url=f"http://127.0.0.1:{server.server_port}") as client:
            yield client
        server.shutdown()


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    points = "letters = media:LETTERS\ncalls = media:CALLS\ntalk = media:TALK"
    write_package(tmp_path, "media", PACKAGE, pipelines=points)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget_packages()
    yield
    forget_packages()


def test_a_pipeline_that_only_the_api_knows_is_left_to_it(client: Sightline, bodies: list[bytes]) -> None:
    job = client.submit(text=["an apple", "a pear"], pipeline="weigh")
    assert job.job_id == JOB_ID
    assert json.loads(bodies[0])["texts"] == ["an apple", "a pear"]
    assert json.loads(bodies[0])["pipeline"] == "weigh"
    assert job.wait(5).frames[0].found == {"grams": 7}
    client.submit(make_picture("AB12CD"), text="what is this?", pipeline="weigh")
    assert (b'name="pipeline"\r\n\r\nweigh' in bodies[1], b"what is this?" in bodies[1]) == (True, True)
    with pytest.raises(BadMessageError, match=r"pipeline: .*Two Words"):
        client.submit(text="x", pipeline="Two Words")


def test_a_job_that_there_is_not_cannot_be_cancelled(client: Sightline) -> None:
    assert not client.cancel("nobody-knows-it")


@pytest.mark.usefixtures("packages")
def test_a_file_is_read_as_what_its_pipeline_takes(client: Sightline, bodies: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir,")
    (tmp_path / "letter.eml").write_text("Dear Madam,")
    (tmp_path / "call.wav").write_bytes(b"RIFF")
    (tmp_path / "car.jpg").write_bytes(make_picture("AB12CD"))
    client.submit(tmp_path / "letter.txt", str(tmp_path / "letter.eml"), b"Dear all,", pipeline="letters")
    assert json.loads(bodies.pop())["texts"] == ["Dear Sir,", "Dear Madam,", "Dear all,"]
    client.submit(tmp_path / "call.wav", pipeline="calls")
    assert b'filename="audio-0"' in bodies.pop()
    client.submit(tmp_path / "letter.txt", tmp_path / "car.jpg", pipeline="talk")
    body = bodies.pop()
    assert (b"text/plain" in body, b'filename="car.jpg"' in body) == (True, True)
    with pytest.raises(BadMessageError, match=r"'car\.jpg' is no UTF-8"):
        client.submit(tmp_path / "car.jpg", pipeline="letters")


@pytest.mark.usefixtures("packages")
def test_what_is_there_twice_is_said(client: Sightline, bodies: list[bytes]) -> None:
    job = client.submit(text=["same", "other", "same"], pipeline="letters")
    assert json.loads(bodies[0])["texts"] == ["same", "other"]
    assert job.notes == ("texts.2: the same as texts.0; both are one item",)
    assert client.submit(text=["same", "other"], pipeline="letters").notes == ()
