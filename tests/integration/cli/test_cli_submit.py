"""`sightline submit` as one types it, on a real Redis without workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from sightline.delivery.publisher import Publisher
from sightline.settings import Settings
from sightline.wire.messages import Job
from tests.conftest import free_port
from tests.installing import write_package
from tests.integration.api.uploading import jpeg

ROOT = Path(__file__).parents[3]
SPEC = """
from sightline.pipelines import *
from sightline.types import ItemResult

SPEC = PipelineSpec("count-letters", ("text",), ItemResult, (StageSpec("count", "cpu.count", "x"),))
"""

Type = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture
def environment(settings: Settings) -> dict[str, str]:
    ours = {"DATA_DIR": settings.data_dir, "REDIS_URL": settings.redis_url, "FRAMES_URL": settings.frames_url}
    return os.environ | {f"SIGHTLINE_{name}": str(value) for name, value in ours.items()}


@pytest.fixture
def submit(environment: dict[str, str], tmp_path: Path) -> Type:
    def type_(*arguments: str | Path, given: bytes = b"", **changed: str) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-m", "sightline", "submit", *map(str, arguments)]
        return subprocess.run(
            command, env=environment | changed, cwd=tmp_path, input=given, capture_output=True, check=False
        )

    return type_


@pytest.fixture
def web() -> Iterator[str]:
    """A server with one photo, last modified on 5 May 2026, and one of 30 MB."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("location", "/cars/my%20car.jpg")
                self.end_headers()
                return
            self.send_response(404 if self.path == "/none" else 200)
            self.send_header("last-modified", "Tue, 05 May 2026 06:07:08 GMT")
            self.end_headers()
            body = bytes(30_000_000) if self.path == "/large" else jpeg()
            try:
                self.wfile.write(body)
            except OSError:
                self.close_connection = True  # it was too much

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def open_jobs(settings: Settings) -> list[Job]:
    return Publisher.from_settings(settings).ledger.open_jobs()


def test_a_photo_comes_on_standard_input(submit: Type, settings: Settings) -> None:
    done = submit("-", given=jpeg())
    (job,) = open_jobs(settings)
    said = f"{'-':<28} job {job.job_id}\n1 job submitted\n"
    assert (done.returncode, done.stdout.decode()) == (0, said), done.stderr
    assert job.frames[0].name == "stdin"
    again = submit("-", given=jpeg()).stdout.decode()
    assert again.endswith("0 jobs submitted; 1 of before, which add nothing\n")
    assert json.loads(submit("-", "--json", given=jpeg()).stdout)["known"] is True
    assert submit("-", given=b"hello, no picture").returncode == 1
    large = submit("-", "--json", given=bytes(30_000_000))
    assert (large.returncode, json.loads(large.stdout)["error"]["reason"]) == (1, "bad_image")


def test_a_file_of_a_medium_that_is_not_taken_is_told_as_the_api_tells_it(
    submit: Type, tmp_path: Path, packages: Path
) -> None:
    write_package(packages, "count_letters", SPEC, pipelines="count-letters = count_letters:SPEC")
    (tmp_path / "car.jpg").write_bytes(jpeg())
    (tmp_path / "clip.mp4").write_bytes(b"\xff" * 100)
    (tmp_path / "letter.txt").write_text("Dear Sir,")
    (tmp_path / "latin.txt").write_bytes(b"\xff")
    path = os.pathsep.join([str(packages), str(ROOT)])
    told = {
        ("count-letters", "car.jpg"): "'count-letters' takes text, and 'car.jpg' is pictures; for pictures take ",
        ("count-letters", "clip.mp4"): "'count-letters' takes text, and 'clip.mp4' is pictures; for pictures take ",
        ("count-letters", "latin.txt"): "'latin.txt' is no UTF-8 at byte 0",
        (
            "plates",
            "letter.txt",
        ): "'plates' takes pictures, and 'letter.txt' is text; for text take chat or ask or count-letters",
    }
    for (pipeline, name), text in told.items():
        done = submit("--pipeline", pipeline, name, "--json", PYTHONPATH=path)
        assert (done.returncode, text in json.loads(done.stdout)["error"]["message"]) == (1, True), done.stdout


