"""kustomize and helm, the real ones, make of what lies here what a cluster takes: `make test-kubernetes`."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.manifests import KUBERNETES, ROOT, Manifest

TOOLS = Path(os.environ.get("KUBE_TOOLS", ROOT / ".venv-kubernetes")).resolve()
CHART = ROOT / "deploy/helm/sightline"
PROFILES = ("gpu", "paddle", "chat", "speech")
#: By component of kustomize, what says the same to helm.
SAME: dict[tuple[str, ...], dict[str, Any]] = {
    (): {},
    ("postgres",): {"postgres": {"enabled": True}},
    ("keda", "observe"): {"keda": {"enabled": True}, "observe": {"enabled": True}},
    ("gpu", "keda", "gpu-keda"): {
        "keda": {"enabled": True},
        "roles": {"worker-gpu": {"enabled": True}, "worker-cpu": {"queues": "cpu.ocr"}},
    },
    ("chat", "speech"): {"roles": {"worker-chat": {"enabled": True}, "worker-speech": {"enabled": True}}},
    ("paddle",): {"roles": {"worker-paddle": {"enabled": True}, "worker-cpu": {"queues": "gpu.detect"}}},
}

pytestmark = pytest.mark.skipif(not (TOOLS / "helm").is_file(), reason="make test-kubernetes brings helm and kubectl")


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kustomized(folder: Path) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(run(TOOLS / "kubectl", "kustomize", folder)) if each]


def templated(tmp_path: Path, values: dict[str, Any]) -> list[Manifest]:
    (tmp_path / "values.json").write_text(json.dumps(values))
    output = run(TOOLS / "helm", "template", "sightline", CHART, "--values", tmp_path / "values.json")
    return [each for each in yaml.safe_load_all(output) if each]


def overlay(tmp_path: Path, components: tuple[str, ...]) -> Path:
    """A folder of one's own on top of the base, as the documentation has it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [os.path.relpath(KUBERNETES / "base", folder)],
        "components": [os.path.relpath(KUBERNETES / "components" / name, folder) for name in components],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return folder


