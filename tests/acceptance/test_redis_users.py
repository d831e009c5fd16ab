"""The whole pipeline on a Redis where each role has its own user, and what each user must not do.

With Redis 7, which deploy/redis/users.acl is written for, every rule is tried. The Redis 6 of the test run knows no
selectors: there each user gets their commands and keys all together, and the rules that need selectors are left out.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import redis
from celery import Celery
from fastapi.testclient import TestClient
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry

from producers.api.app import create_app
from producers.camera.lease import CameraLeases
from producers.camera.publish.archive import EndedFiles
from sightline import JobStatus, Sightline
from sightline.camera_status import CameraStatus, write_statuses
from sightline.chat.token_budget import TokenBudget
from sightline.ids import new_id
from sightline.pipelines import registry
from sightline.redis.connection import connect
from sightline.testing import make_picture
from sightline.types import FrameRef, Lane, Pipeline
from sightline.wire.messages import Job
from storage.access.keys import create_key
from tests.acceptance.parts.system import ROOT, System
from tests.conftest import free_port, redis_program

USERS = ("admin", "producer", "worker", "writer", "flower")
PASSWORD = "only-for-this-test"
WAIT_S = 40


class Server(NamedTuple):
    port: int
    has_selectors: bool
    prefix: str = ""

    def url(self, user: str) -> str:
        return self.plain_url(user) + (f"?prefix={self.prefix}" if self.prefix else "")

    def plain_url(self, user: str) -> str:
        return f"redis://{user}:{PASSWORD}@127.0.0.1:{self.port}/0"

    def client(self, user: str) -> redis.Redis:
        return connect(self.url(user))


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Started by deploy/redis/start.sh, as in a container. Its parameter is the prefix of all keys."""
    prefix = getattr(request, "param", "")
    folder = tmp_path_factory.mktemp("acl")
    shutil.copytree(ROOT / "deploy/redis", folder / "deploy")
    binary = shutil.which("redis-server") or ""
    version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout if binary else ""
    has_selectors = int((re.search(r"v=(\d+)", version) or [0, 0])[1]) >= 7
    if not has_selectors:
        binary = redis_program()
        users = (folder / "deploy/users.acl").read_text()
        rules = re.sub(r"%R?W?~", "~", re.sub(r"(?m)^  \((.*)\)$", r"  \1", users))
        (folder / "deploy/users.acl").write_text(rules)
    (folder / "worker.secret").write_text(PASSWORD + "\n")
    port = free_port()
    passwords = {f"REDIS_{user.upper()}_PASSWORD": PASSWORD for user in USERS if user != "worker"}
    given = {"REDIS_WORKER_PASSWORD_FILE": str(folder / "worker.secret"), "USERS_FILE": str(folder / "users.acl")}
    process = subprocess.Popen(
        ["sh", str(folder / "deploy/start.sh"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)],
        env=dict(os.environ) | passwords | given | {"REDIS_SERVER": binary, "REDIS_PREFIX": prefix},
        stdout=subprocess.DEVNULL,
    )
    running = Server(port, has_selectors, prefix)
    with running.client("admin") as admin:
        for _ in range(100):
            try:
                admin.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
    assert PASSWORD not in (folder / "users.acl").read_text()
    yield running
    process.terminate()
    process.wait(10)


class RoleSystem(System):
    """Its workers run under the users of their roles; frames lie in the same Redis."""

    def __init__(self, folder: Path, server: Server) -> None:
        super().__init__(folder, server.url("producer"), recognizer="stub")
        self.settings = self.settings.model_copy(update={"frames_url": server.url("producer")})
        self._server = server
        self.user = "worker"

    @property
    def environment(self) -> dict[str, str]:
        url = self._server.url(self.user)
        return super().environment | {"SIGHTLINE_REDIS_URL": url, "SIGHTLINE_FRAMES_URL": url}


@pytest.fixture
def system(tmp_path: Path, server: Server) -> Iterator[RoleSystem]:
    running = RoleSystem(tmp_path, server)
    yield running
    running.stop()


