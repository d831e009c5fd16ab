"""How fast jobs come to an end, on each database."""

from __future__ import annotations

import pytest

from storage.accounting import throughput
from storage.database.engine import Database
from tests.integration.storage.bundles import frame_result, message
from tests.stores import open_store


def test_frames_a_second(database: Database) -> None:
    assert throughput.frames_per_s(database, over_s=60) == 0
    open_store(database).store([message(frame_result(["KAB4721"]))], ())
    assert throughput.frames_per_s(database, over_s=60.0) == pytest.approx(1 / 60)
