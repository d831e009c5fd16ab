"""`sightline up --log-format json`: a collector of logs can read every line, and knows what it is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.parts.machine import Machine


def test_every_line_is_an_object_and_a_dead_job_is_named_with_all_its_ids(
    tmp_path: Path, photo: Callable[[str, int], bytes]
) -> None:
    (tmp_path / "car.jpg").write_bytes(photo("KAB 4721", 1))
    environment = {
        "SIGHTLINE_PLATES_MODEL": "stub",
        "SIGHTLINE_TEXT_MODEL": "stub",
        "SIGHTLINE_RECOGNIZER": "stub",
        "SIGHTLINE_TRACE_SAMPLE": "1",
    }
    machine = Machine(tmp_path / "data", "--log-format", "json", **environment)
    try:
        # The weights of `objects` would be downloaded, and nothing may be.
        machine.cli("submit", str(tmp_path / "car.jpg"), "--pipeline", "objects", "--wait", check=False)
    finally:
        machine.stop()
    lines = [json.loads(line) for line in machine.log().splitlines()]
    assert all({"process", "time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {"redis", "worker0", "api", "up"} <= {line["process"] for line in lines}
    (dead,) = (line for line in lines if "is dead in" in line["message"])
    assert dead["process"] == "worker0"
    assert {"job", "frame", "source", "trace"} <= dead.keys()
    assert dead["job"] in dead["message"]
