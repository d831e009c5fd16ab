"""For the operator of Prometheus: which pods it asks, and which alerts it knows."""

from __future__ import annotations

import yaml

from deploy.manifests.pods import COMPONENT, PART_OF, Manifest, named
from deploy.manifests.roles import ROOT

_API = "monitoring.coreos.com/v1"


def monitor() -> Manifest:
    """The job is `sightline`, as the alerts want it; the role of a pod is a label."""
    spec = {
        "jobLabel": next(iter(PART_OF)),
        "selector": {"matchLabels": PART_OF},
        "podTargetLabels": [COMPONENT],
        "podMetricsEndpoints": [{"port": "metrics", "interval": "15s"}],
    }
    return named("PodMonitor", "sightline", spec, _API)


def rules() -> Manifest:
    return named("PrometheusRule", "sightline", yaml.safe_load((ROOT / "deploy/observe/alerts.yml").read_text()), _API)
