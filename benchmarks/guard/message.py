"""A message on its way through a queue: packed, parsed."""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.guard.figures import Figure, Ratio
from benchmarks.guard.jobs import make_message
from sightline.wire.messages import parse_message


@contextmanager
def message_figures(_folder: Path) -> Generator[list[Figure]]:
    message = make_message(16)
    text = json.dumps(message.dump())

    def ours() -> Any:
        return parse_message(json.loads(json.dumps(message.pack())))

    def bare() -> Any:
        return json.dumps(json.loads(text))

    what = "pack and parse 16 frames to json alone"
    yield [Ratio("message", what, "sightline/wire/messages.py, types.py", lambda: ours, lambda: bare, pairs=80)]
