"""A real Prometheus asks a running system: whatever a panel or an alert asks for is there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from demo.scene import write_clip
from sightline.local.embedded_redis import is_free
from tests.acceptance.parts.machine import ROOT, Machine
from tests.conftest import free_port

OBSERVE = ROOT / "deploy/observe"
PROMETHEUS = shutil.which("prometheus")
ROLES = 4  #: of `sightline up` that serve metrics

pytestmark = pytest.mark.skipif(not PROMETHEUS, reason="Prometheus is not installed")


def queries() -> dict[str, str]:
    """What panels ask, by dashboard and title, as Grafana would send it."""
    found: dict[str, str] = {}
    for path in sorted((OBSERVE / "dashboards").glob("*.json")):
        dashboard = json.loads(path.read_text())
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                asked = target["expr"].replace("$__rate_interval", "1m").replace("$queue", "gpu.detect")
                found[f"{dashboard['title']}: {panel['title']} {target['refId']}"] = asked
    return found


def selectors() -> dict[str, str]:
    """The metrics that alerts go by. Their conditions hold for none while all is well."""
    rules = yaml.safe_load((OBSERVE / "alerts.yml").read_text())["groups"][0]["rules"]
    names = r"\b(up|(?:sightline|process)_\w+)"
    return {f"{rule['alert']}: {name}": name for rule in rules for name in re.findall(names, rule["expr"])}


class Prometheus:
    def __init__(self, folder: Path, targets: Path) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(OBSERVE / "alerts.yml")],
            "scrape_configs": [{"job_name": "sightline", "file_sd_configs": [{"files": [str(targets)]}]}],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        options = (f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}")
        with (folder / "prometheus.log").open("wb") as log:
            command = [str(PROMETHEUS), *options, f"--web.listen-address=127.0.0.1:{port}"]
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def ask(self, query: str) -> list[dict[str, Any]]:
        try:
            answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, trust_env=False).json()
        except httpx.TransportError:
            return []  # it starts
        assert answer["status"] == "success", (query, answer)
        return answer["data"]["result"]

    def wait_until_all_answer(self, asked: dict[str, str], timeout_s: float = 90) -> dict[str, str]:
        """Returns what has no answer when the time is over."""
        until = time.monotonic() + timeout_s
        left = dict(asked)
        while left and time.monotonic() < until:
            left = {name: query for name, query in left.items() if not self.ask(query)}
            time.sleep(1)
        return left


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    first = next(port for port in iter(free_port, None) if all(is_free(port + n) for n in range(ROLES)))
    environment = {
        "SIGHTLINE_METRICS_PORT": str(first),
        "SIGHTLINE_PLATES_MODEL": "stub",
        "SIGHTLINE_RECOGNIZER": "stub",
    }
    running = Machine(tmp_path / "data", **environment)
    yield running
    running.stop()
    assert "Traceback" not in running.log(), running.log()


@pytest.fixture
def prometheus(machine: Machine, tmp_path: Path) -> Iterator[Prometheus]:
    running = Prometheus(tmp_path, machine.folder / "prometheus.json")
    yield running
    running.process.terminate()
    running.process.wait(20)


def test_every_panel_and_every_alert_has_its_numbers(
    machine: Machine, prometheus: Prometheus, tmp_path: Path, photo: Callable[[str, int], bytes]
) -> None:
    write_clip(tmp_path / "street.mp4", ["KAB 4721"])
    (tmp_path / "car.jpg").write_bytes(photo("KAB 4721", 1))
    machine.cli("sinks", "add", "gate", str(tmp_path / "data/events"))
    machine.cli("cameras", "add", "street", str(tmp_path / "street.mp4"), "--fps", "5", "--loop")
    machine.cli("submit", str(tmp_path / "car.jpg"), "--wait")
    up = prometheus.wait_until_all_answer({"roles": f"count(up == 1) == {ROLES}"})
    assert up == {}, prometheus.ask("up")
    assert prometheus.wait_until_all_answer(queries() | selectors()) == {}
    roles = {sample["metric"]["role"] for sample in prometheus.ask("sightline_build_info")}
    assert roles == {"worker", "api", "camera", "deliver"}
    firing = [sample["metric"]["alertname"] for sample in prometheus.ask('ALERTS{alertstate="firing"}')]
    assert firing == []
