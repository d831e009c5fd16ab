"""Who stores what a pipeline finds: `sightline.pipelines` names a module, which brings the tables.

Such a module has two functions:

    open_rows(settings: Settings) -> ItemRows
    load_found(connection, items: Sequence[RowMapping], result: type[ItemResult]) -> dict[str, dict[str, Any]]

The first is asked once by the writer. The second reads back, for rows of `frames`, by frame_id, the fields of the
results that are not those of every item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from sightline.pipelines import registry
from sightline.settings import Settings
from sightline.types import ItemResult
from sightline.wire.messages import Job
from storage.items.changes import Changes

#: Of a pipeline that is not known here.
_UNKNOWN = "storage.items.findings"


class StoredItem(NamedTuple):
    """An item that came through all stages."""

    job: Job
    result: ItemResult

    @property
    def key(self) -> str:
        return self.result.frame.frame_id


#: Writes what was found on items whose rows this transaction inserted: nobody else has them, and they come sorted.
Write = Callable[[sa.Connection, Sequence[StoredItem], datetime], Changes]


class ItemRows(Protocol):
    """Safe to share between threads."""

    def begin(self, connection: sa.Connection, items: Sequence[StoredItem]) -> Write:
        """Before any row of these items is inserted, some of which may be there already: take the locks."""
        ...


class RowsOfPipelines:
    """The rows of every pipeline there is, opened when they are first needed."""

    def __init__(self, settings: Settings, opened: Mapping[str, ItemRows] | None = None) -> None:
        """`opened`: by module, in place of what that would open."""
        self._settings = settings
        self._opened = dict(opened or {})

    def begin(self, connection: sa.Connection, items: Sequence[StoredItem]) -> list[tuple[str, Write]]:
        """Who writes the items of which module. Always in one order, lest two writers wait for each other."""
        by_module: dict[str, list[StoredItem]] = {}
        for item in items:
            by_module.setdefault(rows_module(item.job.pipeline), []).append(item)
        return [(name, self._rows(name).begin(connection, its)) for name, its in sorted(by_module.items())]

    def _rows(self, name: str) -> ItemRows:
        if name not in self._opened:
            self._opened[name] = import_module(name).open_rows(self._settings)
        return self._opened[name]


def rows_module(pipeline: str) -> str:
    """The module that stores what this pipeline finds."""
    spec = registry().find(pipeline)
    return _UNKNOWN if spec is None else spec.rows_module


def load_found(
    connection: sa.Connection, pipeline: str, items: Sequence[sa.RowMapping], result: type[ItemResult]
) -> dict[str, dict[str, Any]]:
    """What was found on items of a pipeline, by frame_id: the fields of its results beside those of every item."""
    return import_module(rows_module(pipeline)).load_found(connection, items, result)
