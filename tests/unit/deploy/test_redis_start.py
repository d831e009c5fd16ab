"""`deploy/redis/start.sh`: rights for queues of packages and below a prefix, and a server that is too old."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def test_queues_of_packages_are_added_to_the_rules_of_whoever_has_ours(tmp_path: Path) -> None:
    users, names = tmp_path / "users.acl", ("ADMIN", "PRODUCER", "WORKER", "WRITER", "FLOWER")
    given = {f"REDIS_{name}_PASSWORD": "secret" for name in names}
    server = tmp_path / "redis-server"  # says that it is one, and ends
    server.write_text("#!/bin/sh\necho Redis server v=7.4.1\n")
    server.chmod(0o755)
    start = {"USERS_FILE": str(users), "REDIS_SERVER": str(server), "PATH": os.environ["PATH"]}

    def run(**more: str) -> subprocess.CompletedProcess[str]:
        script = ["sh", str(ROOT / "deploy/redis/start.sh")]
        return subprocess.run(script, env=given | start | more, capture_output=True, text=True)

    assert run().returncode == 0
    plain = users.read_text()
    assert run(REDIS_QUEUES="cpu.count gpu.assess").returncode == 0
    for queue in ("cpu.count", "gpu.assess"):
        for line, before in zip(users.read_text().splitlines(), plain.splitlines(), strict=True):
            assert line.count(f"~{queue} ~{queue}??[1-9]") == before.count("~gpu.detect??[1-9]")
            assert line.count(f"%R~{queue}*") == before.count("%R~gpu.detect*")
            assert queue not in before
    assert run(REDIS_PREFIX="acme:").returncode == 0
    for line, before in zip(users.read_text().splitlines(), plain.splitlines(), strict=True):
        if line.startswith(("user admin", "user default")):
            assert line == before
        else:
            assert line.replace("acme:", "") == before
            assert re.findall(r"[~&](?!acme:)", line) == []
    assert run(REDIS_PREFIX="acme*").returncode == 2
    refused = run(REDIS_QUEUES="cpu.count ~*")
    assert (refused.returncode, "'~*' is no name of a queue" in refused.stderr) == (2, True)


@pytest.mark.parametrize("said", ["Redis server v=6.2.14 sha=00000000:0", "no version at all"])
def test_an_old_redis_is_refused_in_words(tmp_path: Path, said: str) -> None:
    server = tmp_path / "redis-server"
    server.write_text(f"#!/bin/sh\necho '{said}'\n")
    server.chmod(0o755)
    command = ["sh", str(ROOT / "deploy/redis/start.sh")]
    done = subprocess.run(command, env=os.environ | {"REDIS_SERVER": str(server)}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "needs Redis 7" in done.stderr
    assert str(server) in done.stderr