def without_nothing(value: Any) -> Any:
    """As Kubernetes stores it: what is empty is as if it were not there."""
    if isinstance(value, dict):
        kept = {key: without_nothing(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each not in ({}, []) or key == "emptyDir"}
    return [without_nothing(each) for each in value] if isinstance(value, list) else value


def by_name(documents: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    """But for what helm says in other words: one replica, a sum of the settings, a job's name for each version."""
    found: dict[tuple[str, str], Manifest] = {}
    for each in documents:
        name = each["metadata"]["name"]
        if each["kind"] == "Job":
            name = each["metadata"]["name"] = name.removesuffix("-1")
        if each["kind"] == "Deployment" and each["spec"].get("replicas") == 1:
            del each["spec"]["replicas"]
        if each["kind"] == "Deployment":
            each["spec"]["template"]["metadata"].pop("annotations", None)
        found[each["kind"], name] = without_nothing(each)
    assert len(found) == len(documents)
    return found


@pytest.mark.parametrize("components", SAME, ids=lambda names: "+".join(names) or "base")
def test_helm_and_kustomize_give_the_same(components: tuple[str, ...], tmp_path: Path) -> None:
    from_kustomize = by_name(kustomized(overlay(tmp_path, components)))
    from_helm = by_name(templated(tmp_path, SAME[components]))
    settings = from_helm.pop(("ConfigMap", "sightline-settings"))
    assert settings["metadata"]["labels"] == {"app.kubernetes.io/part-of": "sightline"}
    assert set(from_helm) == set(from_kustomize)
    for key, document in from_helm.items():
        assert document == from_kustomize[key], key
        if "." not in document["apiVersion"].split("/")[0] or document["apiVersion"].endswith("k8s.io/v1"):
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_all_components_go_together(tmp_path: Path) -> None:
    names = tuple(sorted(path.name for path in (KUBERNETES / "components").iterdir()))
    kinds = [each["kind"] for each in kustomized(overlay(tmp_path, names))]
    assert kinds.count("Deployment") == 6 + len(PROFILES)
    assert kinds.count("ScaledObject") == 2 + len(PROFILES)


def test_pictures_in_a_bucket_need_no_claim(tmp_path: Path) -> None:
    documents = kustomized(overlay(tmp_path, ("s3",)))
    assert "pictures" not in [each["metadata"]["name"] for each in documents if each["kind"] != "Deployment"]
    for name in ("api", "worker-write"):
        spec = deployment(documents, name)
        assert [volume["emptyDir"] for volume in spec["volumes"] if volume["name"] == "pictures"]
        assert {"secretRef": {"name": "sightline-s3", "optional": True}} in spec["containers"][0]["envFrom"]


def test_models_of_all_workers_lie_on_one_volume_that_a_job_fills(tmp_path: Path) -> None:
    documents = kustomized(overlay(tmp_path, ("gpu", "chat", "models")))
    for name in ("worker-cpu", "worker-gpu", "worker-chat"):
        (volume,) = [each for each in deployment(documents, name)["volumes"] if each["name"] == "models"]
        assert volume["persistentVolumeClaim"] == {"claimName": "models"}
    (job,) = [each["spec"]["template"] for each in documents if each["metadata"]["name"] == "fetch-models"]
    (container,) = job["spec"]["containers"]
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    assert container["image"] == f"sightline-worker-cpu:{version}"
    assert {"name": "models", "persistentVolumeClaim": {"claimName": "models"}} in job["spec"]["volumes"]
    assert not container.get("env")  # no password


def deployment(documents: list[Manifest], name: str) -> Manifest:
    (found,) = [each for each in documents if (each["kind"], each["metadata"]["name"]) == ("Deployment", name)]
    return found["spec"]["template"]["spec"]


def test_the_example_has_the_tags_of_its_base() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    images = {
        container["image"]
        for each in kustomized(KUBERNETES / "example")
        if each["kind"] in ("Deployment", "Job")
        for container in each["spec"]["template"]["spec"]["containers"]
    }
    assert all(re.fullmatch(rf"registry\.example\.org/sightline-[\w-]+:{version}", image) for image in images), images


def test_images_have_the_version_and_a_registry_of_ones_own(tmp_path: Path) -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    images = {"images": {"registry": "registry.example.org/", "tag": "9.9"}}
    for documents, wanted in (
        (kustomized(overlay(tmp_path, ())), f"sightline-api:{version}"),
        (templated(tmp_path, {}), f"sightline-api:{version}"),
        (templated(tmp_path, images), "registry.example.org/sightline-api:9.9"),
    ):
        (api,) = [each for each in documents if (each["kind"], each["metadata"]["name"]) == ("Deployment", "api")]
        assert api["spec"]["template"]["spec"]["containers"][0]["image"] == wanted


def test_values_reach_what_they_are_for(tmp_path: Path) -> None:
    values = {
        "settings": {"SIGHTLINE_KEEP_PICTURES_DAYS": "7"},
        "roles": {"api": {"replicas": 3}, "flower": {"enabled": False}, "worker-cpu": {"min": 2, "max": 9}},
        "pictures": {"size": "500Gi"},
        "keda": {"enabled": True},
        "networkPolicy": {"enabled": False},
    }
    found = by_name(templated(tmp_path, values))
    assert found["ConfigMap", "sightline-settings"]["data"] == values["settings"]
    assert "replicas" not in found["Deployment", "api"]["spec"], "KEDA's business where it runs"
    pods = [
        {each["spec"]["template"]["metadata"]["annotations"]["checksum/settings"] for each in documents}
        for documents in (deployments(tmp_path, values), deployments(tmp_path, {}))
    ]
    assert [len(sums) for sums in pods] == [1, 1]
    assert pods[0] != pods[1], "other settings make other pods"
    scaled = found["ScaledObject", "worker-cpu"]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (2, 9)
    assert found["PersistentVolumeClaim", "pictures"]["spec"]["resources"]["requests"]["storage"] == "500Gi"
    assert not [kind for kind, name in found if kind == "NetworkPolicy" or name == "flower"]
    without = by_name(templated(tmp_path, {"roles": {"api": {"replicas": 3}}}))
    assert without["Deployment", "api"]["spec"]["replicas"] == 3


def deployments(tmp_path: Path, values: dict[str, Any]) -> list[Manifest]:
    return [each for each in templated(tmp_path, values) if each["kind"] == "Deployment"]


def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    assert "0 chart(s) failed" in run(TOOLS / "helm", "lint", "--strict", CHART)
