"""The revision of the tables: which they have, which this code wants, and the way from one to the other."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from sightline.errors import SettingsError, StoreUnavailableError
from storage.database.causes import LASTING
from storage.database.engine import Database
from storage.database.errors import database_errors
from storage.database.opening import CURE, open_database, shown_url

if TYPE_CHECKING:
    from alembic.config import Config

log = logging.getLogger(__name__)

_MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
_TABLE: Final = sa.table("alembic_version", sa.column("version_num"))
_REVISION: Final = sa.select(_TABLE.c.version_num)
_UPGRADE_LOCK: Final = 5_318_008  # any number, the same in every process
_LOCK_MS: Final = 1000  #: how long a change of a table keeps others waiting behind it, until it lets them go first
_PAUSE_S: Final = 2.0
_ASK_AGAIN_S: Final = 0.2


def upgrade(url: str) -> str:
    """Bring the tables to the newest revision and return it. Several processes may call this at once.

    Each revision is a transaction of its own. Who waits for a table keeps everybody else from it: so it is tried for
    a moment only, and again after a pause, for as long as others hold the table.

    Raises:
        SettingsError: the tables are of a version that is newer than this one.
    """
    database = open_database(url)
    try:
        while (revision := _next_after(current_revision(database), database)) is not None:
            try:
                _apply(database, revision)
            except StoreUnavailableError as error:
                if error.cause not in ("busy", "conflict"):
                    raise
                log.warning("revision %s waits for others that hold a table: %s", revision, error)
                time.sleep(_PAUSE_S)
    finally:
        database.close()
    return expected_revision()


def downgrade(url: str, revision: str) -> str:
    """Bring the tables back to what they were in an older version, without what was added since. Returns the revision.

    Raises:
        SettingsError: this code does not know the revision, or it is newer than the tables; or they are newer than
            this code.
    """
    from alembic import command

    database, known = open_database(url), known_revisions()
    try:
        with _turn(database) as (config, current):
            _next_after(current, database)
            older = known[known.index(current) :] if current else ()
            if revision not in older:
                raise SettingsError(
                    f"revision: {revision!r} is none that the tables had before; expected one of {', '.join(older)}"
                )
            command.downgrade(config, revision)
    finally:
        database.close()
    return revision


def _apply(database: Database, revision: str) -> None:
    from alembic import command

    with _turn(database) as (config, current):
        if _next_after(current, database) != revision:
            return  # another process was faster
        if database.engine.dialect.name != "postgresql" or not _is_online(revision):
            command.upgrade(config, revision)
            return
        with database.engine.connect() as connection, database_errors():
            connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.execute(sa.text(f"SET lock_timeout = {_LOCK_MS}; SET statement_timeout = 0"))
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            connection.invalidate()  # nobody else is to have its time-outs


@contextmanager
def _turn(database: Database) -> Generator[tuple[Config, str | None]]:
    """Alembic's settings within a transaction that one process has at a time, and the revision before.

    Who waits for it asks now and then, and holds no transaction meanwhile: an index that is made beside writes waits
    for all that began before it.
    """
    while True:
        with database.write() as connection:
            if _has_turn(connection):
                config = alembic_config()
                config.attributes["connection"] = connection
                yield config, _revision_of(connection)
                return
        time.sleep(_ASK_AGAIN_S)


def _has_turn(connection: sa.Connection) -> bool:
    if connection.dialect.name != "postgresql":
        return True
    connection.execute(sa.text(f"SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {_LOCK_MS}"))
    return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_UPGRADE_LOCK))))


def _next_after(current: str | None, database: Database) -> str | None:
    """The revision that comes next; None after the last. Raises SettingsError: a newer version made the tables."""
    if (newer := _newer(database, current)) is not None:
        raise newer
    known = known_revisions()
    at = len(known) if current is None else known.index(current)
    return known[at - 1] if at else None


def _is_online(revision: str) -> bool:
    """Whether it is no transaction, as it makes an index beside writes or changes several tables, and so may be
    repeated."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(alembic_config()).get_revision(revision)
    return getattr(script.module, "ONLINE", False)


def current_revision(database: Database) -> str | None:
    """The revision the tables have; None before the first upgrade."""
    with database.read() as connection:
        return _revision_of(connection)


def _revision_of(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table(_TABLE.name):
        return None
    # Asked at every look at readiness. Alembic's own way makes a new statement each time, which SQLAlchemy compiles
    # and keeps.
    return connection.scalar(_REVISION)


@cache
def known_revisions() -> tuple[str, ...]:
    """Those of this code, the newest first."""
    from alembic.script import ScriptDirectory

    return tuple(str(script.revision) for script in ScriptDirectory.from_config(alembic_config()).walk_revisions())


def expected_revision() -> str:
    """The revision this code was written for."""
    return known_revisions()[0]


def check_revision(database: Database) -> None:
    """Refuse to work on tables of another revision, and on what time alone does not mend.

    Raises:
        SettingsError: with what helps.
        StoreUnavailableError: it may be there later.
    """
    where = shown_url(database)
    try:
        current, expected = current_revision(database), expected_revision()
        _check_encoding(database)
    except StoreUnavailableError as error:
        if error.cause in LASTING:
            raise SettingsError(f"SIGHTLINE_DATABASE_URL, {where}: {error}") from error
        raise
    if (newer := _newer(database, current)) is not None:
        raise newer
    if current != expected:
        raise SettingsError(f"the database {where} has revision {current or 'none'}, not {expected}: {CURE}")


def _newer(database: Database, current: str | None) -> SettingsError | None:
    """What to say where a newer version made the tables; None where it did not."""
    if current is None or current in known_revisions():
        return None
    return SettingsError(
        f"the database {shown_url(database)} has revision {current}, which this version does not know; the newest that "
        f"it knows is {expected_revision()}: a newer version of Sightline made these tables. Start that version, or "
        "name another database in SIGHTLINE_DATABASE_URL"
    )


def _check_encoding(database: Database) -> None:
    """Texts of any script shall fit in, so that no message is refused for its letters."""
    if database.engine.dialect.name != "postgresql":
        return
    with database.read() as connection:
        encoding = connection.scalar(sa.text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise SettingsError(
            f"SIGHTLINE_DATABASE_URL: the database's encoding is {encoding}, which does not hold every text: make it "
            "with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )


def alembic_config() -> Config:
    """Alembic's settings, made here: no file has to be found, whatever the current folder."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
