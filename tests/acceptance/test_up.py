"""One command starts everything, one Ctrl-C stops it; between them everything a user does."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from demo.scene import write_clip
from tests.acceptance.parts.machine import ROOT, Machine
from tests.acceptance.parts.rtsp import PASSWORD, ServeRtsp, rtsp_url
from tests.conftest import free_port

Photo = Callable[[str, int], bytes]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    running = Machine(tmp_path_factory.mktemp("up") / "data")
    yield running
    running.stop()
    assert "Traceback" not in running.log(), running.log()


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "street.mp4"
    write_clip(path, ["KAB 4721", "MQX 8830"])
    return path


def test_it_says_where_everything_is(machine: Machine) -> None:
    for where in (machine.api_url, machine.flower_url, str(machine.folder)):
        assert where in machine.log()
    assert oct((machine.folder / "run.env").stat().st_mode & 0o777) == "0o600"
    assert "SIGHTLINE_INSTALLATION_ID=" in (machine.folder / "run.env").read_text()
    key = (machine.folder / "api.key").read_text()
    assert key.startswith("sl_")
    assert key not in machine.log()


def test_the_doctor_finds_nothing_bad_and_sends_a_picture(machine: Machine) -> None:
    found = {each["what"]: each for each in machine.rows("doctor")}
    assert {each["state"] for each in found.values()} <= {"ok", "warn"}, found
    assert found["database"]["says"].startswith("sqlite, revision")
    assert any(what.startswith("worker: worker0@") for what in found)
    for part in ("the plate MDR4812 was read", "stored after", "detect"):
        assert part in found["picture"]["says"]


def test_a_folder_in_use_is_refused(machine: Machine) -> None:
    second = machine.cli(*machine.arguments, check=False)
    assert second.returncode == 2
    assert f"in use by process {machine.process.pid}" in second.stderr.replace("\n", " ")


def test_photos_are_submitted_and_again_add_nothing(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"car{number}.jpg").write_bytes(photo(f"HLF 330{number}", number))
    first = machine.rows("submit", str(tmp_path), "--pipeline", "plates", "--source", "yard", "--wait")
    texts = [[reading["text"].replace(" ", "") for reading in row["readings"]] for row in first]
    assert texts == [["HLF3300"], ["HLF3301"], ["HLF3302"]]
    assert [row["frame"]["name"] for row in first] == ["car0.jpg", "car1.jpg", "car2.jpg"]
    assert {(row["frame"]["sequence"], row["frame"]["time_from"]) for row in first} == {(None, "file")}
    assert machine.rows("submit", str(tmp_path), "--source", "yard", "--wait") == first
    (audited,) = [row for row in machine.rows("audit")[0]["sources"] if row["source_id"] == "yard"]
    assert (audited["published"], audited["stored"], audited["rows"]) == (3, 3, 3)
    assert "HLF3301" in machine.cli("submit", str(tmp_path), "--source", "yard", "--wait").stdout


def test_a_video_is_submitted_frame_by_frame(machine: Machine, clip: Path) -> None:
    rows = machine.rows("submit", str(clip), "--source", "film", "--fps", "2", "--wait")
    assert len(rows) == 16  # 8 s at 2 frames a second
    ((sequence, time_from),) = {(row["frame"]["sequence"], row["frame"]["time_from"]) for row in rows}
    assert (bool(sequence), time_from) == (True, "video")
    plates = {reading["text"].replace(" ", "") for row in rows for reading in row["readings"]}
    assert {"KAB4721", "MQX8830"} <= plates
    assert {passage["text"] for passage in machine.rows("passages", "--source", "film")} == {"KAB4721", "MQX8830"}


def test_bad_files_are_named_and_the_good_ones_go_on(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    whole = photo("YRP 6194", 2)
    for name, data in {
        "a-text.jpg": b"text",
        "b-cut.jpg": whole[:9000],
        "c-empty.jpg": b"",
        "d-good.jpg": whole,
    }.items():
        (tmp_path / name).write_bytes(data)
    done = machine.cli("submit", str(tmp_path), "--source", "mixed", "--wait", check=False)
    assert done.returncode == 1
    for words in ("no JPEG, PNG or WebP", "cut off", "empty", "YRP6194"):
        assert words in done.stdout
    missing = machine.cli("submit", str(tmp_path / "nothing.jpg"), check=False)
    assert (missing.returncode, "no such file" in missing.stderr) == (2, True)
    assert machine.cli("submit", str(tmp_path), "--pipeline", "cars", check=False).returncode == 2


def test_a_pipeline_without_weights_is_a_dead_letter_that_says_what_to_do(
    machine: Machine, photo: Photo, tmp_path: Path
) -> None:
    (tmp_path / "car.jpg").write_bytes(photo("BCM 7128", 1))
    (row,) = machine.rows(
        "submit", str(tmp_path), "--pipeline", "objects", "--source", "unready", "--wait", check=False
    )
    assert row["error"]["reason"] == "model_unavailable"
    assert "yolox-s" in machine.cli("dead-letters", "--source", "unready").stdout


def test_cameras_come_and_go_while_it_runs(machine: Machine, clip: Path) -> None:
    machine.cli("cameras", "add", "gate", str(clip), "--fps", "4", "--loop")
    assert {passage["text"] for passage in machine.wait_for("/passages", source="gate")} <= {"KAB4721", "MQX8830"}
    machine.cli("cameras", "add", "hall", str(clip), "--fps", "2", "--loop")
    machine.wait_for("/passages", source="hall")
    time.sleep(1.5)  # a status is written each second
    (gate, hall) = machine.rows("cameras", "list")
    assert (gate["status"]["state"], hall["status"]["state"]) == ("running", "running")
    assert gate["status"]["published"] > 0
    machine.cli("cameras", "pause", "gate")
    machine.cli("cameras", "remove", "hall")
    time.sleep(2.5)
    (gate,) = machine.rows("cameras", "list")
    assert gate["status"]["state"] == "paused"
    read = gate["status"]["frames_read"]
    time.sleep(1)
    assert machine.rows("cameras", "list")[0]["status"]["frames_read"] == read
    machine.cli("cameras", "remove", "gate")
    wrong = machine.cli("cameras", "pause", "nowhere", check=False)
    assert (wrong.returncode, "'nowhere'" in wrong.stderr) == (2, True)


def test_a_real_rtsp_camera_gives_passages_dies_and_returns(
    machine: Machine, clip: Path, serve_rtsp: ServeRtsp
) -> None:
    port = free_port()
    server = serve_rtsp(clip, port)
    machine.cli("cameras", "add", "street", rtsp_url(port), "--fps", "5")
    machine.wait_for("/passages", source="street")
    server.kill()
    until = time.monotonic() + 20
    while machine.rows("cameras", "list")[0]["status"]["state"] != "reconnecting":
        assert time.monotonic() < until
        time.sleep(0.5)
    time.sleep(1)
    (frozen,) = machine.rows("readings", "--source", "street", "--limit", "1")
    serve_rtsp(clip, port)
    until = time.monotonic() + 40
    while machine.rows("readings", "--source", "street", "--limit", "1") == [frozen]:
        assert time.monotonic() < until
        time.sleep(0.5)
    (street,) = machine.rows("cameras", "list")
    while street["status"]["state"] != "running":  # written every few seconds, behind the readings
        assert time.monotonic() < until
        time.sleep(0.5)
        (street,) = machine.rows("cameras", "list")
    assert PASSWORD not in str(street)
    assert PASSWORD not in machine.log()
    machine.cli("cameras", "remove", "street")


def test_results_are_pushed_to_a_sink(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    folder = tmp_path / "events"
    machine.cli("sinks", "add", "archive", str(folder), "--event", "passage.new", "--source", "pushed")
    assert "took the test event" in machine.cli("sinks", "test", "archive").stdout
    time.sleep(2.1)  # by then the writer knows of it
    (tmp_path / "car.jpg").write_bytes(photo("HZD 4418", 1))
    machine.rows("submit", str(tmp_path / "car.jpg"), "--source", "pushed", "--wait")
    until = time.monotonic() + 10
    while (sink := machine.rows("sinks", "list")[0])["sent"] < 2:
        assert time.monotonic() < until, machine.log()
        time.sleep(0.3)
    (path,) = folder.iterdir()
    test, pushed = [json.loads(line) for line in path.read_text().splitlines()]
    assert (test["type"], pushed["type"], pushed["data"]["text"]) == ("sink.test", "passage.new", "HZD4418")
    assert (sink["pending"], sink["dead"]) == (0, 0)
    machine.cli("sinks", "pause", "archive")
    assert machine.rows("sinks", "replay", "archive", "--since", "1h") == [{"queued": 1}]
    machine.cli("sinks", "resume", "archive")
    until = time.monotonic() + 10
    while [json.loads(line) for line in path.read_text().splitlines()] != [test, pushed, pushed]:
        assert time.monotonic() < until, machine.log()
        time.sleep(0.1)
    machine.cli("sinks", "remove", "archive")


def test_nothing_listens_beyond_loopback_and_nobody_changes_anything_without_a_key(machine: Machine) -> None:
    """Every socket that any process of ours listens on: three, each with a lock."""
    ours = psutil.Process(machine.process.pid)
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in (ours, *ours.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM
    }
    redis_port = int((machine.folder / "redis/port").read_text())
    ports = [urlsplit(url).port for url in (machine.api_url, machine.flower_url)]
    assert listening == {("127.0.0.1", port) for port in (redis_port, *ports)}
    with redis.Redis(port=redis_port, retry=Retry(NoBackoff(), 0)) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()
    assert httpx.get(f"{machine.flower_url}/api/workers", trust_env=False).status_code == 401
    for method, path in (("POST", "/v1/jobs"), ("DELETE", "/v1/cameras/gate"), ("GET", "/v1/audit-log")):
        assert httpx.request(method, machine.api_url + path, trust_env=False).status_code in (401, 403)
    proxied = {"X-Forwarded-For": "203.0.113.9"}
    assert httpx.get(f"{machine.api_url}/v1/passages", headers=proxied, trust_env=False).status_code == 401
    # A proxy that says nothing but speaks the HTTP of 1996.
    with socket.create_connection(("127.0.0.1", int(ports[0] or 0))) as connection:
        connection.sendall(f"GET /v1/passages HTTP/1.0\r\nHost: 127.0.0.1:{ports[0]}\r\n\r\n".encode())
        assert b" 401 " in connection.recv(100)


def test_who_searched_and_changed_what_is_told(machine: Machine) -> None:
    machine.cli("passages", "ZZZ*")
    rows = machine.rows("audit-log", "--since", "1h", "--limit", "1000")
    (search,) = [row for row in rows if row["query"].get("text") == "ZZZ*"]
    assert (search["actor"], search["role"], search["action"]) == ("local", "admin", "list_passages")
    (made,) = [row for row in rows if row["action"] == "create-key"]
    assert (made["actor"].startswith("os:"), made["target"]) == (True, "local")
    assert "text=ZZZ*" in machine.cli("audit-log", "--action", "list_passages").stdout
    assert "published from" in machine.cli("audit", "--since", "2h").stdout


def test_flower_lists_the_workers_to_those_with_the_key(machine: Machine) -> None:
    key = (machine.folder / "api.key").read_text()
    assert httpx.get(f"{machine.flower_url}/workers", trust_env=False).status_code == 401
    names = ""
    until = time.monotonic() + 20
    while time.monotonic() < until and "worker0@" not in names:
        names = httpx.get(f"{machine.flower_url}/workers", auth=("sightline", key), trust_env=False, timeout=20).text
        time.sleep(0.5)
    assert "worker0@" in names


def test_what_dies_is_started_again(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    before = machine.children()
    roles = ("worker0@%h", "producers.camera", "workers.deliver")
    for role in roles:
        os.kill(before[role], signal.SIGKILL)
    until = time.monotonic() + 20
    while {machine.children().get(role) for role in roles} & {None, *(before[role] for role in roles)}:
        assert time.monotonic() < until, machine.children()
        time.sleep(0.3)
    (tmp_path / "car.jpg").write_bytes(photo("TRN 5164", 3))
    (row,) = machine.rows("submit", str(tmp_path), "--wait", "--source", "after")
    assert row["readings"][0]["text"].replace(" ", "") == "TRN5164"


def test_the_wheel_alone_submits_and_waits(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    """Built, installed into an empty environment, used from an empty folder."""
    subprocess.run([sys.executable, "-m", "build", "-q", "--wheel", "--no-isolation", "-o", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    home = tmp_path / "venv"
    venv.create(home, with_pip=True)
    pip = [home / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "-c", ROOT / "constraints.txt", wheel], check=True, cwd=tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "car.jpg").write_bytes(photo("DWE 2957", 1))
    code = """
