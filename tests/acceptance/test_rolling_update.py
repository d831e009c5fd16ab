"""Roles go from the version before to this one, one by one and in any order, while jobs come: nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sightline.client.client import Sightline
from sightline.testing import make_picture
from storage.database.revision import current_revision, expected_revision, upgrade
from tests.acceptance.parts.system import ROOT, System

#: The last commit before the database and the ledger knew each other.
BEFORE = "822e063012"
ROLES = ("detect", "ocr", "write")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The code of the version before."""
    folder = tmp_path_factory.mktemp("before")
    archive = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode:
        pytest.skip(f"the history of this checkout does not reach back to {BEFORE}: git fetch --unshallow")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


@pytest.fixture
def system(tmp_path: Path, redis_url: str, before: Path) -> Iterator[System]:
    running = System(tmp_path, redis_url, plates_model="stub", recognizer="stub")
    for file in tmp_path.glob("sightline.sqlite3*"):
        file.unlink()  # made again as that version makes it
    command = [sys.executable, "-m", "storage", "upgrade"]
    subprocess.run(command, cwd=before, env=running.environment, check=True, capture_output=True)
    with running.database() as database:
        assert current_revision(database) != expected_revision()  # it was the code of that version
    yield running
    running.stop()


@pytest.mark.parametrize("order", [("write", "ocr", "detect"), ("detect", "ocr", "write")])
def test_each_role_in_turn_under_load(system: System, before: Path, order: tuple[str, ...]) -> None:
    system.start(*ROLES, root=before)
    stop, jobs = threading.Event(), list[str]()

    def submit() -> None:
        with Sightline(system.settings) as client:
            while not stop.wait(0.1):
                jobs.append(client.submit(make_picture(f"KAB{len(jobs)}")).job_id)

    producer = threading.Thread(target=submit)
    producer.start()
    try:
        upgrade(system.settings.sqlalchemy_url)  # while the old ones go on
        for role in order:
            reached = len(jobs) + 5
            while len(jobs) < reached:
                time.sleep(0.05)
            system.workers[role].terminate()
            system.workers[role].wait(60)
            system.start(role)
    finally:
        stop.set()
        producer.join()
    system.wait_until_quiet()
    with system.database() as database, database.read() as connection:
        stored = set(connection.scalars(sa.text("SELECT job_id FROM jobs WHERE status = 'stored'")))
        letters = connection.scalar(sa.text("SELECT count(*) FROM dead_letters"))
    assert stored == set(jobs)
    assert letters == 0
    assert len(jobs) >= 15
