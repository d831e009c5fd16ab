"""What holds for every manifest: schema, safety, disruption, who may talk to whom."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from deploy.manifests import stores
from deploy.manifests.filling import Fixed
from deploy.manifests.pods import COMPONENT
from deploy.manifests.stores import store
from tests.manifests import documents, of_kind, pods

ALL = ("base", "components")
PODS = pods(*ALL)
OTHERS = {"keda.sh", "monitoring.coreos.com"}  #: kinds that others bring
#: The oldest that the chart says it is for, and the newest that there is a schema of.
VERSIONS = ("1.25", kubernetes_validate.latest_version())
STORES = {"redis": 6379, "frames": 6379, "postgres": 5432}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_as_kubernetes_wants_it(version: str) -> None:
    checked = 0
    for each in documents(*ALL):
        if each["apiVersion"].split("/")[0] not in OTHERS:
            kubernetes_validate.validate(each, version, strict=True)
            checked += 1
    assert checked > 40


def test_a_wrong_field_is_found() -> None:
    wrong = of_kind("Deployment", "base")["api"] | {"spec": {"replicas": "two"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[1], strict=True)


@pytest.mark.parametrize("name", sorted(PODS))
def test_every_pod_may_run_where_restricted_is_the_rule(name: str) -> None:
    """Kubernetes' pod security standard `restricted`, and a root file system that nobody writes to."""
    spec = PODS[name]["spec"]
    assert spec["automountServiceAccountToken"] is False
    whole = spec["securityContext"]
    assert (whole["runAsNonRoot"], whole["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert whole["runAsUser"] > 0
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        assert key not in spec
    assert {kind for volume in spec["volumes"] for kind in volume} <= {
        "name",
        "emptyDir",
        "configMap",
        "persistentVolumeClaim",
    }
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]
        assert "/tmp" in [mount["mountPath"] for mount in container["volumeMounts"]]


def test_selectors_find_their_own_pods_and_no_others() -> None:
    for kind in ("Deployment", "StatefulSet"):
        for name, its in of_kind(kind, *ALL).items():
            assert selected(its["spec"]["selector"]["matchLabels"]) == [name]
    for name, its in of_kind("Service", *ALL).items():
        assert selected(its["spec"]["selector"]) == [name]
        (port,) = its["spec"]["ports"]
        ports = PODS[name]["spec"]["containers"][0]["ports"]
        assert port["targetPort"] in [each["name"] for each in ports]
    budgets = of_kind("PodDisruptionBudget", *ALL)
    for name, its in budgets.items():
        assert selected(its["spec"]["selector"]["matchLabels"]) == [name]
        assert its["spec"]["maxUnavailable"] == 1
    assert set(PODS) - set(budgets) == {"migrate", "postgres", "fetch-models"}


def selected(labels: dict[str, str]) -> list[str]:
    return [name for name, template in PODS.items() if labels.items() <= template["metadata"]["labels"].items()]


def allows(rules: list[dict[str, Any]], labels: dict[str, str], port: int, key: str) -> bool:
    """Whether rules of one direction let a pod with these labels through."""
    for rule in rules:
        ports = [each["port"] for each in rule.get("ports", [])]
        peers = rule.get(key)
        if (not ports or port in ports) and (
            peers is None
            or any(each.get("podSelector", {}).get("matchLabels", {"": ""}).items() <= labels.items() for each in peers)
        ):
            return True
    return False


def may_connect(client: str, server: str, port: int) -> bool:
    """As the cluster would decide: some policy of each side lets it, or none selects it."""
    policies = [each["spec"] for each in of_kind("NetworkPolicy", "base").values()]
    sides = ((client, server, "egress", "to"), (server, client, "ingress", "from"))
    return all(
        any(
            allows(policy.get(direction, []), PODS[other]["metadata"]["labels"], port, key)
            for policy in policies
            if direction.capitalize() in policy["policyTypes"]
            and policy["podSelector"]["matchLabels"].items() <= PODS[one]["metadata"]["labels"].items()
        )
        for one, other, direction, key in sides
    )


@pytest.mark.parametrize("store", STORES)
def test_only_those_talk_to_a_store_whose_addresses_name_it(store: str) -> None:
    wanted = {
        name
        for name, template in PODS.items()
        if any(f"@{store}:" in each.get("value", "") for each in template["spec"]["containers"][0]["env"])
    }
    assert {name for name in PODS if may_connect(name, store, STORES[store])} == wanted
    assert wanted >= {"api", "camera", "worker-write"} if store == "postgres" else "worker-cpu" in wanted
    assert not any(may_connect(name, store, 22) for name in PODS)


def test_stores_and_workers_go_nowhere_else_and_nobody_asks_clouds_for_passwords() -> None:
    out = {
        policy["spec"]["podSelector"]["matchLabels"].get(COMPONENT): rule["to"]
        for policy in of_kind("NetworkPolicy", "base").values()
        for rule in policy["spec"].get("egress", [])
        if any("ipBlock" in peer for peer in rule.get("to", []))
    }
    assert set(out) == {"api", "camera", "deliver"}
    assert all("169.254.0.0/16" in peer["ipBlock"]["except"] for peers in out.values() for peer in peers)
    assert not may_connect("worker-cpu", "api", 8080)


def test_who_fetches_models_gets_out_and_to_no_store() -> None:
    (policy,) = [its for name, its in of_kind("NetworkPolicy", "components/models").items()]
    assert policy["spec"]["podSelector"]["matchExpressions"][0]["values"] == ["fetch-models"]
    assert not any(may_connect("fetch-models", store, port) for store, port in STORES.items())


@pytest.mark.parametrize("name", STORES)
def test_a_store_has_an_hour_to_recover(name: str) -> None:
    (container,) = PODS[name]["spec"]["containers"]
    starts = container["startupProbe"]
    assert starts["periodSeconds"] * starts["failureThreshold"] == 3600
    accepts, lives = (container[name]["exec"]["command"][-1] for name in ("readinessProbe", "livenessProbe"))
    assert (name == "postgres") == (lives == f"{accepts} || test $? -eq 1")


def test_other_rights_in_redis_are_another_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    def sums() -> set[str]:
        templates = [store(name, Fixed())[1]["spec"]["template"] for name in ("redis", "frames")]
        return {template["metadata"]["annotations"]["checksum/config"] for template in templates}

    (before,) = sums()
    assert PODS["redis"]["metadata"]["annotations"]["checksum/config"] == before
    data = stores.redis_config()["data"]
    monkeypatch.setattr(stores, "redis_config", lambda: {"data": data | {"users.acl": "user default off"}})
    assert sums() != {before}


def test_redis_has_our_users_and_keeps_to_the_settings_of_compose() -> None:
    data = of_kind("ConfigMap", "base")["redis"]["data"]
    assert "user default off" in data["users.acl"]
    for name in ("redis", "frames"):
        (container,) = PODS[name]["spec"]["containers"]
        (config,) = [each for each in container["volumeMounts"] if "subPath" in each]
        assert "maxmemory-policy noeviction" in data[config["subPath"]]
        assert container["args"][-1] == config["mountPath"]
    assert "appendonly yes" in data["broker.conf"]
    assert PODS["redis"]["spec"]["containers"][0]["volumeMounts"][1]["name"] == "data"
    assert "volumeClaimTemplates" in of_kind("StatefulSet", "base")["redis"]["spec"]
