"""Prometheus finds each role of `sightline up` on a port of its own."""

from __future__ import annotations

import json
from pathlib import Path

from sightline.local.scraped import ports_of, with_metrics_ports, write_targets
from sightline.local.supervisor import RoleProcess

NAMES = ("redis", "worker0", "worker1", "api", "flower")
ROLES = [RoleProcess(name, (name,), environment={"A": "1"}) for name in NAMES]


def test_each_role_of_ours_has_a_port(tmp_path: Path) -> None:
    roles = with_metrics_ports(ROLES, 9100)
    assert ports_of(roles) == {"worker0": 9100, "worker1": 9101, "api": 9102}
    assert all(role.environment["A"] == "1" for role in roles)
    write_targets(tmp_path / "prometheus.json", roles, "127.0.0.1")
    first = json.loads((tmp_path / "prometheus.json").read_text())[0]
    assert first == {"targets": ["127.0.0.1:9100"], "labels": {"process": "worker0"}}


def test_without_metrics_nothing_of_an_earlier_start_stays(tmp_path: Path) -> None:
    (tmp_path / "prometheus.json").write_text("[]")
    roles = with_metrics_ports(ROLES, 0)
    assert roles == ROLES
    write_targets(tmp_path / "prometheus.json", roles, "127.0.0.1")
    assert not (tmp_path / "prometheus.json").exists()
