"""Events as lines of files, one file a day."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from storage.sinks.deliveries import DueDelivery
from storage.sinks.sinks import Sink
from workers.deliver.sender import NotDeliveredError, Sender


class JsonlSender(Sender):
    """Appends to `<folder>/<sink_id>-<day>.jsonl`; the day is that of the event, UTC."""

    def __init__(self, sink: Sink) -> None:
        self._sink_id = sink.sink_id
        self._folder = Path(unquote(urlsplit(sink.url.get_secret_value()).path))
        self._one_at_a_time = asyncio.Lock()

    async def send(self, delivery: DueDelivery) -> None:
        day = datetime.fromisoformat(delivery.payload["timestamp"]).astimezone(UTC).date()
        line = json.dumps({"id": delivery.delivery_id} | delivery.payload, ensure_ascii=False) + "\n"
        try:
            async with self._one_at_a_time:
                await asyncio.to_thread(_append, self._folder / f"{self._sink_id}-{day}.jsonl", line.encode())
        except OSError as error:
            raise NotDeliveredError(f"{error.strerror or error}: {error.filename or self._folder}") from error


def _append(path: Path, line: bytes) -> None:
    """Whole lines only: what a full disk cut off is ended first, so that it spoils no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b", buffering=0) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        if file.write(line) != len(line):
            raise OSError(None, "the disk took a part of the line only", str(path))
        os.fsync(file.fileno())
