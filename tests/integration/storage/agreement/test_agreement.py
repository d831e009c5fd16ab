"""One of the two stores comes back as it was earlier: it is noticed within a sweep, named, and nothing is swallowed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from benchmarks.chaos.machine.postgres import find_binaries
from producers.api.app import create_app
from sightline.cli import main
from sightline.client.client import Sightline
from sightline.errors import SettingsError
from sightline.settings import load_settings
from sightline.testing import make_picture
from storage.__main__ import main as storage_main
from storage.access.keys import Role, create_key
from storage.accounting.agreement import Break, accept_missing, list_breaks, read_side
from storage.accounting.ledger_snapshots import lost_frames
from storage.backup import make_backup, restore_backup
from storage.doctor import look_at_agreement
from storage.tables import Frames
from tests.integration.storage.agreement.stores import Installation, OwnRedis
from tests.integration.storage.refusals.servers import primary, standby_of
from workers.housekeeping.rebuild import Rebuild


@pytest.fixture
def installation(tmp_path: Path, redis_url: str, database_url: str) -> Iterator[Installation]:
    made = Installation(tmp_path / "here", redis_url, database_url)
    made.rebuild.run()
    yield made
    made.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "redis", 'save ""')
    yield server
    server.kill()


def breaks(installation: Installation) -> list[tuple[Break, int]]:
    return [(each.kind, each.frames) for each in list_breaks(installation.database)]


def ask(installation: Installation, path: str) -> Any:
    key = create_key(installation.database, "test", Role.VIEWER)
    with TestClient(create_app(installation.settings), headers={"X-API-Key": key}) as api:
        return api.get(path).json()


def typed(monkeypatch: pytest.MonkeyPatch, *command: str) -> object:
    """The exit status of `sightline` with these arguments."""
    monkeypatch.setattr("sys.argv", ["sightline", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_rounds_of_two_stores_that_agree(installation: Installation) -> None:
    for _ in range(3):
        installation.rebuild.run()
    side = read_side(installation.database)
    assert side.step == side.proposed == installation.publisher.ledger.agreement.read().step == 4
    assert breaks(installation) == []


def test_many_writers_see_no_break_in_each_other(installation: Installation) -> None:
    def work() -> None:
        own = Rebuild(installation.database, installation.accepted, installation.publisher)
        for _ in range(15):
            own.run()

    writers = [threading.Thread(target=work) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert breaks(installation) == []
    assert read_side(installation.database).step > 4


def test_a_writer_that_died_between_the_stores_is_no_break(installation: Installation) -> None:
    side = read_side(installation.database)
    with installation.database.write() as connection:
        connection.execute(sa.text("UPDATE agreements SET proposed = proposed + 1"))
    installation.rebuild.run()
    assert read_side(installation.database).step == side.step + 1
    with installation.database.write() as connection:
        connection.execute(sa.text("UPDATE agreements SET proposed = proposed + 1"))
    installation.publisher.ledger.agreement.advance(side.installation_id, side.step + 2)
    installation.rebuild.run()
    assert read_side(installation.database).step == side.step + 2
    assert breaks(installation) == []


def test_a_restored_backup_does_again_what_it_does_not_have(
    installation: Installation, tmp_path: Path, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{find_binaries()}:/usr/bin:/bin")
    before, accepted = installation.submit("AB1"), installation.submit("AB2")
    installation.finish(before)
    installation.rebuild.run()
    make_backup(installation.settings, tmp_path / "backup", with_pictures=False)
    late = installation.submit("AB3")
    installation.finish(accepted)
    installation.finish(late)
    installation.rebuild.run()

    places = {"database_url": empty_url, "data_dir": tmp_path / "there"}
    restore_backup(installation.settings.model_copy(update=places), tmp_path / "backup")
    installation.moved_to(**places)
    installation.rebuild.run()
    assert breaks(installation) == [(Break.DATABASE_OLDER, 2), (Break.RESTORED, 0)]
    assert installation.is_open == {"gate": 1}  # what the backup has as accepted is done again by itself
    assert installation.submit("AB2").job_id == accepted.job_id
    assert installation.submit("AB3").job_id == late.job_id
    assert installation.is_open == {"gate": 2}  # and what it does not have once it is submitted again
    for job in (accepted, late):
        installation.finish(job)
    with installation.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(Frames)) == 3
    installation.submit("AB3")
    assert installation.is_open == {}  # now it is done, in this life too
    installation.rebuild.run()
    assert len(breaks(installation)) == 2

    audit = ask(installation, "/v1/audit")
    assert not audit["balanced"]
    assert audit["sources"][0]["missing_rows"] == 2
    what_to_do, note, _ = audit["notes"]
    assert "at most 2 frames" in what_to_do
    assert "accept-missing" in what_to_do
    assert "a backup was restored" in note
    assert note in ask(installation, "/readyz")["warnings"]
    finding, _ = look_at_agreement(installation.settings)
    assert (finding.state, finding.says) == ("warn", note)

    accept_missing(installation.database, 2)
    assert ask(installation, "/v1/audit")["balanced"]
    assert "backup" not in str(ask(installation, "/readyz")["warnings"])


def test_after_a_restore_by_the_book_nothing_is_called_lost(
    tmp_path: Path, own_redis: OwnRedis, database_url: str, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{find_binaries()}:/usr/bin:/bin")
    installation = Installation(tmp_path / "here", own_redis.url, database_url)
    for text in ("AB1", "AB2"):
        installation.finish(installation.submit(text))
    noted = installation.submit("AB3")
    installation.submit("LV1", "lane", is_noted=False)
    installation.rebuild.run()
    make_backup(installation.settings, tmp_path / "backup", with_pictures=False)
    installation.rebuild.run()

    own_redis.client().flushdb()
    places = {"database_url": empty_url, "data_dir": tmp_path / "there"}
    restore_backup(installation.settings.model_copy(update=places), tmp_path / "backup")
    installation.moved_to(**places)
    for _ in range(3):
        installation.rebuild.run()
    assert breaks(installation) == [(Break.RESTORED, 0)]
    assert lost_frames(installation.database) == {}
    assert [job.job_id for job in installation.publisher.ledger.open_jobs()] == [noted.job_id]
    installation.finish(noted)
    installation.finish(installation.submit("AB4"))
    for path in ("/v1/audit", f"/v1/audit?since={datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"):
        audit = ask(installation, path)
        assert audit["balanced"], audit
        assert "backup" in audit["notes"][-1]

    own_redis.client().flushdb()  # and of the next time it is told
    installation.rebuild.run()
    assert breaks(installation)[0][0] is Break.REDIS_EMPTIED
    installation.close()


def test_a_late_copy_of_what_a_restored_database_lacks_is_worked_on(
    installation: Installation, tmp_path: Path, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{find_binaries()}:/usr/bin:/bin")
    make_backup(installation.settings, tmp_path / "backup", with_pictures=False)
    job = installation.submit("AB1")
    installation.finish(job)
    installation.rebuild.run()
    assert installation.publisher.ledger.begin(job) == 0
    places = {"database_url": empty_url, "data_dir": tmp_path / "there"}
    restore_backup(installation.settings.model_copy(update=places), tmp_path / "backup")
    installation.moved_to(**places)
    installation.rebuild.run()
    assert installation.publisher.ledger.begin(job) > 0


def test_an_old_redis_names_what_it_lost(tmp_path: Path, own_redis: OwnRedis, database_url: str) -> None:
    installation = Installation(tmp_path / "here", own_redis.url, database_url)
    kept = installation.submit("AB1", "lane", is_noted=False)
    installation.rebuild.run()
    own_redis.save()
    noted = installation.submit("AB2")
    for number in range(3):
        installation.submit(f"LV{number}", "lane", is_noted=False)
    installation.rebuild.run()
    own_redis.bring_back()
    installation.rebuild.run()
    assert breaks(installation) == [(Break.REDIS_OLDER, 3)]
    assert lost_frames(installation.database) == {"lane": 3}
    assert {job.job_id for job in installation.publisher.ledger.open_jobs()} == {kept.job_id, noted.job_id}
    installation.rebuild.run()
    assert len(breaks(installation)) == 1
    audit = ask(installation, "/v1/audit")
    assert [each["lost"] for each in audit["sources"]] == [0, 3]
    assert "Redis came back as it was earlier" in audit["notes"][0]
    installation.close()


def test_a_promoted_replica_that_lagged_is_an_old_redis(tmp_path: Path, database_url: str) -> None:
    master, replica = (OwnRedis(tmp_path / name, 'save ""') for name in ("master", "replica"))
    installation = Installation(tmp_path / "here", master.url, database_url)
    installation.rebuild.run()
    replica.client().replicaof("127.0.0.1", str(master.port))
    while replica.client().hget("sightline:agreement", "step") is None:
        pass
    replica.client().replicaof("NO", "ONE")
    installation.submit("LV1", "lane", is_noted=False)
    noted = installation.submit("AB1")
    installation.rebuild.run()
    installation.moved_to(redis_url=replica.url)
    installation.rebuild.run()
    assert breaks(installation) == [(Break.REDIS_OLDER, 1)]
    assert [job.job_id for job in installation.publisher.ledger.open_jobs()] == [noted.job_id]
    installation.close()
    master.kill()
    replica.kill()


def test_a_redis_that_lost_its_last_moment_is_compared_at_once(
    tmp_path: Path, own_redis: OwnRedis, database_url: str
) -> None:
    installation = Installation(tmp_path / "here", own_redis.url, database_url)
    installation.rebuild.run()
    own_redis.save()
    noted = installation.submit("AB1")
    own_redis.bring_back()
    installation.rebuild.run()
    assert [job.job_id for job in installation.publisher.ledger.open_jobs()] == [noted.job_id]
    assert breaks(installation) == []
    installation.close()


def test_an_emptied_redis_is_named(tmp_path: Path, own_redis: OwnRedis, database_url: str) -> None:
    installation = Installation(tmp_path / "here", own_redis.url, database_url)
    installation.rebuild.run()
    installation.submit("LV1", "lane", is_noted=False)
    installation.rebuild.run()
    own_redis.client().flushall()
    writers = [installation.rebuild, Rebuild(installation.database, installation.accepted, installation.publisher)]
    for each in writers * 2:
        each.run()
    assert breaks(installation) == [(Break.REDIS_EMPTIED, 1)]
    installation.close()


def test_a_database_of_another_installation_is_refused_in_words(installation: Installation, tmp_path: Path) -> None:
    other = Installation(tmp_path / "other", installation.settings.redis_url)
    with pytest.raises(SettingsError, match=r"this Redis works with another database.*FLUSHDB"):
        other.rebuild.run()
    assert (
        installation.publisher.ledger.agreement.read().installation_id
        == read_side(installation.database).installation_id
    )
    ready = ask(other, "/readyz")
    assert ready["status"] == "not ready"
    assert "works with another database" in ready["checks"]["agreement"]
    assert "works with another database" not in str(ask(installation, "/readyz"))
    headers = {"X-API-Key": create_key(other.database, "submits", Role.OPERATOR)}
    with TestClient(create_app(other.settings), headers=headers) as api:
        taken = api.post("/v1/jobs", files={"files": ("a.jpg", make_picture("AB123CD"))})
    assert taken.status_code == 503, taken.text
    assert "works with another database" in taken.json()["detail"]
    assert installation.publisher.ledger.open_jobs() == []
    (finding,) = look_at_agreement(other.settings)
    assert finding.state == "bad"
    assert "FLUSHDB" in finding.do
    other.close()


def test_commands_and_clients_send_nothing_to_another_installation(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "car.jpg").write_bytes(make_picture("AB123CD"))
    (tmp_path / "ask.jsonl").write_text(
        '{"custom_id": "1", "body": {"model": "m", "messages": [{"role": "user", "content": "hi"}]}}'
    )
    other = Installation(tmp_path / "other", installation.settings.redis_url)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[4]))
    monkeypatch.setenv("SIGHTLINE_REDIS_URL", other.settings.redis_url)
    monkeypatch.setenv("SIGHTLINE_FRAMES_URL", other.settings.frames_url)
    settings = load_settings(installation_id=read_side(other.database).installation_id)
    with Sightline(settings) as client, pytest.raises(SettingsError, match="works with another database") as refused:
        client.submit("car.jpg")
    assert "SIGHTLINE_INSTALLATION_ID" in str(refused.value)
    assert "FLUSHDB" not in str(refused.value)  # it may be the setting alone that is wrong
    assert storage_main(["installation"]) == 1  # there is none in ./data
    monkeypatch.setenv("SIGHTLINE_DATABASE_URL", other.settings.sqlalchemy_url)
    capsys.readouterr()
    assert storage_main(["installation"]) == 0
    assert capsys.readouterr().out.strip() == read_side(other.database).installation_id
    for command in (
        ["submit", "car.jpg"],
        ["submit", "ask.jsonl", "--pipeline", "chat", "--out", "answers.jsonl"],
        ["ask", "hi", "--no-lookups"],
    ):
        assert typed(monkeypatch, *command) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert said.count("works with another database") == 1, said
    assert installation.publisher.ledger.open_jobs() == []
    monkeypatch.setenv("SIGHTLINE_DATABASE_URL", installation.settings.sqlalchemy_url)
    assert typed(monkeypatch, "submit", "car.jpg") == 0
    (job,) = installation.publisher.ledger.open_jobs()
    assert job.frames[0].name == "car.jpg"
    other.close()


def test_a_promoted_postgres_may_lack_its_last_moment(tmp_path: Path, redis_url: str) -> None:
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL")
    with primary(binaries) as first, standby_of(first) as second:
        installation = Installation(tmp_path / "here", redis_url, first.url())
        installation.rebuild.run()
        installation.rebuild.run()
        assert read_side(installation.database).timeline == "00000001"
        while second.sql("SELECT count(*) FROM agreements WHERE step >= 2")[0][0] == 0:
            pass
        first_step = installation.publisher.ledger.agreement.read().step
        second.sql("SELECT pg_wal_replay_pause()", name="postgres")
        job = installation.submit("AB1")
        installation.finish(job)
        second.sql("SELECT pg_wal_replay_resume()", name="postgres")
        second.promote()
        installation.moved_to(database_url=second.url())
        assert installation.publisher.ledger.agreement.read().step == first_step
        installation.rebuild.run()
        assert [kind for kind, _ in breaks(installation)] == [Break.DATABASE_PROMOTED]
        installation.submit("AB1")
        assert installation.is_open == {"gate": 1}
        installation.close()
