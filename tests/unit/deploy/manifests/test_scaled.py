"""KEDA has as many workers run as the work wants: its objects, and what their queries answer, by promtool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from deploy.manifests.roles import roles
from deploy.manifests.scaled import held, waiting
from sightline.pipelines import registry
from sightline.types import Lane
from tests.manifests import ROOT, of_kind, pods

SCALED = of_kind("ScaledObject", "components")
WORKERS = {role.name: role for role in roles() if role.queues}

#: What of KEDA's definition we use: https://keda.sh/docs/latest/reference/scaledobject-spec/
_TRIGGER = {
    "type": "object",
    "required": ["type", "name", "metadata"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "prometheus"},
        "name": {"type": "string"},
        "metadata": {
            "type": "object",
            "required": ["serverAddress", "query", "threshold"],
            "properties": {"threshold": {"pattern": r"^\d+$"}, "activationThreshold": {"pattern": r"^\d+$"}},
            "additionalProperties": {"type": "string"},
        },
    },
}
_SPEC = {
    "type": "object",
    "required": ["scaleTargetRef", "triggers"],
    "additionalProperties": False,
    "properties": {
        "scaleTargetRef": {"type": "object", "required": ["name"]},
        "minReplicaCount": {"type": "integer", "minimum": 0},
        "maxReplicaCount": {"type": "integer", "minimum": 1},
        "pollingInterval": {"type": "integer"},
        "cooldownPeriod": {"type": "integer"},
        "advanced": {"type": "object"},
        "triggers": {"type": "array", "minItems": 1, "items": _TRIGGER},
    },
}


def test_every_worker_is_scaled_and_nothing_else() -> None:
    assert set(SCALED) == set(WORKERS)
    for name, its in SCALED.items():
        jsonschema.validate(its["spec"], _SPEC)
        assert its["spec"]["scaleTargetRef"]["name"] == name in pods("base", "components")


def test_none_at_all_runs_only_of_what_nobody_waits_for_in_person() -> None:
    none = {name for name, its in SCALED.items() if its["spec"]["minReplicaCount"] == 0}
    stages = registry().stages.values()
    usual = {queue for role in registry().usual_roles for queue in [registry().roles[role]]}
    streams = {stage.queue for stage in stages if stage.streams}
    assert none == {name for name, role in WORKERS.items() if not set(role.queues) & (usual | streams)}
    assert none == {"worker-speech"}
    for name in none:
        grace_s = pods("components")[name]["spec"]["terminationGracePeriodSeconds"]
        assert SCALED[name]["spec"]["cooldownPeriod"] >= grace_s


def test_each_lane_of_each_queue_counts_and_what_waits_in_person_counts_more() -> None:
    for name, its in SCALED.items():
        triggers = {each["name"]: each["metadata"] for each in its["spec"]["triggers"]}
        assert set(triggers) == {"held", *Lane}
        for queue in WORKERS[name].queues:
            assert all(queue in triggers[lane]["query"] for lane in Lane)
        limits = [int(triggers[lane]["threshold"]) for lane in (Lane.INTERACTIVE, Lane.LIVE, Lane.BULK)]
        assert limits == sorted(limits)
        assert int(triggers["held"]["threshold"]) == WORKERS[name].holds


def test_what_is_asked_for_is_measured_and_labeled() -> None:
    sources = "".join(path.read_text() for name in ("producers", "workers") for path in (ROOT / name).rglob("*.py"))
    asked = set(re.findall(r"sightline_\w+", str(SCALED)))
    assert asked == {"sightline_queue_messages", "sightline_worker_held_messages"}
    assert all(f'"{name}"' in sources for name in asked)
    (monitor,) = of_kind("PodMonitor", "components").values()
    labels = {name: re.sub(r"\W", "_", name) for name in monitor["spec"]["podTargetLabels"]}
    used = set(re.findall(r'held_messages\{(\w+)="', str(SCALED)))
    assert used == set(labels.values())
    for name, template in pods("base", "components").items():
        assert all(template["metadata"]["labels"][label] == name for label in labels)
        (ports,) = [each.get("ports", []) for each in template["spec"]["containers"]]
        assert ("metrics" in [port["name"] for port in ports]) == (
            name not in ("migrate", "fetch-models", "flower", *("redis", "frames", "postgres"))
        )
    alerts = (ROOT / "deploy/observe/alerts.yml").read_text()
    assert 'job="sightline"' in alerts
    assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/part-of"


#: Two APIs tell the same of the queues; two pods of the CPU workers hold something, and one of another role.
SERIES = {
    'sightline_queue_messages{queue="gpu.detect",lane="bulk",pod="api-1"}': 40,
    'sightline_queue_messages{queue="gpu.detect",lane="bulk",pod="api-2"}': 40,
    'sightline_queue_messages{queue="cpu.ocr",lane="bulk",pod="api-1"}': 2,
    'sightline_queue_messages{queue="gpu.detect",lane="live",pod="api-1"}': 3,
    'sightline_queue_messages{queue="db.write",lane="live",pod="api-1"}': 9,
    'sightline_worker_held_messages{app_kubernetes_io_component="worker-cpu",pod="a"}': 8,
    'sightline_worker_held_messages{app_kubernetes_io_component="worker-cpu",pod="b"}': 5,
    'sightline_worker_held_messages{app_kubernetes_io_component="worker-write",pod="c"}': 1,
}
CPU, SPEECH = WORKERS["worker-cpu"], WORKERS["worker-speech"]
ANSWERS = {
    held(CPU): 13,
    waiting(CPU, Lane.BULK): 42,
    waiting(CPU, Lane.LIVE): 3,
    waiting(CPU, Lane.INTERACTIVE): 0,
    held(SPEECH): 0,  # no pod of it runs: nothing is said of it
    waiting(SPEECH, Lane.BULK): 0,
}


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")
def test_queries_answer_what_they_are_asked_for(tmp_path: Path) -> None:
    tests: list[dict[str, Any]] = [
        {"expr": query, "eval_time": "1m", "exp_samples": [{"value": value, "labels": "{}"}]}
        for query, value in ANSWERS.items()
    ]
    series = [{"series": name, "values": f"{value}x5"} for name, value in SERIES.items()]
    content = {"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": tests}]}
    (tmp_path / "queries.yml").write_text(yaml.safe_dump(content))
    done = subprocess.run(
        ["promtool", "test", "rules", tmp_path / "queries.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_queries_of_the_objects_are_those() -> None:
    asked = {each["metadata"]["query"] for each in SCALED["worker-cpu"]["spec"]["triggers"]}
    assert asked == {held(CPU), *(waiting(CPU, lane) for lane in Lane)}