def test_a_photo_comes_from_a_url(submit: Type, settings: Settings, web: str) -> None:
    done = submit(f"{web}/moved", f"{web}/cars/other.jpg", f"{web}/none", f"{web}/large", "--json")
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [answer["file"] for answer in answers] == [
        f"{web}/{name}" for name in ("moved", "cars/other.jpg", "none", "large")
    ]
    assert "the server answered 404" in answers[2]["error"]["message"]
    assert "more than 20 MB" in answers[3]["error"]["message"]
    (job,) = open_jobs(settings)  # the same picture twice is one job
    assert f"{job.frames[0].captured_at:%F %T} {job.frames[0].time_from}" == "2026-05-05 06:07:08 file"


def test_a_folder_tells_what_it_left_out(submit: Type, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "car.jpg").write_bytes(jpeg())
    (folder / "plan.psd").write_bytes(b"8BPS" + bytes(100))
    done = submit(folder)
    assert (done.returncode, done.stdout.endswith(b"\n1 job submitted\n")) == (3, True), done.stdout
    assert done.stderr.decode() == "left out 1 of 2: plan.psd (Photoshop, which is not read; convert it)\n"
    told = json.loads(submit(folder, "--json").stdout.splitlines()[-1])
    assert told == {"file": str(folder / "plan.psd"), "left_out": "Photoshop, which is not read; convert it"}
    (folder / "cut.jpg").write_bytes(jpeg()[:1000])
    assert submit(folder).returncode == 1
    (folder / "car.jpg").unlink()
    (folder / "cut.jpg").unlink()
    assert b"plan.psd (Photoshop" in submit(folder).stderr


@pytest.mark.parametrize("rooms", [20_000, 1])
def test_ctrl_c_says_that_jobs_go_on(
    rooms: int, environment: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    """While it waits for results, and while it waits for room."""
    for number in range(2):
        (tmp_path / f"car{number}.jpg").write_bytes(jpeg(number))
    command = [sys.executable, "-m", "sightline", "submit", "car0.jpg", "car1.jpg", "--wait"]
    environment |= {"SIGHTLINE_MAX_OPEN_FRAMES": str(rooms)}
    expected = 2 if rooms > 1 else 1
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        until = time.monotonic() + 60
        while len(open_jobs(settings)) < expected:
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.5)  # it has gone on to wait
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130, said
    assert b"jobs go on" in said
    assert b"Traceback" not in said
    assert len(open_jobs(settings)) == expected


def test_where_nothing_answers_it_says_what_to_do(submit: Type, environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "car.jpg").write_bytes(jpeg())
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    assert b"nothing answers where SIGHTLINE_REDIS_URL says" in submit("car.jpg", SIGHTLINE_REDIS_URL=nowhere).stderr
    for name in ("DATA_DIR", "REDIS_URL", "FRAMES_URL"):
        del environment[f"SIGHTLINE_{name}"]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/run.env").write_text(f"SIGHTLINE_REDIS_URL={nowhere}\n")
    done = submit("car.jpg")
    assert done.returncode == 3
    assert done.stderr.startswith(b"sightline: the Sightline at ./data is not running: start it with `sightline up")


def test_a_file_of_the_future_is_refused_and_its_neighbors_are_not(submit: Type, tmp_path: Path) -> None:
    for name, days in (("a.jpg", 0), ("b.jpg", 1000), ("c.jpg", 0)):
        (tmp_path / name).write_bytes(jpeg(ord(name[0])))
        then = time.time() + days * 86_400
        os.utime(tmp_path / name, (then, then))
    done = submit(*(tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")))
    said = " ".join(done.stdout.decode().split())
    assert done.returncode == 1
    assert "is more than a day in the future; give the file its right time (touch -d)" in said
    assert said.endswith("2 jobs submitted")