@pytest.fixture
def flower(system: RoleSystem) -> Iterator[str]:
    system.user = "flower"
    port = free_port()
    command = ("celery", "-q", "-A", "workers.app", "flower", "--address=127.0.0.1", f"--port={port}")
    with (system.folder / "flower.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--read_only=True", "--enable_events=False"],
            cwd=ROOT,
            env=system.environment | {"FLOWER_BASIC_AUTH": "sightline:secret"},
            stdout=log,
            stderr=log,
        )
    system.user = "worker"
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)


@pytest.mark.parametrize("server", ["", "acme:"], indirect=True, scope="module")
def test_every_role_works_under_its_own_user(
    server: Server, system: RoleSystem, flower: str, photo: Callable[[str, int], bytes]
) -> None:
    system.start("detect", "ocr")
    system.user = "writer"
    system.start("write")
    with system.database() as database:
        key = {"X-API-Key": create_key(database, "test", "admin")}
    with Sightline(system.settings) as client, TestClient(create_app(system.settings), headers=key) as api:
        ledger = client.publisher.ledger
        # All stages.
        first = client.submit(photo("KAB 4721", 1)).wait(WAIT_S)
        assert first.status is JobStatus.STORED
        # Dead in detect, dropped in detect, and a message that is no job.
        bad, stale, swept = make_job(), make_job(deadline_at=1.0), make_job(entered=True)
        client.publisher.publish(bad, {bad.frames[0].frame_id: b"this is no picture"})
        assert client.wait(bad.job_id, WAIT_S).status is JobStatus.DEAD
        client.publisher.publish(stale, {stale.frames[0].frame_id: make_picture("KAB 1")})
        assert client.wait(stale.job_id, WAIT_S).status is JobStatus.DROPPED
        foreign = Celery("x", broker=server.plain_url("producer"))
        foreign.conf.broker_transport_options = {"global_keyprefix": server.prefix}
        foreign.send_task("sightline.detect", args=["nonsense"], queue="gpu.detect")
        # Entered and never sent: the sweeper sends it.
        client.publisher.frames.put_many({swept.frames[0].frame_id: make_picture("KAB 2")})
        ledger.admit(swept)
        assert client.wait(swept.job_id, WAIT_S).status is JobStatus.STORED
        # Cancelled before it was sent: the sweeper brings it to the writer.
        ledger.admit(unwanted := make_job(entered=True))
        assert client.cancel(unwanted.job_id)
        assert client.wait(unwanted.job_id, WAIT_S).frames[0].dropped == "cancelled"
        # What a producer whose frame store is full does, the camera process, and the API.
        ledger.admit(withdrawn := make_job())
        ledger.withdraw(withdrawn)
        write_statuses(server.client("producer"), {"gate": CameraStatus(state="running")})
        ended_files = EndedFiles(server.client("producer"))
        ended_files.add("gate", "first")
        assert ended_files.has("gate", "first")
        ended_files.forget("gate")
        leases = CameraLeases(server.client("producer"))
        assert leases.renew(["gate"]).keep == ["gate"]
        leases.release(["gate"])
        leases.leave()
        taking, correcting = (TokenBudget(server.client(user)) for user in ("producer", "writer"))
        assert taking.take("somebody", "question-1", 100, 100).left == 0
        correcting.correct({"question-1": 10})
        assert taking.take("somebody", "question-2", 80, 100).wait_s == 0
        taking.give_back("question-2")
        ledger.oldest_open(Lane.LIVE, registry().names, since=0)
        (letter,) = [one for one in api.get("/v1/dead-letters").json()["items"] if one["reason"] == "bad_image"]
        assert api.post("/v1/dead-letters/replay", json={"ids": [letter["letter_id"]]}).json()["count"] == 1
        for path in ("/readyz", "/v1/queues", "/v1/cameras", "/v1/jobs?status=open", f"/v1/jobs/{bad.job_id}", "/"):
            assert api.get(path).status_code == 200, path
        metrics = api.get("/metrics").text  # what a user may not ask for is left out there
        for store in ("broker", "frames", "redis", "database"):
            assert f'sightline_store_up{{store="{store}"}} 1.0' in metrics
        # Forgotten, and sent again.
        assert api.delete(f"/v1/frames/{first.frames[0].frame.frame_id}").status_code == 200
        assert client.submit(photo("KAB 4721", 1)).wait(WAIT_S).status is JobStatus.STORED
        system.wait_until_quiet()
        assert client.publisher.ledger.counts()[first.frames[0].frame.source_id]["stored"] == 2
        assert [api.get(path).json()["balanced"] for path in ("/v1/audit", "/v1/audit?since=1h")] == [True, True]
        reasons = {one["reason"] for one in api.get("/v1/dead-letters").json()["items"]}
        assert reasons == {"bad_image", "bad_message"}
    seen = httpx.get(f"{flower}/api/workers?refresh=1", auth=("sightline", "secret"), timeout=20).json()
    assert {name.partition("@")[0] for name in seen} == {"detect", "ocr", "write"}
    assert httpx.get(f"{flower}/broker", auth=("sightline", "secret"), timeout=20).status_code == 200
    denied = [entry for entry in server.client("admin").acl_log() if entry["object"] != "client"]
    assert [(entry["username"], entry["reason"], entry["object"]) for entry in denied] == []


