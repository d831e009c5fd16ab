"""Stores of results, with what a test says of passages."""

from __future__ import annotations

from sightline.settings import Settings
from storage.database.engine import Database
from storage.items.writers import RowsOfPipelines
from storage.passages.plate_lists import ListReader
from storage.passages.plate_rows import PlateRows
from storage.results.store import Store
from storage.sinks.outbox import Outbox


def open_store(
    database: Database,
    passage_gap_s: float = 10,
    outbox: Outbox | None = None,
    *,
    parked_gap_s: float = 0.0,
    lists: ListReader | None = None,
    countries: tuple[str, ...] = (),
) -> Store:
    """A store whose transactions may find passages after so long."""
    plates = PlateRows(passage_gap_s, parked_gap_s=parked_gap_s, lists=lists, countries=countries)
    return Store(database, RowsOfPipelines(Settings(), {"storage.passages.plate_rows": plates}), outbox)
