"""The revision of the tables: which they have, which this code wants, and the way from one to the other."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from sightline.errors import SettingsError, StoreUnavailableError
from storage.database.causes import LASTING
from storage.database.engine import Database
from storage.database.opening import CURE, open_database, shown_url

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"
_TABLE: Final = sa.table("alembic_version", sa.column("version_num"))
_REVISION: Final = sa.select(_TABLE.c.version_num)
_UPGRADE_LOCK: Final = 5_318_008  # any number, the same in every process


def upgrade(url: str) -> str:
    """Bring the tables to the newest revision and return it. Several processes may call this at once.

    Raises:
        SettingsError: the tables are of a version that is newer than this one.
    """
    from alembic import command

    database = open_database(url)
    try:
        with database.write() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sa.text("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0"))
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            config = alembic_config()
            config.attributes["connection"] = connection
            if (newer := _newer(database, _revision_of(connection))) is not None:
                raise newer
            command.upgrade(config, "head")
    finally:
        database.close()
    return expected_revision()


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
