"""Each alert fires at what it is for, and alone; none fires on a system that does well. By Prometheus' promtool."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RULES = ROOT / "deploy/observe/alerts.yml"
ALERTS: list[dict[str, Any]] = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
MINUTES = 90

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")

#: A system that does well. In promtool's words: `0+5x90` starts at 0 and grows by 5 each minute, 90 times.
HEALTHY = {
    'up{job="sightline",instance="api"}': "1x90",
    'sightline_build_info{role="deliver",version="1"}': "1x90",
    'sightline_store_up{store="redis"}': "1x90",
    'sightline_store_up{store="database"}': "1x90",
    'sightline_worker_waits_for_service{instance="worker"}': "0x90",
    'process_start_time_seconds{job="sightline",instance="worker"}': "1000x90",
    'sightline_queue_messages{queue="gpu.detect",lane="live"}': "3x90",
    'sightline_queue_wait_seconds_count{queue="gpu.detect",lane="live"}': "0+60x90",
    'sightline_queue_oldest_seconds{queue="gpu.detect",lane="live"}': "2x90",
    'sightline_queue_oldest_seconds{queue="gpu.detect",lane="bulk"}': "900x90",
    "sightline_open_frames": "100x90",
    "sightline_open_frames_limit": "20000x90",
    'sightline_frames_total{outcome="published",reason=""}': "0+100x90",
    'sightline_frames_total{outcome="dropped",reason="stale"}': "0+1x90",
    'sightline_camera_frames_total{fate="sampled",reason=""}': "0+100x90",
    'sightline_camera_frames_total{fate="dropped",reason="backlog"}': "0+1x90",
    'sightline_dead_letters{reason="bad_image"}': "0+1x90",
    'sightline_dead_letters{reason="worker_lost"}': "2x90",
    "sightline_lost_frames_total": "7x90",
    "sightline_audit_balanced": "1x90",
    "sightline_lease_age_seconds": "7x90",
    "sightline_lease_limit_seconds": "30x90",
    'sightline_sweep_age_seconds{instance="writer"}': "4x90",
    'sightline_redis_memory_bytes{redis="broker"}': "50x90",
    'sightline_redis_memory_limit_bytes{redis="broker"}': "100x90",
    'sightline_redis_policy_info{redis="broker",policy="noeviction"}': "1x90",
    "sightline_picture_disk_free_bytes": "50x90",
    "sightline_picture_disk_bytes": "100x90",
    'sightline_database_connections{state="in_use",instance="writer"}': "8x90",
    'sightline_database_connections_limit{instance="writer"}': "40x90",
    'sightline_sink_oldest_seconds{sink="gate"}': "3x90",
    'sightline_sink_dead_events{sink="gate"}': "1x90",
    'sightline_cameras{state="running"}': "4x90",
    'sightline_cameras{state="offline"}': "0x90",
    'sightline_blind_cameras{condition="dark"}': "0x90",
}
#: What is otherwise, from the 30th minute on, for each alert to fire.
LOUD: dict[str, dict[str, str]] = {
    "SightlineRoleDown": {'up{job="sightline",instance="api"}': "1x30 0x60"},
    "SightlineRoleGone": {'sightline_build_info{role="deliver",version="1"}': "1x30 _x60"},
    "SightlineApiUnseen": {
        'sightline_store_up{store="redis"}': "1x24 _x66",
        'sightline_store_up{store="database"}': "1x24 _x66",
    },
    "SightlineStoreDown": {'sightline_store_up{store="redis"}': "1x30 0x60"},
    "SightlineWorkerCutOff": {'sightline_worker_waits_for_service{instance="worker"}': "0x30 1x60"},
    "SightlineRoleRestarts": {'process_start_time_seconds{job="sightline",instance="worker"}': "1000x30 1001+1x60"},
    "SightlineQueueStands": {'sightline_queue_wait_seconds_count{queue="gpu.detect",lane="live"}': "0+60x25 1500x65"},
    "SightlineWorkWaitsLong": {'sightline_queue_oldest_seconds{queue="gpu.detect",lane="live"}': "2x30 40x60"},
    "SightlineBacklogFull": {"sightline_open_frames": "100x30 19000x60"},
    "SightlineFramesStale": {'sightline_frames_total{outcome="dropped",reason="stale"}': "0+1x22 23+10x68"},
    "SightlineCameraFramesDropped": {
        'sightline_camera_frames_total{fate="dropped",reason="backlog"}': "0+1x24 25+40x66"
    },
    "SightlineDeadLetters": {'sightline_dead_letters{reason="worker_lost"}': "2x30 4x60"},
    "SightlineFramesLost": {"sightline_lost_frames_total": "7x30 20x60"},
    "SightlineBooksUnbalanced": {"sightline_audit_balanced": "1x30 0x60"},
    "SightlineLeasesOld": {"sightline_lease_age_seconds": "7x30 70x60"},
    "SightlineSweeperStands": {'sightline_sweep_age_seconds{instance="writer"}': "4x30 90x60"},
    "SightlineRedisFull": {'sightline_redis_memory_bytes{redis="broker"}': "50x30 90x60"},
    "SightlineRedisEvicts": {
        'sightline_redis_policy_info{redis="broker",policy="noeviction"}': "1x30 _x60",
        'sightline_redis_policy_info{redis="broker",policy="allkeys-lru"}': "_x30 1x60",
    },
    "SightlinePictureDiskFull": {"sightline_picture_disk_free_bytes": "50x30 5x60"},
    "SightlineDatabaseConnections": {'sightline_database_connections{state="in_use",instance="writer"}': "8x30 36x60"},
    "SightlineSinkWaits": {'sightline_sink_oldest_seconds{sink="gate"}': "3x30 400x60"},
    "SightlineSinkGaveUp": {'sightline_sink_dead_events{sink="gate"}': "1x30 3x60"},
    "SightlineCamerasAway": {'sightline_cameras{state="offline"}': "0x30 1x60"},
    "SightlineCamerasBlind": {'sightline_blind_cameras{condition="dark"}': "0x30 1x60"},
}


def case(name: str, changes: dict[str, str], loud_at: dict[int, list[str]]) -> dict[str, Any]:
    series = {**HEALTHY, **changes}
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": f"{minute}m",
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts],
            }
            for minute, alerts in loud_at.items()
        ],
    }


@needs_promtool
def test_each_alert_fires_at_what_it_is_for_and_alone(tmp_path: Path) -> None:
    cases = [case("all is well", {}, {minute: [] for minute in (1, 20, 45, MINUTES)})]
    # It fires once it lasted as long as the rule wants; 15 minutes after it began each has.
    cases += [case(name, changes, {29: [], 45: [name]}) for name, changes in LOUD.items()]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": cases}))
    done = subprocess.run(["promtool", "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("name", ["SightlineStoreDown", "SightlineCamerasBlind"])
def test_a_moment_alone_is_no_alert(name: str, tmp_path: Path) -> None:
    """`for` is part of the rule: what passes by itself wakes nobody."""
    (series,) = LOUD[name]
    before, _, after = str(LOUD[name][series]).partition(" ")
    moment = f"{before} {after.split('x')[0]} {before.split('x')[0]}x58"
    cases = [case(name, {series: moment}, {minute: [] for minute in (31, 32, 45)})]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": cases}))
    done = subprocess.run(["promtool", "test", "rules", "tests.yml"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_the_rules_are_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", "--lint-fatal", str(RULES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tried_and_says_where_its_cure_is() -> None:
    assert [alert["alert"] for alert in ALERTS] == list(LOUD)
    for alert in ALERTS:
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        headings = re.findall(r"^## (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
        assert anchor == alert["alert"].lower()
        assert alert["alert"] in headings
        assert alert["labels"]["severity"] in ("critical", "warning")