def make_job(**fields: object) -> Job:
    frame = FrameRef(frame_id=new_id(), source_id="gate", captured_at=datetime.now(UTC))
    job = Job(job_id=new_id(), pipeline=Pipeline.PLATES, lane=Lane.BULK, frames=(frame,))
    return job.model_copy(update=fields)


@pytest.mark.parametrize("user", [user for user in USERS if user != "admin"])
@pytest.mark.parametrize(
    "command",
    [
        "FLUSHALL",
        "FLUSHDB",
        "CONFIG GET requirepass",
        "KEYS *",
        "SCAN 0",
        "MONITOR",
        "ACL LIST",
        "CLIENT KILL TYPE normal",
        "SHUTDOWN NOSAVE",
        "EVAL return(1) 0",
        "RENAME sightline:jobs x",
        "GET somebody:elses",
        "LRANGE gpu.detect 0 -1",
        "SUBSCRIBE somebody",
    ],
)
def test_nobody_but_admin_may(server: Server, user: str, command: str) -> None:
    with server.client(user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


@pytest.mark.parametrize("user", ["worker", "writer"])
def test_a_worker_may_end_its_own_pop(server: Server, user: str) -> None:
    """So that bulk is let in as soon as there is room; see `sightline/celery/lanes.py`."""
    with server.client(user) as client:
        assert client.client_unblock(client.client_id()) == 0  # it does not block


def test_without_a_user_nothing_answers(server: Server) -> None:
    with redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as nobody, pytest.raises(redis.AuthenticationError):
        nobody.ping()


#: user, command; `selectors`: only Redis 7 can tell these apart.
FORBIDDEN = [
    ("producer", "BRPOP gpu.detect 1", False),
    ("producer", "HGET unacked x", False),
    ("producer", "PUBLISH /0.celery.pidbox x", False),
    ("producer", "XADD sightline:result:x * result forged", False),
    ("producer", "LPUSH db.write forged", True),
    ("producer", "LPUSH cpu.ocr forged", True),
    ("worker", "GET sightline:camera:gate", False),
    ("worker", "XREAD COUNT 1 STREAMS sightline:result:x 0", False),
    ("worker", "HGETALL sightline:counts", False),
    ("worker", "BRPOP db.write 1", True),
    ("writer", "GET sightline:camera:gate", False),
    ("writer", "BRPOP gpu.detect 1", True),
    ("writer", "SET sightline:camera:gate forged", False),
    ("flower", "MGET sightline:frame:x", False),
    ("flower", "HGET unacked x", False),
    ("flower", "HGETALL sightline:jobs", False),
    ("flower", "LPUSH gpu.detect forged", True),
    ("flower", "BRPOP gpu.detect 1", True),
]


@pytest.mark.parametrize(("user", "command", "needs_selectors"), FORBIDDEN)
def test_a_role_may_not_do_what_another_does(server: Server, user: str, command: str, needs_selectors: bool) -> None:
    if needs_selectors and not server.has_selectors:
        pytest.skip("needs Redis 7")
    with server.client(user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())
