"""A PostgreSQL that says no is waited for, whatever it says: the same messages are stored once it says yes again."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from sightline.errors import BadMessageError, StoreUnavailableError
from storage.database.engine import Database
from storage.database.opening import open_database
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.refusals.servers import Server
from tests.stores import open_store


@contextmanager
def opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


def says(database: Database, sqlstate: str) -> None:
    """The server's own error of this kind, on its way through the driver."""
    with database.write() as connection:
        connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{sqlstate}'; END $$")


@pytest.mark.parametrize(
    ("sqlstate", "cause"),
    [
        ("08006", "unreachable"),
        ("25006", "read_only"),
        ("25P02", "session_ended"),
        ("25P03", "session_ended"),
        ("26000", "pooler"),
        ("42P05", "pooler"),
        ("28P01", "not_permitted"),
        ("42501", "not_permitted"),
        ("3D000", "other_tables"),
        ("42P01", "other_tables"),
        ("42703", "other_tables"),
        ("40001", "conflict"),
        ("40P01", "conflict"),
        ("55P03", "busy"),
        ("57014", "busy"),
        ("53000", "exhausted"),
        ("53100", "disk_full"),
        ("53200", "exhausted"),
        ("53300", "too_many_clients"),
        ("57P01", "session_ended"),
        ("57P02", "session_ended"),
        ("57P03", "starting"),
        ("57P05", "session_ended"),
        ("58030", "broken"),
        ("XX000", "broken"),
        ("XX001", "damaged"),
        ("0A000", "broken"),  # as where the plan of a statement went with an upgrade
        ("ZZ123", "broken"),  # whatever it is: nobody has proved that it is about the message
    ],
)
def test_what_is_about_the_database_is_waited_for(server: Server, sqlstate: str, cause: str) -> None:
    with opened(server.url()) as database:
        with pytest.raises(StoreUnavailableError) as caught:
            says(database, sqlstate)
        assert caught.value.cause == cause
        with database.write() as connection:  # and it goes on
            connection.execute(sa.text("SELECT 1"))


@pytest.mark.parametrize("sqlstate", ["22003", "22021", "23502", "23514", "54000"])
def test_what_is_about_a_value_is_the_messages_fault(server: Server, sqlstate: str) -> None:
    with opened(server.url()) as database, pytest.raises(BadMessageError):
        says(database, sqlstate)


def test_a_statement_that_is_wrong_is_a_bug(server: Server) -> None:
    with opened(server.url()) as database, pytest.raises(exc.ProgrammingError):
        says(database, "42601")


def test_read_only_for_a_while(server: Server) -> None:
    sent = message(frame_result())
    with opened(server.url()) as database:
        store = open_store(database)
        server.sql("ALTER DATABASE sightline SET default_transaction_read_only = on")
        server.end_sessions()
        try:
            with pytest.raises(StoreUnavailableError, match="target_session_attrs") as caught:
                store.store([sent], ())
            assert caught.value.cause == "read_only"
        finally:
            server.sql("SET default_transaction_read_only = off", "ALTER DATABASE sightline RESET ALL")
        # Nobody has to end the sessions again: who was refused comes with a new one.
        assert store.store([sent], ())[0].counts["gate"] == {"stored": 1}


def test_a_session_that_is_ended_in_the_middle(server: Server) -> None:
    with opened(server.url()) as database:

        def write() -> None:
            with database.write() as connection:
                connection.execute(sa.text("SELECT 1"))
                server.end_sessions()
                connection.execute(sa.text("SELECT 1"))

        with pytest.raises(StoreUnavailableError) as caught:
            write()
        assert caught.value.cause == "session_ended"
        open_store(database).store([message(frame_result())], ())


def test_idle_for_longer_than_a_transaction_may_be(server: Server) -> None:
    with opened(server.url()) as database:

        def write() -> None:
            with database.write() as connection:
                connection.execute(sa.text("SET LOCAL idle_in_transaction_session_timeout = '20ms'"))
                time.sleep(0.3)
                connection.execute(sa.text("SELECT 1"))

        with pytest.raises(StoreUnavailableError) as caught:
            write()
        assert caught.value.cause == "session_ended"


