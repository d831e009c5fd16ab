"""Through PgBouncer in transaction mode, whatever it makes of the options of a connection."""

from __future__ import annotations

import os

import pytest
import sqlalchemy as sa

from storage.database.opening import open_database
from storage.database.revision import check_revision, upgrade
from tests.integration.storage.at_once import run_all
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.refusals.servers import Server, has_pgbouncer, pgbouncer
from tests.stores import open_store

pytestmark = pytest.mark.skipif(
    not has_pgbouncer() and not os.environ.get("CI"), reason="no PgBouncer: apt-get install pgbouncer"
)


@pytest.mark.parametrize("settings", [[], ["ignore_startup_parameters = options"]], ids=["refused", "ignored"])
def test_transactions_change_sessions_and_keep_their_time_outs(server: Server, settings: list[str]) -> None:
    with pgbouncer(server, *settings) as url:
        upgrade(url)
        database = open_database(url)
        check_revision(database)
        store = open_store(database)
        # Each kind of statement many times, so that it would be prepared, in more sessions than PgBouncer has.
        jobs = [[message(frame_result([f"AB{10 + n}CD"], source=f"cam{n}")) for _ in range(8)] for n in range(6)]
        run_all([lambda mine=mine: [store.store([each], ()) for each in mine] for mine in jobs])
        with database.read() as connection:
            shown = [connection.scalar(sa.text(f"SHOW {name}")) for name in ("statement_timeout", "timezone")]
        assert shown == ["30s", "UTC"]
        database.close()
    assert server.sql("SELECT count(*) FROM frames") == [(48,)]
