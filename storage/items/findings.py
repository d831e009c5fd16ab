"""Rows of any result: each field that is not one of every item is a finding, and of a list each entry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, get_origin

import sqlalchemy as sa

from sightline.settings import Settings
from sightline.types import ItemResult, OtherResult
from storage.database.bulk import Row, insert_rows
from storage.items.changes import Changes, NoChanges
from storage.items.columns import of_item, of_stage
from storage.items.writers import StoredItem, Write
from storage.tables import Findings


def open_rows(_settings: Settings) -> FindingRows:
    return FindingRows()


class FindingRows:
    """Findings, and nothing else."""

    def begin(self, connection: sa.Connection, items: Sequence[StoredItem]) -> Write:  # noqa: ARG002
        return _write


def _write(connection: sa.Connection, items: Sequence[StoredItem], now: datetime) -> Changes:  # noqa: ARG001
    write_findings(connection, items, ItemResult)
    return NoChanges()


def write_findings(connection: sa.Connection, items: Sequence[StoredItem], base: type[ItemResult]) -> None:
    """Write the fields that results have beside those of `base`."""
    insert_rows(connection, Findings, [row for item in items for row in _rows(item, base)])


def load_found(
    connection: sa.Connection,
    items: Sequence[sa.RowMapping],
    result: type[ItemResult],
    base: type[ItemResult] = ItemResult,
) -> dict[str, dict[str, Any]]:
    """The fields beside those of `base`, by frame_id."""
    found: dict[str, dict[str, Any]] = {item["frame_id"]: {} for item in items}
    names = _own(result, base)
    if not names and result is not OtherResult:
        return found
    rows = sa.select(Findings.frame_id, Findings.kind, Findings.payload)
    ordered = rows.where(Findings.frame_id.in_(found)).order_by(Findings.kind, Findings.finding_index)
    for frame_id, kind, payload in connection.execute(ordered):
        found[frame_id].setdefault(kind, []).append(payload)
    return {
        frame_id: {name: each if names.get(name, len(each) > 1) else each[0] for name, each in values.items()}
        for frame_id, values in found.items()
    }


def _rows(item: StoredItem, base: type[ItemResult]) -> list[Row]:
    result = item.result
    names = _own(type(result), base)
    if not names:
        return []
    stage = result.stages[-1].stage if result.stages else None
    common = of_item(result) | of_stage(result, stage) | {"pipeline": item.job.pipeline, "stage": stage}
    values = result.model_dump(mode="json", include=set(names), exclude_defaults=True)
    return [
        common | {"kind": name, "finding_index": index, "payload": payload}
        for name, value in values.items()
        for index, payload in enumerate(value if names[name] else [value])
    ]


def _own(result: type[ItemResult], base: type[ItemResult]) -> dict[str, bool]:
    """The fields beside those of `base`, and whether each is a list."""
    fields = result.model_fields.items()
    return {name: get_origin(its.annotation) in (tuple, list) for name, its in fields if name not in base.model_fields}
