"""What each migration does to PostgreSQL's tables: none may keep writers of a large table waiting for long."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import (
    _is_online,  # pyright: ignore[reportPrivateUsage]
    current_revision,
    expected_revision,
    known_revisions,
    upgrade,
)

#: What a statement must not be, and what to do instead.
RULES = {
    r"^CREATE (UNIQUE )?INDEX (?!CONCURRENTLY)": "storage.database.online.create_index, with ONLINE = True",
    r"^ALTER TABLE \S+ ADD COLUMN (?=.*NOT NULL)(?!.*DEFAULT)": "a server_default that is constant",
    r"^ALTER TABLE \S+ ADD COLUMN .*DEFAULT .*\(": "a server_default that is constant",
    r"^ALTER TABLE \S+ ALTER COLUMN \S+ SET NOT NULL": "ADD CONSTRAINT … CHECK … NOT VALID, then VALIDATE, then this",
    r"^ALTER TABLE \S+ ALTER COLUMN \S+ TYPE": "a new column, filled beside the old one",
    r"^ALTER TABLE \S+ ADD (CONSTRAINT|FOREIGN KEY|UNIQUE|PRIMARY KEY)(?!.*(NOT VALID|USING INDEX))": "NOT VALID",
    r"^(UPDATE|DELETE) ": "filled by the writer or the retention, in small steps",
    r"^(LOCK|CLUSTER|REINDEX|VACUUM FULL|TRUNCATE)": "not in a migration",
}
#: Tables with a row for each camera, sink, key, list entry: they stay small.
SMALL = {"sources", "sinks", "known_plates", "api_keys", "ledger_looks", "agreements", "alembic_version"}
_UNRELEASED = "older than the first release: there is no table with many rows that has not got it"
ALLOWED = {
    ("0003", "several"): _UNRELEASED,
    ("0006", "several"): _UNRELEASED,
    ("0007", "several"): _UNRELEASED,
    ("0010", "several"): _UNRELEASED,
    ("0002", "dead_letters"): _UNRELEASED,
    ("0003", "deliveries"): _UNRELEASED,
    ("0003", "passages"): _UNRELEASED,
    ("0006", "passages"): _UNRELEASED,
    ("0007", "frames"): _UNRELEASED,
    ("0007", "deliveries"): _UNRELEASED,
    ("0010", "readings"): _UNRELEASED,
    ("0010", "frames"): _UNRELEASED,
    ("0011", "passages"): _UNRELEASED,
    ("0012", "passages"): _UNRELEASED,
}
_TABLE = re.compile(r"(?:\bON|^ALTER TABLE|^UPDATE|^DELETE FROM|^LOCK TABLE|^TRUNCATE) (?:ONLY )?\"?(\w+)")
_MADE = re.compile(r"^CREATE TABLE (\w+)")


@pytest.fixture
def postgres_url(empty_url: str) -> str:
    if not empty_url.startswith("postgresql"):
        pytest.skip("SQLite has one writer, and its file is the lock")
    return empty_url


@contextmanager
def statements() -> Iterator[list[str]]:
    """All that are sent, on one line each."""
    sent: list[str] = []

    def note(*arguments: object) -> None:
        sent.append(" ".join(str(arguments[2]).split()))

    event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(sa.Engine, "before_cursor_execute", note)


def upgrade_to(url: str, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the version did whose newest revision it was."""
    known = known_revisions()
    with monkeypatch.context() as older:
        older.setattr("storage.database.revision.known_revisions", lambda: known[known.index(revision) :])
        assert upgrade(url) == revision


def violations(sent: list[str]) -> list[tuple[str, str]]:
    """Table and statement of what locks long. New tables have no rows, and nobody waits for them."""
    made = {found[1] for statement in sent if (found := _MADE.match(statement))}
    wrong: list[tuple[str, str]] = []
    for statement in sent:
        for rule, instead in RULES.items():
            if re.match(rule, statement, re.IGNORECASE):
                found = _TABLE.search(statement)
                table = found[1] if found else "?"
                if table not in made | SMALL:
                    wrong.append((table, f"{statement}; instead: {instead}"))
    return wrong


def held_together(sent: list[str]) -> set[str]:
    """Tables with rows that are changed: a deadlock with who writes to two of them, if it is one transaction."""
    made = {found[1] for statement in sent if (found := _MADE.match(statement))}
    changes = [statement for statement in sent if re.match(r"(ALTER|UPDATE|CREATE (UNIQUE )?INDEX)", statement)]
    tables = {found[1] for statement in changes if (found := _TABLE.search(statement))}
    return tables - made - {"alembic_version"}