def test_too_many_clients_of_a_role(server: Server) -> None:
    server.sql("CREATE ROLE one LOGIN SUPERUSER", "ALTER ROLE one NOSUPERUSER CONNECTION LIMIT 1")
    url = server.url(user="one")
    try:
        with psycopg.connect(url), opened(url) as database:
            with pytest.raises(StoreUnavailableError, match="too many connections") as caught, database.read():
                pass
            assert caught.value.cause == "too_many_clients"
    finally:
        server.sql("DROP ROLE one")


def test_a_role_that_may_not_write_yet(server: Server) -> None:
    tables = "ALL TABLES IN SCHEMA public"
    server.sql("CREATE ROLE looker LOGIN", f"GRANT SELECT ON {tables} TO looker")
    sent = message(frame_result())
    try:
        with opened(server.url(user="looker")) as database:
            store = open_store(database)
            with pytest.raises(StoreUnavailableError, match=r"permission denied.*GRANT") as caught:
                store.store([sent], ())
            assert caught.value.cause == "not_permitted"
            server.sql(f"GRANT ALL ON {tables} TO looker", "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO looker")
            assert store.store([sent], ())[0].counts["gate"] == {"stored": 1}
    finally:
        server.sql("DROP OWNED BY looker", "DROP ROLE looker")


def test_a_table_that_is_away(server: Server) -> None:
    sent = message(frame_result())
    with opened(server.url()) as database:
        store = open_store(database)
        server.sql("ALTER TABLE frames RENAME TO elsewhere")
        try:
            with pytest.raises(StoreUnavailableError, match="python -m storage upgrade"):
                store.store([sent], ())
        finally:
            server.sql("ALTER TABLE elsewhere RENAME TO frames")
        store.store([sent], ())


def test_a_lock_that_somebody_holds(server: Server) -> None:
    sent = message(frame_result())
    url = f"{server.url()}?options=-c%20statement_timeout%3D200"
    with opened(url) as database, psycopg.connect(server.url()) as other:
        other.execute("LOCK TABLE frames")
        with pytest.raises(StoreUnavailableError) as caught:
            open_store(database).store([sent], ())
        assert caught.value.cause == "busy"
        other.rollback()
        open_store(database).store([sent], ())


def test_a_disk_that_is_full(server: Server, small_disk: Path) -> None:
    sent = [message(*[frame_result(source=f"cam{number}") for number in range(64)]) for _ in range(4)]
    place = small_disk / "tablespace"
    place.mkdir()
    if server.user:
        shutil.chown(place, server.user["user"])
    server.sql(f"CREATE TABLESPACE small LOCATION '{place}'", "ALTER TABLE readings SET TABLESPACE small")
    ballast = small_disk / "ballast"
    try:
        fill(ballast)
        with opened(server.url()) as database:
            store = open_store(database)
            with pytest.raises(StoreUnavailableError, match="No space left") as caught:
                store.store(sent, ())
            assert caught.value.cause == "disk_full"
            ballast.unlink()
            store.store(sent, ())
    finally:
        ballast.unlink(missing_ok=True)
        server.sql("ALTER TABLE readings SET TABLESPACE pg_default", "DROP TABLESPACE small")


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as opened:
        while True:
            opened.write(bytes(4096))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes, where this may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"nothing may be mounted here: {mounted.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://postgres@127.0.0.1:1/sightline", "unreachable"),
        ("{server}/nowhere", "not_permitted"),
        ("postgresql://nobody@127.0.0.1:{port}/sightline", "not_permitted"),
    ],
)
def test_who_is_not_let_in(server: Server, url: str, cause: str) -> None:
    url = url.format(server=server.url("").rstrip("/"), port=server.port)
    with opened(url) as database:
        with pytest.raises(StoreUnavailableError) as caught, database.read():
            pass
        assert caught.value.cause == cause
