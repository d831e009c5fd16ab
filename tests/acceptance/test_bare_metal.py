"""Each role as the units of systemd start it: their commands, their files of variables, Redis with its users."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import redis

from demo.scene import write_clip
from sightline.testing import make_picture
from storage.access.keys import Role, create_key
from storage.database.opening import open_database
from tests.conftest import free_port
from tests.systemd import BIN, FOLDER, ROOT, read_units

UNITS = read_units()
_VERSION = subprocess.run(["sh", "-c", "redis-server --version"], capture_output=True, text=True).stdout
pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and not re.search(r"v=([7-9]|\d\d)\.", _VERSION), reason="needs Redis 7"
)


class Host:
    """One machine with all roles. Folders and ports are of its own, everything else is as in the units."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {"broker": free_port(), "frames": free_port()}
        self.api_port, self.flower_port = free_port(), free_port()
        self.database_url = f"sqlite:///{folder / 'rows.sqlite3'}"
        where = {name.upper(): f"127.0.0.1:{port}" for name, port in self.ports.items()}
        make_env = ["sh", str(FOLDER / "make_env.sh"), str(folder / "etc"), self.database_url]
        subprocess.run(make_env, env=os.environ | where, check=True)
        ours = {
            "SIGHTLINE_DATA_DIR": folder / "data",
            "SIGHTLINE_API_PORT": self.api_port,
            "SIGHTLINE_OFFLINE": "true",
            "SIGHTLINE_PLATES_MODEL": "stub",
            "SIGHTLINE_RECOGNIZER": "stub",
        }
        (folder / "etc/sightline.env").write_text("".join(f"{name}={value}\n" for name, value in ours.items()))
        (folder / "data").mkdir()

    def environment(self, name: str) -> dict[str, str]:
        """What the unit's files and lines give, and nothing of this test's own."""
        values = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        for file in UNITS[name].values["EnvironmentFile"]:
            text = (self.folder / "etc" / Path(file).name).read_text()
            values |= dict(line.split("=", 1) for line in text.splitlines())
        for line in UNITS[name].values.get("Environment", []):
            values |= dict(pair.split("=", 1) for pair in line.split())
        return values

    def start_redis(self, name: str) -> None:
        (self.folder / name).mkdir()
        places = {"%i": name, "%S/sightline-redis-": f"{self.folder}/", "/opt/sightline/": f"{ROOT}/"}
        command = " ".join(UNITS["redis@"].command)
        for mark, place in sorted(places.items(), key=lambda item: -len(item[0])):
            command = command.replace(mark, place)
        environment = self.environment("redis@") | {"USERS_FILE": str(self.folder / name / "users.acl")}
        self._start(name, [*command.split(), "--port", str(self.ports[name])], environment)
        with redis.Redis(port=self.ports[name]) as client:
            until = time.monotonic() + 20
            while True:
                try:
                    client.ping()
                except redis.AuthenticationError:
                    return  # it is there, and asks who we are
                except redis.ConnectionError:
                    assert time.monotonic() < until, self.log(name)
                    time.sleep(0.05)

    def start(self, name: str) -> None:
        self._start(name, self.command(name), self.environment(name))

    def command(self, name: str) -> list[str]:
        program, *rest = UNITS[name].command
        rest = [word.replace("--port=5555", f"--port={self.flower_port}") for word in rest]
        return [program.replace(BIN, f"{Path(sys.executable).parent}/"), *rest]

    def run_once(self, name: str) -> None:
        subprocess.run(self.command(name), env=self.environment(name), cwd=ROOT, check=True)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def wait_for_log(self, name: str, words: str) -> None:
        until = time.monotonic() + 60
        while words not in self.log(name):
            assert self.processes[name].poll() is None, self.log(name)
            assert time.monotonic() < until, self.log(name)
            time.sleep(0.1)

    def stop(self) -> dict[str, int]:
        """Exit codes; in the reverse order of starting."""
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        return {name: process.returncode for name, process in self.processes.items()}

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    running = Host(tmp_path)
    yield running
    for process in running.processes.values():
        process.kill()
        process.wait(10)


def commands(host: Host, key: str) -> None:
    """Those that a user types, as the Redis user of producers: photos, a recording to its end, questions."""
    write_clip(host.folder / "clip.mp4", ["KAB 4721"])
    (host.folder / "one.png").write_bytes(make_picture("EF34GH"))
    environment = host.environment("api") | {
        "SIGHTLINE_API_URL": f"http://127.0.0.1:{host.api_port}",
        "SIGHTLINE_API_KEY": key,
        "SIGHTLINE_OFFLINE": "true",
    }

    def sightline(*arguments: str) -> str:
        command = [f"{Path(sys.executable).parent}/sightline", *arguments]
        done = subprocess.run(command, cwd=host.folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    assert "EF34GH" in sightline("submit", "one.png", "--wait")
    sightline("cameras", "add", "archive", str(host.folder / "clip.mp4"), "--preset", "archive", "--fps", "2")
    until = time.monotonic() + 60
    while (camera := json.loads(sightline("cameras", "list", "--json")))["status"]["state"] != "ended":
        assert time.monotonic() < until, (camera, host.log("camera"))
        time.sleep(0.5)
    assert camera["status"]["published"] > 0
    for question in ("queues", "jobs", "dead-letters", "audit-log"):
        sightline(question)
    sightline("cameras", "remove", "archive")
    while json.loads(sightline("status", "--json"))["open_frames"]:
        assert time.monotonic() < until, host.log("worker")
        time.sleep(0.2)
    sightline("audit")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_every_role_starts_from_its_unit_and_a_photo_becomes_a_row(host: Host) -> None:
    host.start_redis("broker")
    host.start_redis("frames")
    host.run_once("migrate")
    for name in ("write", "worker", "api", "camera", "deliver", "flower"):
        host.start(name)
    for name, words in {
        "write": "ready.",
        "worker": "ready.",
        "api": "Uvicorn running",
        "camera": "settings, read once",
        "deliver": "delivering",
    }.items():
        host.wait_for_log(name, words)
    database = open_database(host.database_url)
    headers = {"X-API-Key": create_key(database, "test", Role.ADMIN)}
    database.close()
    with httpx.Client(base_url=f"http://127.0.0.1:{host.api_port}", headers=headers, trust_env=False) as api:
        assert api.get("/readyz").json()["status"] == "ready"
        files = {"files": ("car.png", make_picture("AB12CD"))}
        job = api.post("/v1/jobs?wait=30", files=files, timeout=60).json()
        assert [reading["text"] for reading in job["result"]["frames"][0]["readings"]] == ["AB12CD"]
        commands(host, headers["X-API-Key"])
        assert api.get("/v1/audit").json()["balanced"]
    flower = f"http://127.0.0.1:{host.flower_port}"
    until = time.monotonic() + 30
    while True:
        try:
            assert httpx.get(f"{flower}/healthcheck", trust_env=False).status_code == 200
            break
        except httpx.TransportError:
            assert time.monotonic() < until, host.log("flower")
            time.sleep(0.2)
    assert httpx.get(f"{flower}/workers", trust_env=False).status_code == 401
    user, _, password = host.environment("flower")["FLOWER_BASIC_AUTH"].partition(":")
    assert httpx.get(f"{flower}/workers", auth=(user, password), trust_env=False).status_code == 200
    password = host.environment("redis@")["REDIS_ADMIN_PASSWORD"]
    with redis.Redis(port=host.ports["broker"], username="admin", password=password) as admin:
        assert admin.acl_log() == []
    codes = host.stop()
    assert {name: code for name, code in codes.items() if code not in (0, -signal.SIGTERM)} == {}