from importlib.util import find_spec
from sightline import Sightline
assert not any(find_spec(name) for name in ("workers", "producers", "storage", "cv2", "torch", "sqlalchemy", "fastapi"))
with Sightline() as client:
    print(client.submit("car.jpg", pipeline="plates", source_id="wheel").wait(timeout_s=30).readings[0].text)
"""
    environment = {"SIGHTLINE_DATA_DIR": str(machine.folder), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [home / "bin" / "python", "-c", code], cwd=empty, env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "DWE2957", done.stderr
    command = [home / "bin" / "sightline", "submit", "car.jpg", "--wait", "--source", "wheel"]
    cli = subprocess.run(command, cwd=empty, env=environment, capture_output=True, text=True)
    assert "DWE2957" in cli.stdout, cli.stderr
    up = subprocess.run([home / "bin" / "sightline", "up"], cwd=empty, env=environment, capture_output=True, text=True)
    assert (up.returncode, "from a checkout" in up.stderr.replace("\n", " ")) == (2, True)


def test_the_bare_celery_example_works_as_printed(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    (example, *_) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/reference/wire.md").read_text(), re.DOTALL)
    (tmp_path / "data").symlink_to(machine.folder)
    (tmp_path / "car.jpg").write_bytes(photo("TRN 5164", 2))
    code = example.replace('"source_id": "gate"', '"source_id": "wire"')
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    assert machine.wait_for("/passages", source="wire")[0]["text"] == "TRN5164"


@pytest.mark.skipif(not shutil.which("chromium") and not os.environ.get("CI"), reason="needs chromium")
def test_the_page_in_a_browser(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    (tmp_path / "car.jpg").write_bytes(photo("KAB 4721", 4))
    machine.rows("submit", str(tmp_path), "--wait", "--source", "shown")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        ["chromium", *flags, "--virtual-time-budget=5000", "--dump-dom", f"{machine.api_url}/"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "KAB4721" in done.stdout
    assert 'class="pulse stale"' not in done.stdout


def test_stopped_and_started_again_it_goes_on(machine: Machine, photo: Photo, tmp_path: Path) -> None:
    before = machine.rows("passages", "--source", "film")
    children = machine.children()
    machine.stop()
    assert [pid for pid in children.values() if Path(f"/proc/{pid}").exists()] == []
    machine.start_again()
    assert machine.rows("passages", "--source", "film") == before
    (tmp_path / "car.jpg").write_bytes(photo("MQX 8830", 2))
    (row,) = machine.rows("submit", str(tmp_path), "--wait", "--source", "again")
    assert row["readings"][0]["text"].replace(" ", "") == "MQX8830"
    assert machine.cli("audit").returncode == 0
