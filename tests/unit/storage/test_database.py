"""Which URLs are taken, and how refusals read."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from sightline.errors import SettingsError, StoreUnavailableError
from storage.database.opening import open_database
from storage.database.revision import check_revision, current_revision, expected_revision, upgrade
from storage.tables.times import UtcDateTime


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_postgres_urls_use_psycopg(scheme: str) -> None:
    database = open_database(f"{scheme}://me:secret@host/name")
    assert database.engine.url.drivername == "postgresql+psycopg"
    assert database.engine.url.password == "secret"
    database.close()


@pytest.mark.parametrize("url", ["mysql://me:secret@host/name", "sqlite://", "sqlite:///:memory:", "nonsense", ""])
def test_other_urls_are_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        open_database(url)
    assert "secret" not in str(caught.value)
    assert "postgresql://" in str(caught.value)


def test_postgres_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(SettingsError, match=r"SIGHTLINE_DATABASE_URL: .*\[postgres\]"):
        open_database("postgresql://me@host/name")


def test_a_database_that_does_not_answer_is_unavailable() -> None:
    database = open_database("postgresql://me@127.0.0.1:1/name")
    with pytest.raises(StoreUnavailableError), database.read():
        pass
    database.close()


def test_a_database_without_tables_names_the_cure(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'new' / 'file.sqlite3'}")
    assert current_revision(database) is None
    with pytest.raises(SettingsError, match=r"new/file\.sqlite3 .*python -m storage upgrade"):
        check_revision(database)
    database.close()


def test_tables_of_a_newer_version_are_left_as_they_are(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'file.sqlite3'}"
    upgrade(url)
    database = open_database(url)
    with database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    said = r"revision 9999, which this version does not know.* a newer version of Sightline made these tables"
    with pytest.raises(SettingsError, match=said):
        check_revision(database)
    with pytest.raises(SettingsError, match=said):
        upgrade(url)
    assert current_revision(database) == "9999"
    database.close()


def test_asking_for_the_revision_again_and_again_takes_no_memory(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'file.sqlite3'}"
    upgrade(url)
    database = open_database(url)
    kept: list[int] = []
    for _ in range(4):
        assert current_revision(database) == expected_revision()
        kept.append(len(database.engine._compiled_cache))  # pyright: ignore
    assert kept[0] == kept[-1]
    database.close()


def test_a_time_without_a_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        UtcDateTime().process_bind_param(datetime(2026, 5, 1), sqlite.dialect())


def test_the_command_works_from_any_folder(tmp_path: Path) -> None:
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root), "DATABASE_URL": f"sqlite:///{tmp_path}/a b%/file.sqlite3"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "storage", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    for arguments in (["current"], ["create-key", "me", "admin"]):
        before = run(*arguments)
        assert (before.returncode, f"there is no database {tmp_path}/a b%/file.sqlite3" in before.stderr) == (1, True)
    assert not (tmp_path / "a b%").exists()
    assert run("upgrade").stdout == f"{expected_revision()}\n"
    assert (run("downgrade", "0003").stdout, run("upgrade").returncode) == ("0003\n", 0)
    after = run("current")
    assert (after.returncode, after.stdout, after.stderr) == (0, f"{expected_revision()}\n", "")
    assert (tmp_path / "a b%" / "file.sqlite3").stat().st_mode & 0o777 == 0o600
    unknown = run("revoke-key", "nope")
    assert (unknown.returncode, "there is no valid key 'nope'" in unknown.stderr) == (1, True)
    made = run("create-key", "me", "operator", "--tokens-per-minute", "500")
    key_id = made.stdout.split("_")[1]
    assert run("list-keys").stdout.endswith("  me  500 tokens a minute\n")
    assert run("limit-key", key_id, "0").returncode == 0
    assert run("list-keys").stdout.endswith("  me  any number of tokens a minute\n")
    assert run("limit-key", key_id, "default").returncode == 0
    assert run("list-keys").stdout.endswith("  me\n")
    for wrong, said in (("-1", "tokens_per_minute: -1 is no limit"), ("much", "'much' is no number; give one, 0 ")):
        refused = run("limit-key", key_id, wrong)
        assert (refused.returncode, said in refused.stderr) == (1, True)
    assert "there is no valid key 'nope'" in run("limit-key", "nope", "5").stderr
    assert run("sideways").returncode == 2
