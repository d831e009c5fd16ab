"""A primary that goes, a standby that is promoted, and a URL that names both."""

from __future__ import annotations

import signal

import pytest
import sqlalchemy as sa

from sightline.errors import StoreUnavailableError
from storage.database.engine import Database
from storage.database.opening import open_database
from storage.tables import Frames
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.refusals.servers import Server, primary, standby_of
from tests.stores import open_store


def frames(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(Frames)) or 0


def test_a_promoted_standby_is_found_by_who_was_connected(refusing_server: Server) -> None:
    before, after = message(frame_result()), message(frame_result())
    with primary(refusing_server.binaries) as first, standby_of(first) as second:
        both = f"127.0.0.1:{first.port},127.0.0.1:{second.port}"
        database = open_database(f"postgresql://postgres@{both}/sightline?target_session_attrs=read-write")
        alone = open_database(second.url())
        store = open_store(database)
        store.store([before], ())

        with pytest.raises(StoreUnavailableError) as only_reads:
            open_store(alone).store([after], ())
        first.stop(signal.SIGQUIT)
        with pytest.raises(StoreUnavailableError) as between:
            store.store([after], ())
        second.promote()
        store.store([after], ())
        # Who was connected to the standby all the time need not come again: it writes now.
        assert open_store(alone).store([after], ())[0].counts["gate"] == {"stored": 1}

        assert (only_reads.value.cause, between.value.cause) == ("read_only", "read_only")
        second.stop(signal.SIGQUIT)
        with pytest.raises(StoreUnavailableError) as gone:
            store.store([after], ())
        assert gone.value.cause in ("session_ended", "unreachable")
        second.start()
        assert frames(database) == 2
        for each in (database, alone):
            each.close()
