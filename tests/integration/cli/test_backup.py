"""`sightline backup` and `sightline restore`, as an operator types them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from sightline.settings import Settings
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import check_revision


def run(settings: Settings, *arguments: str, data_dir: Path) -> subprocess.CompletedProcess[str]:
    environment = {"SIGHTLINE_REDIS_URL": settings.redis_url, "SIGHTLINE_DATA_DIR": str(data_dir)}
    command = [sys.executable, "-m", "sightline", *arguments]
    return subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)


@pytest.mark.usefixtures("database")
def test_a_backup_is_restored_beside_an_empty_redis_only(settings: Settings, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"
    made = run(settings, "backup", str(folder), data_dir=settings.data_dir)
    assert (made.returncode, "sqlite as of" in made.stdout) == (0, True), made.stderr
    assert folder.stat().st_mode & 0o777 == 0o700

    with redis.Redis.from_url(settings.redis_url) as client:
        client.hset("sightline:counts", "published", "1")
        refused = run(settings, "restore", str(folder), data_dir=elsewhere)
        client.flushdb()
    assert (refused.returncode, "has worked with another database" in refused.stderr) == (2, True)
    assert not elsewhere.exists()

    restored = run(settings, "restore", str(folder), data_dir=elsewhere)
    assert (restored.returncode, "next: python -m storage upgrade" in restored.stdout) == (0, True), restored.stderr
    database: Database = open_database(f"sqlite:///{elsewhere}/sightline.sqlite3")
    check_revision(database)
    database.close()
    again = run(settings, "restore", str(folder), data_dir=elsewhere)
    assert (again.returncode, "there are tables already" in again.stderr) == (2, True)


@pytest.mark.usefixtures("database")
def test_a_new_folder_is_restored_into_by_its_name(settings: Settings, tmp_path: Path) -> None:
    """Where nothing was ever started there is no Redis to look at."""
    backup, new = tmp_path / "backup", tmp_path / "new"
    assert run(settings, "backup", str(backup), data_dir=settings.data_dir).returncode == 0
    restored = run(settings, "restore", str(backup), "--data", str(new), data_dir=settings.data_dir)
    assert (restored.returncode, "Redis" in restored.stderr) == (0, False), restored.stderr
    assert (new / "sightline.sqlite3").is_file()
    assert (new / "sightline.sqlite3").stat().st_mode & 0o77 == 0 or new.stat().st_mode & 0o77 == 0
