"""A backup that is made while writers work has a picture for each row; restored elsewhere its books balance."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from benchmarks.chaos.machine.postgres import find_binaries
from producers.api.app import create_app
from sightline.blobs.opening import open_frame_store
from sightline.errors import SettingsError
from sightline.settings import Settings, load_settings
from storage.access.keys import Role, create_key
from storage.backup import make_backup, restore_backup
from storage.database.opening import open_database
from storage.database.revision import upgrade
from storage.results.store import Store
from storage.tables import Frames
from tests.integration.storage.bundles import frame_result, message


@pytest.fixture
def here(tmp_path: Path, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    binaries = find_binaries()  # tools of the server's version; Debian's may be older
    monkeypatch.setenv("PATH", f"{binaries}:/usr/bin:/bin")
    return load_settings(data_dir=tmp_path / "here", database_url=database_url, redis_url=redis_url)


@pytest.fixture
def there(here: Settings, tmp_path: Path, empty_url: str) -> Settings:
    return here.model_copy(update={"data_dir": tmp_path / "there", "database_url": empty_url})


@pytest.fixture
def writing(here: Settings, store: Store) -> Iterator[threading.Event]:
    """A writer that keeps pictures and stores their rows, as fast as it can; set: enough were written."""
    pictures, stop, enough = open_frame_store(here.picture_store_url, ttl_s=None), threading.Event(), threading.Event()

    def write() -> None:
        for number in range(10_000):
            if stop.is_set():
                return
            frame = frame_result(source=f"cam{number % 4}")
            pictures.put_many({frame.frame.frame_id: b"picture"})
            store.store([message(frame)], {frame.frame.frame_id})
            if number == 50:
                enough.set()

    thread = threading.Thread(target=write)
    thread.start()
    yield enough
    stop.set()
    thread.join()


def test_made_while_writers_work_and_restored_elsewhere(
    here: Settings, there: Settings, writing: threading.Event, tmp_path: Path
) -> None:
    assert writing.wait(60)
    folder = tmp_path / "backup"
    made = make_backup(here, folder)
    assert restore_backup(there, folder) == made | {"pictures_missing": 0, "pictures_damaged": []}

    database = open_database(there.sqlalchemy_url)
    with database.read() as connection:
        kept = list(connection.scalars(sa.select(Frames.frame_id).where(Frames.picture_kept)))
    found = open_frame_store(there.picture_store_url, ttl_s=None).get_many(kept)
    assert len(kept) > 50
    assert set(found) == {b"picture"}
    key = create_key(database, "test", Role.VIEWER)
    database.close()
    with TestClient(create_app(there), base_url="http://127.0.0.1", headers={"X-API-Key": key}) as client:
        assert client.get("/readyz").json()["checks"]["database"] == "ok"
        assert client.get("/v1/audit").json()["balanced"]


def test_what_is_no_whole_backup_is_refused(here: Settings, there: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    with pytest.raises(SettingsError, match="is no whole backup"):
        restore_backup(there, folder)
    make_backup(here, folder)
    with pytest.raises(SettingsError, match="is not empty"):
        make_backup(here, folder)
    with pytest.raises(SettingsError, match="there are tables already"):
        restore_backup(here, folder)
    file = next(path for path in folder.iterdir() if path.name.startswith("database."))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(SettingsError, match="missing or damaged"):
        restore_backup(there, folder)


def test_pictures_that_are_gone_from_the_backup_are_counted(here: Settings, there: Settings, tmp_path: Path) -> None:
    upgrade(here.sqlalchemy_url)
    open_frame_store(here.picture_store_url, ttl_s=None).put_many({f"f{number}": b"picture" for number in range(3)})
    folder = tmp_path / "backup"
    assert make_backup(here, folder)["pictures"] == 3
    next(path for path in (folder / "pictures").rglob("*") if path.is_file()).unlink()
    restored = restore_backup(there, folder)
    assert (restored["pictures"], restored["pictures_missing"]) == (2, 1)


def test_a_picture_that_was_damaged_in_the_backup_is_named_and_restored_as_it_is(
    here: Settings, there: Settings, tmp_path: Path
) -> None:
    upgrade(here.sqlalchemy_url)
    open_frame_store(here.picture_store_url, ttl_s=None).put_many({"a" * 32: b"whole", "b" * 32: b"picture"})
    make_backup(here, tmp_path / "backup")
    backup = open_frame_store((tmp_path / "backup" / "pictures").as_uri(), ttl_s=None)
    backup.put_many({"b" * 32: b"pict"})
    restored = restore_backup(there, tmp_path / "backup")
    assert (restored["pictures"], restored["pictures_missing"], restored["pictures_damaged"]) == (2, 0, ["b" * 32])
    assert open_frame_store(there.picture_store_url, ttl_s=None).get_many(["a" * 32, "b" * 32]) == [b"whole", b"pict"]
