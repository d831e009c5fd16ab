"""What rows say: dead letters, losses, sinks, cameras, the size of the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, get_args

from prometheus_client.core import Metric

from producers.api.services import ApiServices
from sightline.camera_status import CameraState, Condition, read_statuses
from sightline.metrics.families import counters, gauge, gauges
from sightline.wire.reasons import EXPLANATIONS
from storage.accounting import throughput
from storage.accounting.ledger_snapshots import lost_frames
from storage.cameras import list_cameras
from storage.results.dead_letters import troubles_by_reason
from storage.sinks.deliveries import count_deliveries, oldest_waiting

_SINK: Final = ("sink",)


def dead_letters(services: ApiServices) -> Iterator[Metric]:
    """Every reason that is known, so that an alert sees the first letter too."""
    troubles = Counter({(reason,): 0 for reason in EXPLANATIONS})
    troubles.update({(reason,): number for reason, number in troubles_by_reason(services.database).items()})
    yield gauges("sightline_dead_letters", "Frames that gave up and nobody took care of.", ("reason",), troubles)


def lost(services: ApiServices) -> Iterator[Metric]:
    frames = sum(lost_frames(services.database).values())
    yield counters("sightline_lost_frames", "Frames that were in a Redis that lost its memory.", (), {(): frames})


def sinks(services: ApiServices) -> Iterator[Metric]:
    counts = {(sink,): each for sink, each in count_deliveries(services.database).items()}
    pending = {sink: each.pending for sink, each in counts.items()}
    yield gauges("sightline_sink_waiting_events", "Events that wait or are being sent.", _SINK, pending)
    dead = {sink: each.dead for sink, each in counts.items()}
    yield gauges("sightline_sink_dead_events", "Events that were given up.", _SINK, dead)
    yield counters("sightline_sink_sent_events", "Events sent.", _SINK, {sink: e.sent for sink, e in counts.items()})
    now, oldest = datetime.now(UTC), oldest_waiting(services.database)
    ages = {(sink,): max(0.0, (now - oldest.get(sink, now)).total_seconds()) for (sink,) in counts}
    yield gauges("sightline_sink_oldest_seconds", "Age of the oldest event that waits; 0: none.", _SINK, ages)


def cameras(services: ApiServices) -> Iterator[Metric]:
    """Every state, so that a panel has its line before the first camera is lost."""
    rows = list_cameras(services.database)
    statuses = read_statuses(services.redis, [row.camera_id for row in rows]).values()
    states = Counter({(state,): 0 for state in get_args(CameraState)})
    states.update((status.state,) for status in statuses)
    yield gauges("sightline_cameras", "Cameras by state.", ("state",), states)
    blind = Counter({(condition,): 0 for condition in get_args(Condition)})
    blind.update((status.condition,) for status in statuses if status.condition)
    meaning = "Cameras that send pictures and see nothing, by why."
    yield gauges("sightline_blind_cameras", meaning, ("condition",), blind)


def database_size(services: ApiServices) -> Iterator[Metric]:
    size = throughput.size_bytes(services.database)
    yield gauge("sightline_database_bytes", "Size of the database.", size)
