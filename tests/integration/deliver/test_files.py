"""JSON lines: whole, one file a day, each event once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.settings import Settings
from storage.database.engine import Database
from storage.sinks import deliveries
from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import add_sink, new_sink
from tests.integration.deliver.conftest import delivering, wait_for
from workers.deliver.jsonl import JsonlSender
from workers.deliver.sender import NotDeliveredError


def delivery(number: int, timestamp: str = "2026-05-01T12:00:00+00:00") -> DueDelivery:
    payload = {"type": "passage.new", "timestamp": timestamp, "data": {"source_id": "gate", "text": f"Ä{number}"}}
    return DueDelivery(f"id-{number}", "passage.new", payload, 1)


def sender(folder: Path) -> JsonlSender:
    return JsonlSender(new_sink(sink_id="archive", url=folder.as_uri()))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_events_become_lines(settings: Settings, database: Database, see: Callable[..., None]) -> None:
    folder = settings.data_dir / "with space"
    add_sink(database, new_sink(sink_id="archive", url=folder.as_uri()))
    for index in range(20):
        see(f"AB{10 + index}CD", at_s=index * 20, source=f"cam{index % 4}")
    with delivering(settings, database):
        wait_for(lambda: deliveries.count_deliveries(database)["archive"].sent == 20)
    (path,) = folder.iterdir()
    written = lines(path)
    assert path.name == f"archive-{written[0]['timestamp'][:10]}.jsonl"
    assert sorted(line["data"]["text"] for line in written) == [f"AB{10 + index}CD" for index in range(20)]
    assert len({line["id"] for line in written}) == 20


async def test_a_file_a_day_and_whole_lines_after_a_torn_one(tmp_path: Path) -> None:
    to_file = sender(tmp_path)
    (tmp_path / "archive-2026-05-01.jsonl").write_bytes(b'{"id": "torn')
    await asyncio.gather(*(to_file.send(delivery(number)) for number in range(10)))
    await to_file.send(delivery(99, "2026-05-01T23:59:59-05:00"))
    first, *rest = (tmp_path / "archive-2026-05-01.jsonl").read_text("utf-8").splitlines()
    assert first == '{"id": "torn'
    assert {json.loads(line)["data"]["text"] for line in rest} == {f"Ä{number}" for number in range(10)}
    assert [line["id"] for line in lines(tmp_path / "archive-2026-05-02.jsonl")] == ["id-99"]


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotDeliveredError, match="file"):
        await sender(tmp_path / "file").send(delivery(1))