def test_no_migration_locks_for_long(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dict[tuple[str, str], list[str]]()
    for revision in reversed(known_revisions()):
        with statements() as sent:
            upgrade_to(postgres_url, revision, monkeypatch)
        for table, statement in violations(sent):
            wrong.setdefault((revision, table), []).append(statement)
        if len(held := held_together(sent)) > 1 and not _is_online(revision):
            wrong.setdefault((revision, "several"), []).append(f"{held} in one transaction; instead: ONLINE = True")
    assert set(wrong) - set(ALLOWED) == set(), "\n".join(
        f"{revision}: {text}" for (revision, _), texts in wrong.items() for text in texts
    )
    assert set(ALLOWED) - set(wrong) == set(), "allowed without need"


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX ix ON frames (a)",
        "CREATE UNIQUE INDEX ix ON frames (a)",
        "ALTER TABLE frames ADD COLUMN a VARCHAR NOT NULL",
        "ALTER TABLE frames ADD COLUMN a VARCHAR DEFAULT gen_random_uuid() NOT NULL",
        "ALTER TABLE frames ALTER COLUMN a SET NOT NULL",
        "ALTER TABLE frames ALTER COLUMN a TYPE BIGINT",
        "ALTER TABLE frames ADD CONSTRAINT fk FOREIGN KEY(a) REFERENCES jobs (job_id)",
        "ALTER TABLE frames ADD CONSTRAINT a CHECK (a > 0)",
        "UPDATE frames SET a = 1",
    ],
)
def test_the_rules_know_what_locks(statement: str) -> None:
    assert violations([statement])
    assert not violations(["CREATE TABLE frames (a VARCHAR)", statement])


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE INDEX CONCURRENTLY ix ON frames (a)",
        "ALTER TABLE frames ADD COLUMN a VARCHAR",
        "ALTER TABLE frames ADD COLUMN a VARCHAR DEFAULT 'read' NOT NULL",
        "ALTER TABLE frames ADD CONSTRAINT a CHECK (a > 0) NOT VALID",
        "ALTER TABLE frames DROP COLUMN a",
        "UPDATE sources SET a = 1",
    ],
)
def test_the_rules_let_pass_what_is_short(statement: str) -> None:
    assert not violations([statement])


def test_a_change_waits_for_a_long_reader_and_lets_writers_pass(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup reads all tables for an hour: whoever waits for it with a lock keeps all others waiting."""
    monkeypatch.setattr("storage.database.revision._PAUSE_S", 0.01)
    monkeypatch.setattr("storage.database.revision._LOCK_MS", 100)
    upgrade_to(postgres_url, "0021", monkeypatch)
    database = open_database(postgres_url)
    reader = database.engine.connect()
    reader.begin()
    reader.execute(sa.text("SELECT * FROM sources"))
    tries: list[int] = []

    def sleep(_seconds: float) -> None:
        tries.append(_row(database, len(tries)))
        if len(tries) == 2:
            reader.close()

    monkeypatch.setattr("storage.database.revision.time.sleep", sleep)
    upgrade(postgres_url)
    assert len(tries) >= 2
    assert current_revision(database) == expected_revision()
    database.close()


def _row(database: Database, number: int) -> int:
    """A write to the table that the change waits for."""
    with database.write() as connection:
        connection.execute(sa.text("SET LOCAL lock_timeout = '5s'"))
        insert = "INSERT INTO sources (source_id, created_at) VALUES (:name, now())"
        connection.execute(sa.text(insert), {"name": f"camera{number}"})
    return number


def test_an_index_that_broke_off_is_made_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade_to(postgres_url, "0018", monkeypatch)
    database = open_database(postgres_url)
    with database.write() as connection:  # as a crash in the middle of it leaves it
        connection.execute(sa.text("ALTER TABLE passages ADD COLUMN corrected VARCHAR"))
        connection.execute(sa.text("CREATE INDEX ix_passages_corrected ON passages (text)"))
    upgrade(postgres_url)
    with database.read() as connection:
        indexes = {index["name"]: index["column_names"] for index in sa.inspect(connection).get_indexes("passages")}
        assert connection.scalar(sa.text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")) == 0
    assert indexes["ix_passages_corrected"] == ["corrected_folded"]
    database.close()
