"""The migrations make exactly the tables that `storage.tables` describes."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from sightline.errors import SettingsError
from storage.cameras import list_cameras
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.database.revision import (
    alembic_config,
    check_revision,
    current_revision,
    downgrade,
    expected_revision,
    upgrade,
)
from storage.jobs.rows import letter_id
from storage.passages.search import find_passages
from storage.results import queries
from storage.results.queries import list_dead_letters
from storage.tables import Base, Passages
from tests.integration.storage.at_once import run_all
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.pictures import frame
from tests.stores import open_store


def test_migrations_and_tables_agree(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_upgrade_from_nothing_and_again(empty_url: str) -> None:
    assert upgrade(empty_url) == upgrade(empty_url) == expected_revision()
    database = open_database(empty_url)
    assert current_revision(database) == expected_revision()
    check_revision(database)
    database.close()


def test_several_processes_may_upgrade_at_once(empty_url: str) -> None:
    run_all([lambda: upgrade(empty_url)] * 4)


def test_downgrade_leaves_nothing(empty_url: str) -> None:
    upgrade(empty_url)
    database = open_database(empty_url)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    database.close()


def test_back_to_the_tables_of_an_older_version_and_forth_again(empty_url: str) -> None:
    with pytest.raises(SettingsError, match="'0016' is none that the tables had"):
        downgrade(empty_url, "0016")
    upgrade(empty_url)
    assert downgrade(empty_url, "0016") == "0016"
    for refused in ("0017", "9999"):
        with pytest.raises(SettingsError, match="expected one of 0016, 0015"):
            downgrade(empty_url, refused)
    assert upgrade(empty_url) == expected_revision()


def test_letters_from_before_get_their_name(empty_url: str) -> None:
    database = open_database(empty_url)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        texts = "frame_id, job_id, source_id, pipeline, lane, stage, reason, message"
        connection.exec_driver_sql(
            f"INSERT INTO dead_letters ({texts}, captured_at, died_at, attempt, times, result) VALUES "
            "('frame-0001', 'job-000001', 'gate', 'plates', 'bulk', 'detect', 'bad_image', 'cut off', "
            "'2026-01-02 00:00:00', '2026-01-02 00:00:00', 1, 1, '{\"payload\": 7}')"
        )
    upgrade(empty_url)
    (letter,) = list_dead_letters(database).items
    assert letter.letter_id == letter_id("job-000001", "frame-0001")
    assert (letter.picture_kept, letter.payload) == (False, 7)
    database.close()


def test_passages_from_before_keep_their_readings_and_are_found(empty_url: str) -> None:
    database = open_database(empty_url)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for statement in _OLD_PASSAGE:
            connection.execute(sa.text(statement))
        connection.execute(sa.text("UPDATE sources SET url = 'rtsp://host/1'"))
    upgrade(empty_url)
    (passage,) = find_passages(database, "A812CD", max_distance=0.9).items
    assert (passage.text, passage.direction, passage.match) == ("AB12CD", "unknown", None)
    assert queries.list_passages(database, text="?B12C?").items[0].passage_id == passage.passage_id
    open_store(database, 10, parked_gap_s=60).store([message(frame_result(["AB12CD"], at_s=3))], ())
    (grown,) = queries.list_passages(database).items
    with database.read() as connection:
        votes = connection.scalar(sa.select(Passages.votes))
    assert votes == {"AB12CD": {"count": 2, "weights": [950 + 900] * 6, "surest": 950}}
    assert (grown.passage_id, grown.reading_count, grown.best_frame_id) == (passage.passage_id, 2, "frame-0001")
    assert {view.passage_id for view in queries.list_readings(database).items} == {passage.passage_id}
    database.close()


def test_cameras_from_before_keep_their_rate(empty_url: str) -> None:
    database = open_database(empty_url)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0007")
        connection.execute(
            sa.text(
                "INSERT INTO sources (source_id, created_at, url, pipeline, fps, preset, motion, enabled, loop) VALUES"
                " ('gate', '2026-05-01 12:00:00', 'rtsp://host/1', 'plates', 2.5, 'live', true, true, false)"
            )
        )
    upgrade(empty_url)
    (camera,) = list_cameras(database)
    assert (camera.fps, camera.min_fps) == (2.5, None)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0007")
        assert connection.scalar(sa.text("SELECT fps FROM sources WHERE source_id = 'gate'")) == 2.5
    database.close()


def test_what_a_camera_has_in_view_goes_on_as_a_sequence(empty_url: str) -> None:
    database = open_database(empty_url)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        for source in ("gate", "yard", "files"):
            for statement in _OLD_PASSAGE:
                renamed = statement.replace("gate", source).replace("-0001", f"-{source}")
                connection.execute(sa.text(renamed))
        connection.execute(sa.text("UPDATE sources SET url = 'rtsp://host/1' WHERE source_id <> 'files'"))
        connection.execute(sa.text("UPDATE passages SET final_at = updated_at WHERE source_id = 'yard'"))
    upgrade(empty_url)
    known = {"gate": "live", "yard": None, "files": None}
    with database.write() as connection:
        for table in ("frames", "readings"):
            assert dict(connection.execute(sa.text(f"SELECT source_id, sequence FROM {table}")).all()) == known
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")
        assert connection.scalar(sa.text("SELECT count(*) FROM readings")) == 3
        for table in ("frames", "readings"):
            columns = {column["name"] for column in sa.inspect(connection).get_columns(table)}
            assert columns.isdisjoint({"sequence", "time_from"})
    database.close()


def test_matches_from_before_were_by_vote(empty_url: str) -> None:
    database = open_database(empty_url)
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for statement in _OLD_PASSAGE:
            connection.execute(sa.text(statement))
        command.upgrade(config, "0009")
        connection.execute(sa.text("UPDATE passages SET list_name = 'deny', list_plate = 'AB12CE', list_distance = 1"))
    upgrade(empty_url)
    (passage,) = queries.list_passages(database, list_name="deny").items
    assert passage.match is not None
    assert tuple(passage.match.model_dump().values()) == ("deny", "AB12CE", 1.0, "AB12CD", "vote")
    with database.write() as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0009")
        assert connection.scalar(sa.text("SELECT list_plate FROM passages")) == "AB12CE"
        with pytest.raises(sa.exc.DBAPIError), connection.begin_nested():
            connection.execute(sa.text("SELECT list_by FROM passages"))
    database.close()


def test_passages_from_before_know_their_sequence_and_contests_are_gone(empty_url: str) -> None:
    """What a camera has in view goes on as the same passage, though where it was last is not known."""
    database = open_database(empty_url)
    config = alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        for source in ("gate", "yard", "files"):
            for statement in _OLD_PASSAGE:
                connection.execute(sa.text(statement.replace("gate", source).replace("-0001", f"-{source}")))
        connection.execute(sa.text("UPDATE sources SET url = 'rtsp://host/1' WHERE source_id <> 'files'"))
        connection.execute(sa.text("UPDATE passages SET final_at = updated_at WHERE source_id = 'yard'"))
        connection.execute(sa.text(f"UPDATE passages SET contest = passage_id, folded = 'A812CD', votes = '{_VOTES}'"))
        command.upgrade(config, "0012")
        columns = {column["name"] for column in sa.inspect(connection).get_columns("passages")}
        assert "contest" not in columns
        known = connection.execute(sa.text("SELECT source_id, sequence, origin, motion FROM passages")).all()
        assert sorted(map(tuple, known)) == [
            ("files", None, "read", None),
            ("gate", "live", "read", None),
            ("yard", None, "read", None),
        ]
    upgrade(empty_url)
    box = (10.5, 20.0, 110.0, 50.25)
    again = [frame(("AB12CD", box), at_s=3, source=source, sequence=None if source == "files" else "live")
        for source in ("gate", "yard", "files")]  # fmt: skip
    open_store(database, 10, parked_gap_s=60).store([message(*again)], ())
    counts = {
        source: [(view.passage_id, view.reading_count) for view in queries.list_passages(database, source=source).items]
        for source in ("gate", "yard", "files")
    }
    assert counts["gate"] == [("frame-gate.0", 2)]
    assert counts["files"] == [("frame-files.0", 2)]
    assert sorted(count for _, count in counts["yard"]) == [1, 1], "what is final goes on no more"
    with database.read() as connection:
        motions = dict(connection.execute(sa.select(Passages.passage_id, Passages.motion)).all())
    assert motions["frame-gate.0"] is not None
    assert motions["frame-yard.0"] is None
    _downgrade(database, "0011")
    with database.write() as connection:
        assert set(connection.scalars(sa.text("SELECT contest FROM passages"))) == {None}
        columns = {column["name"] for column in sa.inspect(connection).get_columns("passages")}
        assert columns.isdisjoint({"sequence", "origin", "motion"})
        indexes = {index["name"] for index in sa.inspect(connection).get_indexes("passages")}
        assert "ix_passages_contest" in indexes
    upgrade(empty_url)
    assert len(queries.list_passages(database).items) == 4
    database.close()


def _downgrade(database: Database, revision: str) -> None:
    config = alembic_config()
    with database.write() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


_VOTES = '{"AB12CD"\\:{"count"\\:1,"weights"\\:[950,950,950,950,950,950]}}'
_OLD_PASSAGE = (
    "INSERT INTO sources (source_id, created_at) VALUES ('gate', '2026-05-01 12:00:00')",
    "INSERT INTO jobs (job_id, pipeline, lane, status, attempt, frame_count, published_at, finished_at, outcomes,"
    " dropped) VALUES ('job-0001', "
    "'plates', 'live', 'stored', 1, 1, '2026-05-01 12:00:00', '2026-05-01 12:00:00', '[]', '[]')",
    "INSERT INTO frames (frame_id, source_id, job_id, captured_at, seq, name, width, height, stages, picture_kept,"
    " published_at, stored_at) VALUES ('frame-0001', 'gate', 'job-0001', '2026-05-01 12:00:00', 0, '', 9, 9, '[]',"
    " false, '2026-05-01 12:00:00', '2026-05-01 12:00:00')",
    "INSERT INTO passages (passage_id, source_id, text, confidence, first_seen, last_seen, reading_count,"
    " best_confidence, best_seen, best_frame_id, best_reading_index, votes, updated_at) VALUES ('frame-0001.0', 'gate',"
    " 'AB12CD', 0.95, '2026-05-01 12:00:00', '2026-05-01 12:00:00', 1, 0.95, '2026-05-01 12:00:00', 'frame-0001', 0,"
    ' \'{"6"\\:{"count"\\:1,"weight"\\:950,"chars"\\:[{"A"\\:950},{"B"\\:950},{"1"\\:950},{"2"\\:950},'
    '{"C"\\:950},{"D"\\:950}]}}\', \'2026-05-01 12:00:00\')',
    "INSERT INTO readings (frame_id, reading_index, source_id, captured_at, text, normalized, confidence,"
    " char_confidences, passage_id) VALUES ('frame-0001', 0, 'gate', '2026-05-01 12:00:00', 'AB12CD', 'AB12CD', 0.95,"
    " '[]', 'frame-0001.0')",
)


def test_searches_use_indexes(database: Database) -> None:
    """A prefix of a plate and a camera's timeline must not read the whole table."""
    questions = [
        "SELECT * FROM passages WHERE text LIKE 'AB1%' ESCAPE '\\'",
        "SELECT * FROM passages WHERE text = 'AB12'",
        "SELECT * FROM passages WHERE folded = 'A812' ORDER BY first_seen DESC LIMIT 10",
        "SELECT folded FROM plate_rotations WHERE rotation >= 'A8' AND rotation < 'A8~'",
        "SELECT * FROM passages WHERE list_name = 'deny' ORDER BY first_seen DESC LIMIT 10",
        "SELECT * FROM detections WHERE source_id = 'a' ORDER BY captured_at DESC LIMIT 10",
        "SELECT * FROM readings WHERE source_id = 'a' AND captured_at > '2026-01-01'",
        "SELECT * FROM frames WHERE source_id = 'a' AND picture_kept ORDER BY captured_at DESC LIMIT 1",
        "SELECT * FROM frames ORDER BY captured_at DESC, frame_id DESC LIMIT 10",
    ]
    explain = "EXPLAIN QUERY PLAN" if database.engine.dialect.name == "sqlite" else "EXPLAIN"
    with database.read() as connection:
        if explain == "EXPLAIN":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for question in questions:
            plan = " ".join(
                str(row)
                for row in connection.exec_driver_sql(
                    f"{explain} {question}".replace("%", "%%" if explain == "EXPLAIN" else "%")
                )
            )
            assert "INDEX" in plan.upper() or "PRIMARY KEY" in plan.upper(), plan
            assert "SEQ SCAN" not in plan.upper(), plan
