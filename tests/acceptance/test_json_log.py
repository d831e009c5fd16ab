"""`sightline up --log-format json`: a collector of logs can read every line, and knows what it is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.acceptance.parts.machine import Machine

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_every_line_is_an_object_and_a_dead_job_is_named_with_all_its_ids(
    tmp_path: Path, photo: Callable[[str, int], bytes]
) -> None:
    environment = {
        "SIGHTLINE_PLATES_MODEL": "stub",
        "SIGHTLINE_TEXT_MODEL": "stub",
        "SIGHTLINE_RECOGNIZER": "stub",
    }
    machine = Machine(tmp_path / "data", "--log-format", "json", **environment)
    key = (machine.folder / "api.key").read_text().strip()
    try:
        # The weights of `objects` would be downloaded, and nothing may be.
        response = httpx.post(
            f"{machine.api_url}/v1/jobs",
            params={"pipeline": "objects", "source_id": "gate", "wait": 60},
            headers={"X-API-Key": key, "content-type": "image/jpeg", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
            content=photo("KAB 4721", 1),
            timeout=70,
            trust_env=False,
        )
        assert response.is_success, response.text
    finally:
        machine.stop()
    lines = [json.loads(line) for line in machine.log().splitlines()]
    assert all({"process", "time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {"redis", "worker0", "api", "up"} <= {line["process"] for line in lines}
    (dead,) = (line for line in lines if "is dead in" in line["message"])
    assert dead["process"] == "worker0"
    assert {"job", "frame", "source", "trace"} <= dead.keys()
    assert (dead["source"], dead["trace"]) == ("gate", TRACE)
    assert dead["job"] in dead["message"]
