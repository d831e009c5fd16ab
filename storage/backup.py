"""`python -m storage.backup make FOLDER` and `… restore FOLDER`: rows and kept pictures, while everything runs.

The database comes first, as one moment of it: each picture is kept before the row that names it is committed, so what
is copied afterwards has those of all rows. Redis is not in it: it holds what is in flight.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sightline.blobs.opening import open_frame_store
from sightline.blobs.store import FrameStore
from sightline.errors import SettingsError
from sightline.local.checkout import answer_once
from sightline.settings import Settings, load_settings
from storage.accounting.agreement import note_restore
from storage.database.engine import Database
from storage.database.errors import database_errors
from storage.database.opening import open_database, require_existing
from storage.database.revision import check_revision, current_revision

_ABOUT: Final = "backup.json"
_FILES: Final = {"sqlite": "database.sqlite3", "postgresql": "database.dump"}
_SUMS: Final = "pictures.sha256"
_AT_ONCE: Final = 32


def make_backup(settings: Settings, folder: Path, *, with_pictures: bool = True) -> dict[str, Any]:
    """Write database and pictures into a new `folder`. Returns what is noted of it.

    Raises:
        SettingsError: `folder` is not empty, or PostgreSQL's tools are missing or refuse.
        StoreUnavailableError: the database does not answer.
    """
    if folder.exists() and any(folder.iterdir()):
        raise SettingsError(f"{folder} is not empty: name a new folder for each backup")
    require_existing(settings.sqlalchemy_url)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)  # it holds passwords of cameras; that nobody else may enter is enough for what is inside
    database = open_database(settings.sqlalchemy_url)
    try:
        check_revision(database)
        kind, revision = database.engine.dialect.name, current_revision(database)
        began_at = datetime.now(UTC)
        file = folder / _FILES[kind]
        _dump(database, file)
    finally:
        database.close()
    pictures = 0
    if with_pictures:
        kept = open_frame_store(settings.picture_store_url, ttl_s=None)
        with (folder / _SUMS).open("w") as sums:
            for key, data in _copy(kept, _pictures_of(folder)):
                sums.write(f"{hashlib.sha256(data).hexdigest()}  {key}\n")
                pictures += 1
    about = {
        "database": kind,
        "revision": revision,
        "began_at": began_at.isoformat(),
        "sha256": _sum(file),
        "pictures": pictures,
    }
    (folder / _ABOUT).write_text(json.dumps(about) + "\n")  # last: a folder without it is no whole backup
    return about


def restore_backup(settings: Settings, folder: Path) -> dict[str, Any]:
    """Fill a database that has no tables, and the picture store, with what `folder` holds. Returns what came:
    `pictures` that were copied, `pictures_missing` of those that were in the backup when it was made, the frames of
    `pictures_damaged`, which were copied as they are.

    Raises:
        SettingsError: the backup is not whole, of another kind of database, or there are tables already.
    """
    try:
        about: dict[str, Any] = json.loads((folder / _ABOUT).read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(f"{folder} is no whole backup: {error}") from error
    file = folder / _FILES[about["database"]]
    if not file.is_file() or _sum(file) != about["sha256"]:
        raise SettingsError(f"{file} is missing or damaged: its sha256 is not that of {folder / _ABOUT}")
    database = open_database(settings.sqlalchemy_url)
    try:
        if database.engine.dialect.name != about["database"]:
            raise SettingsError(f"the backup is of {about['database']}: name such a database in SIGHTLINE_DATABASE_URL")
        if current_revision(database) is not None:
            raise SettingsError("SIGHTLINE_DATABASE_URL: there are tables already: restore into a new database")
        database.engine.dispose()
        _load(database, file)
        note_restore(database)
    finally:
        database.close()
    copied, damaged, sums = 0, list[str](), _sums_of(folder)
    for key, data in _copy(_pictures_of(folder), open_frame_store(settings.picture_store_url, ttl_s=None)):
        copied += 1
        if key in sums and hashlib.sha256(data).hexdigest() != sums[key]:
            damaged.append(key)
    missing = max(0, about["pictures"] - copied)
    return about | {"pictures": copied, "pictures_missing": missing, "pictures_damaged": damaged}


def _dump(database: Database, file: Path) -> None:
    if database.engine.dialect.name == "sqlite":
        _copy_sqlite(Path(str(database.engine.url.database)), file)
    else:
        _run("pg_dump", database, "--format=custom", "--no-owner", "--no-privileges", f"--file={file}")


def _load(database: Database, file: Path) -> None:
    if database.engine.dialect.name == "sqlite":
        _copy_sqlite(file, Path(str(database.engine.url.database)))
    else:
        _run("pg_restore", database, "--no-owner", "--no-privileges", "--single-transaction", str(file))


def _copy_sqlite(source: Path, target: Path) -> None:
    with database_errors(), closing(sqlite3.connect(source)) as read, closing(sqlite3.connect(target)) as written:
        read.backup(written)


def _run(tool: str, database: Database, *arguments: str) -> None:
    """One of PostgreSQL's own tools. The password goes by the environment, where others cannot see it."""
    from psycopg.conninfo import make_conninfo

    dialect: Any = database.engine.dialect
    named: dict[str, Any] = dialect.create_connect_args(database.engine.url)[1]
    named.pop("context", None)  # how psycopg reads values
    password = str(named.pop("password", ""))
    environment = os.environ | ({"PGPASSWORD": password} if password else {})
    if (path := shutil.which(tool)) is None:
        raise SettingsError(f"there is no {tool} here: install PostgreSQL's client, of the server's version or newer")
    command = [path, *arguments, f"--dbname={make_conninfo('', **named)}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SettingsError(" ".join(done.stderr.split()))


def _pictures_of(folder: Path) -> FrameStore:
    return open_frame_store((folder.resolve() / "pictures").as_uri(), ttl_s=None)


def _sums_of(folder: Path) -> dict[str, str]:
    """Of each picture, by its key. Backups of older versions have none."""
    file = folder / _SUMS
    if not file.is_file():
        return {}
    with file.open(errors="replace") as lines:
        return {key: digest for digest, _, key in (line.strip().partition("  ") for line in lines)}


def _copy(source: FrameStore, target: FrameStore) -> Iterator[tuple[str, bytes]]:
    """Copy all pictures; each that was. One that goes meanwhile, by its age, is left out."""
    known = source.keys_before(time.time() + 1)
    while keys := list(islice(known, _AT_ONCE)):
        found = {key: data for key, data in zip(keys, source.get_many(keys), strict=True) if data is not None}
        target.put_many(found)
        yield from found.items()


def _sum(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _answer(action: str, folder: str, *options: str) -> str:
    settings = load_settings()
    if action == "make":
        return json.dumps(make_backup(settings, Path(folder), with_pictures="--no-pictures" not in options))
    return json.dumps(restore_backup(settings, Path(folder)))


if __name__ == "__main__":
    raise SystemExit(answer_once(lambda: _answer(*sys.argv[1:])))
