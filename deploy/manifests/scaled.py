"""KEDA's ScaledObject of each worker: by what waits in each lane of its queues, and by what it holds.

Its trigger `redis-lists` is not used: a queue is several lists, one a lane, whose names have control characters in
them; it needs EVAL, which no user of ours but admin has; and it sees nothing of what is in work, so that a worker in
the middle of its last job would be one too many. Prometheus knows all of it.
"""

from __future__ import annotations

from typing import Final

from deploy.manifests.filling import Filling
from deploy.manifests.pods import COMPONENT, Manifest, named
from deploy.manifests.roles import Role
from sightline.types import Lane

PROMETHEUS: Final = "http://prometheus-operated.monitoring:9090"
#: How many of the messages that a worker holds at once may wait for each worker, by lane.
_MAY_WAIT: Final = {Lane.INTERACTIVE: 0.25, Lane.LIVE: 0.5, Lane.BULK: 4}
_POD_LABEL: Final = COMPONENT.translate(str.maketrans("./-", "___"))  #: as Prometheus writes it


def scaled_object(role: Role, fill: Filling) -> Manifest:
    """None at all only where nobody waits for it in person."""
    spec: Manifest = {
        "scaleTargetRef": {"name": role.name},
        "minReplicaCount": fill.of_role(role, "min", 0 if role.may_be_none else 1),
        "maxReplicaCount": fill.of_role(role, "max", 2 if role.gpus else 4),
        "pollingInterval": 10,
        # From the last work until there is none: models are loaded again for the next.
        "cooldownPeriod": max(300, role.grace_s),
        "advanced": {
            "horizontalPodAutoscalerConfig": {
                "behavior": {
                    "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [_by_pods(2, 30)]},
                    "scaleDown": {"stabilizationWindowSeconds": 300, "policies": [_by_pods(1, 60)]},
                }
            }
        },
        # The largest counts of what they ask for.
        "triggers": [
            _trigger(fill, "held", held(role), role.holds),
            *(
                _trigger(fill, lane.value, waiting(role, lane), max(1, int(role.holds * share)))
                for lane, share in _MAY_WAIT.items()
            ),
        ],
    }
    return named("ScaledObject", role.name, spec, "keda.sh/v1alpha1")


def waiting(role: Role, lane: Lane) -> str:
    """Messages of one lane in the queues of a role. Each API tells all: one of them counts."""
    selector = f'queue=~"{"|".join(role.queues)}",lane="{lane.value}"'
    return f"sum(max by (queue, lane) (sightline_queue_messages{{{selector}}})) or vector(0)"


def held(role: Role) -> str:
    """Messages that its pods work on: none of them is one too many before it is done."""
    return f'sum(sightline_worker_held_messages{{{_POD_LABEL}="{role.name}"}}) or vector(0)'


def _trigger(fill: Filling, name: str, query: str, threshold: int) -> Manifest:
    metadata = {
        "serverAddress": fill.of_all("keda.prometheus", PROMETHEUS),
        "query": query,
        "threshold": str(threshold),
        "activationThreshold": "0",
    }
    return {"type": "prometheus", "name": name, "metadata": metadata}


def _by_pods(count: int, seconds: int) -> Manifest:
    return {"type": "Pods", "value": count, "periodSeconds": seconds}
