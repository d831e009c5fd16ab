"""The Helm chart: the same manifests, with what their user decides as values."""

from __future__ import annotations

from typing import Any, Final

from deploy.manifests.around import claims, policies
from deploy.manifests.base import HEADER, dumped, of_role, of_stores
from deploy.manifests.filling import Chart
from deploy.manifests.observed import monitor, rules
from deploy.manifests.pods import PART_OF, SETTINGS, Manifest
from deploy.manifests.roles import roles
from deploy.manifests.scaled import scaled_object
from deploy.manifests.stores import store

_NOTES: Final = """\
Sightline {{ .Chart.AppVersion }} in {{ .Release.Namespace }}.
{{- if not (lookup "v1" "Secret" .Release.Namespace "sightline") }}

It waits for its passwords:
  kubectl -n {{ .Release.Namespace }} create secret generic sightline --from-env-file=.env
{{- end }}

A key for you:
  kubectl -n {{ .Release.Namespace }} exec deploy/worker-write -- python -m storage create-key me admin
The page:
  kubectl -n {{ .Release.Namespace }} port-forward svc/api 8080:8080
"""
_VALUES: Final = HEADER + "# docs/how-to/kubernetes.md says what each is for.\n"


def chart(version: str) -> dict[str, str]:
    """The text of each file, by its path."""
    fill = Chart()
    found: dict[str, str] = {}

    def template(name: str, condition: str, *documents: Manifest) -> None:
        # What Prometheus writes in braces is not for Helm to read.
        raw = dumped(*documents).replace("{{", '{{ "{{" }}')
        text = fill.written(raw)
        found[f"templates/{name}.yaml"] = (
            f"{HEADER}{{{{- if {condition} }}}}\n{text}{{{{- end }}}}\n" if condition else text
        )

    for role in roles():
        enabled = f'(index .Values.roles "{role.name}").enabled'
        fill.of_role(role, "enabled", not role.profile)
        template(role.name, enabled, *of_role(role, fill))
        if role.queues:
            template(f"{role.name}-scaled", f"and .Values.keda.enabled {enabled}", scaled_object(role, fill))
    template("stores", ".Values.redis.enabled", *of_stores(fill))
    template("postgres", ".Values.postgres.enabled", *store("postgres", fill))
    template("claims", "", *claims(fill))
    template("network", ".Values.networkPolicy.enabled", *policies(fill))
    template("observe", ".Values.observe.enabled", monitor(), rules())
    found["templates/settings.yaml"] = _settings()
    found["templates/NOTES.txt"] = _NOTES
    for name, is_on in (
        ("keda", False),
        ("postgres", False),
        ("observe", False),
        ("redis", True),
        ("networkPolicy", True),
    ):
        fill.of_all(f"{name}.enabled", is_on)
    values = {"settings": {}, **fill.values}
    found["values.yaml"] = _VALUES + dumped(values)
    found["Chart.yaml"] = HEADER + dumped(_about(version))
    return found


def _about(version: str) -> dict[str, Any]:
    return {
        "apiVersion": "v2",
        "name": "sightline",
        "description": "Cameras and uploads become rows one can trust.",
        "type": "application",
        "version": version.replace(".dev", "-dev"),  # Helm's versions are not Python's
        "appVersion": version.replace("+", "-"),
        "kubeVersion": ">=1.25.0-0",
    }


def _settings() -> str:
    metadata = {"name": SETTINGS, "labels": PART_OF}
    return (
        HEADER
        + dumped({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        + ("data: {{ .Values.settings | toJson }}\n")
    )
