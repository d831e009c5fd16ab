"""Each role runs in Kubernetes as it does in docker-compose.yml."""

from __future__ import annotations

import re
from typing import Any

import pytest

from deploy.dockerfile import lineage, read_stages
from deploy.manifests.__main__ import files
from deploy.manifests.roles import Role, compose, filled, is_choice, roles
from sightline.pipelines import registry
from sightline.settings import PREFIX, Settings
from tests.manifests import KUBERNETES, ROOT, documents, of_kind, pods

ALL = ("base", "components")
BY_NAME = {role.name: role for role in roles()}
PODS = pods(*ALL)
OURS = sorted(BY_NAME)


def container(name: str) -> dict[str, Any]:
    (only,) = PODS[name]["spec"]["containers"]
    return only


def test_what_lies_here_is_what_would_be_written() -> None:
    written = files()
    there = {
        path
        for folder in (KUBERNETES / "base", KUBERNETES / "components", ROOT / "deploy/helm")
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert there == set(written), "make manifests"
    assert [str(path) for path, text in written.items() if path.read_text() != text] == [], "make manifests"


@pytest.mark.parametrize("name", OURS)
def test_each_role_has_its_command_its_image_and_its_environment(name: str) -> None:
    service, stages = compose()["services"][name], read_stages()
    target = service["build"]["target"]
    commands = [step.exec_form for stage in lineage(stages, target) if (step := stage.last("CMD"))]
    assert container(name)["args"] == [filled(word) for word in service.get("command") or commands[-1]]
    assert container(name)["image"] == service["image"]
    values = {each["name"]: each["value"] for each in container(name)["env"] if "value" in each}
    fixed = {key: value for key, value in service["environment"].items() if not is_choice(value)}
    assert values == {key: filled(value) for key, value in fixed.items()}
    assert "SIGHTLINE_OTLP_ENDPOINT" not in values, "it would outdo what the settings of all roles say"


@pytest.mark.parametrize("name", OURS)
def test_each_role_knows_its_own_passwords_and_no_other(name: str) -> None:
    service = compose()["services"][name]
    wanted = re.findall(r"\$\{(\w+):\?", str(service["environment"]))
    secrets = [each for each in container(name)["env"] if "secretKeyRef" in each.get("valueFrom", {})]
    assert sorted(each["name"] for each in secrets) == sorted(set(wanted))
    assert {each["valueFrom"]["secretKeyRef"]["name"] for each in secrets} == {"sightline"}
    order = [each["name"] for each in container(name)["env"]]
    for each in container(name)["env"]:
        for named in re.findall(r"\$\((\w+)\)", each.get("value", "")):
            assert order.index(named) < order.index(each["name"]), "Kubernetes fills in what stands before"


def test_the_secret_is_made_of_the_file_that_compose_reads() -> None:
    in_file = re.findall(r"^(\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    keys = {
        each["valueFrom"]["secretKeyRef"]["key"]
        for template in PODS.values()
        for its in template["spec"]["containers"]
        for each in its["env"]
        if "secretKeyRef" in each.get("valueFrom", {})
    }
    assert keys <= set(in_file)
    assert {"REDIS_WORKER_PASSWORD", "POSTGRES_PASSWORD"} <= keys
    assert not [each for each in documents(*ALL) if each["kind"] == "Secret"]


def test_settings_are_known_and_no_service_is_taken_for_one() -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    for name, template in PODS.items():
        used = {each["name"] for each in template["spec"]["containers"][0]["env"] if each["name"].startswith(PREFIX)}
        assert used <= known, name
        assert template["spec"]["enableServiceLinks"] is False


def test_every_queue_is_consumed_without_a_component_as_usual_and_with_all_of_them_at_all() -> None:
    def consumed(*folders: str) -> set[str]:
        return {queue for name in pods(*folders) if name in BY_NAME for queue in BY_NAME[name].queues}

    assert consumed("base") == set(registry().usual_queues)
    assert consumed(*ALL) == set(registry().queues)


@pytest.mark.parametrize("name", OURS)
def test_a_pod_is_asked_what_a_container_is_asked(name: str) -> None:
    probe, its = BY_NAME[name].probe, container(name)
    if probe is None:
        assert (name, "livenessProbe" in its) == ("migrate", False)
        return
    alive, first = its["livenessProbe"], its["startupProbe"]
    if probe.url:
        port = next(each["containerPort"] for each in its["ports"] if each["name"] == alive["httpGet"]["port"])
        assert (port, alive["httpGet"]["path"]) == probe.url
    else:
        assert alive["exec"]["command"] == list(probe.command)
        assert probe.command[:2] == ("python", "-m"), "progress, and no ping"
    assert (alive["periodSeconds"], alive["timeoutSeconds"]) == (probe.every_s, probe.timeout_s)
    assert first["periodSeconds"] * first["failureThreshold"] >= probe.start_s + probe.retries * probe.every_s
    assert ("readinessProbe" in its) == (name == "api")


@pytest.mark.parametrize("role", [role for role in roles() if role.queues], ids=lambda role: role.name)
def test_a_worker_that_is_told_to_end_has_time_for_its_longest_stage(role: Role) -> None:
    grace_s = PODS[role.name]["spec"]["terminationGracePeriodSeconds"]
    model_timeout_s = Settings.model_fields["model_timeout_s"].default
    for stage in registry().stages.values():
        if stage.queue in role.queues:
            assert grace_s > (stage.held_s or model_timeout_s)
            assert not stage.streams or grace_s >= 300


def test_volumes_are_where_compose_has_them_and_what_must_stay_is_a_claim() -> None:
    claims = of_kind("PersistentVolumeClaim", "base")
    assert set(claims) == {"pictures", "events"}
    for name, role in BY_NAME.items():
        mounts = {each["name"]: each["mountPath"] for each in container(name)["volumeMounts"]}
        assert mounts == {"tmp": "/tmp", **role.volumes}
        for volume in PODS[name]["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            assert claim == (volume["name"] if volume["name"] in claims else None)


def test_gpus_are_asked_for_where_compose_reserves_them() -> None:
    wanting = {name for name in PODS if "nvidia.com/gpu" in container(name)["resources"]["limits"]}
    assert wanting == {"worker-gpu"}
    spec = PODS["worker-gpu"]["spec"]
    assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert [each["key"] for each in spec["tolerations"]] == ["nvidia.com/gpu"]
    assert all("tolerations" not in PODS[name]["spec"] for name in set(PODS) - wanting)
