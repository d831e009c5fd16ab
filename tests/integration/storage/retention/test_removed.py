"""What went by age is counted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from storage.accounting import reconciliation
from storage.accounting.removed import fold_hours, hour_of, note_removed
from storage.database.engine import Database
from storage.results import queries
from storage.results.store import Store
from storage.tables import RemovedRows
from tests.integration.storage.bundles import frame_result, message
from tests.integration.storage.retention.aging import NOW, SETTINGS, count, put_aged, remove


def test_the_hours_of_what_went_are_counted(database: Database, store: Store) -> None:
    put_aged(store, database, message(frame_result(), frame_result(source="yard")), 5)
    put_aged(store, database, message(frame_result()), 400)
    short = SETTINGS.model_copy(update={"keep_results_days": 2.0})
    remove(database, settings=short)
    hour = datetime.fromtimestamp(hour_of(NOW - timedelta(days=5)) * 3600, UTC)
    counted = reconciliation.rows_between(database, hour, hour + timedelta(hours=1))
    assert counted == {"gate": Counter(removed=1), "yard": Counter(removed=1)}
    assert reconciliation.rows_between(database, hour + timedelta(hours=1), NOW) == {}
    assert queries.counts_by_source(database) == {"gate": Counter(removed=2), "yard": Counter(removed=1)}
    with database.write() as connection:
        fold_hours(connection, NOW + timedelta(days=30))
    assert reconciliation.rows_between(database, hour, hour + timedelta(hours=1)) == {}
    assert queries.counts_by_source(database) == {"gate": Counter(removed=2), "yard": Counter(removed=1)}
    assert count(database, RemovedRows) == 2


def test_counts_of_what_went_add_up(database: Database) -> None:
    for _ in range(2):
        with database.write() as connection:
            note_removed(connection, NOW, stored=[("gate", NOW)] * 3, dead=[("gate", 2), ("yard", 1)])
    assert queries.counts_by_source(database) == {
        "gate": Counter(removed=6, removed_dead=4),
        "yard": Counter(removed_dead=2),
    }
