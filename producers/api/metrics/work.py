"""Work: what waits, what is held, what is open, and what became of frames."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client.core import Metric

from producers.api.services import ApiServices
from sightline.metrics.families import counters, gauge, gauges

_LINE: Final = ("queue", "lane")
#: Open jobs come in the order in which they are due; the oldest is among the first.
_LOOKED_AT: Final = 200


def oldest_open_s(services: ApiServices) -> float | None:
    """How long ago the oldest open job was published; None: none is open."""
    published = [job.published_at for job in services.publisher.ledger.open_jobs(limit=_LOOKED_AT)]
    return max(0.0, time.time() - min(published)) if published else None


def queues(services: ApiServices) -> Iterator[Metric]:
    """RabbitMQ does not tell ages: there the second is missing where messages wait."""
    lines, now = services.publisher.broker.lines(), time.time()
    waiting = {(line.queue, line.lane.value): line.messages for line in lines}
    yield gauges("sightline_queue_messages", "Messages that wait.", _LINE, waiting)
    ages = {
        (line.queue, line.lane.value): max(0.0, now - (line.oldest_sent_at or now))
        for line in lines
        if line.oldest_sent_at != 0
    }
    yield gauges("sightline_queue_oldest_seconds", "Age of the oldest message that waits; 0: none.", _LINE, ages)


def leases(services: ApiServices) -> Iterator[Metric]:
    """Not on RabbitMQ, which returns the messages of a dead worker itself."""
    if (held := services.publisher.broker.held()) is not None:
        count, refreshed_at = held
        yield gauge("sightline_held_messages", "Messages that workers hold.", count)
        meaning = "Since the oldest lease of a held message was refreshed."
        yield gauge("sightline_lease_age_seconds", meaning, max(0.0, time.time() - refreshed_at))
    meaning = "Leases older than this return."
    yield gauge("sightline_lease_limit_seconds", meaning, services.settings.visibility_timeout_s)


def open_work(services: ApiServices) -> Iterator[Metric]:
    open_frames = sum(services.publisher.ledger.open_frames().values())
    yield gauge("sightline_open_frames", "Frames accepted and not finished.", open_frames)
    limit = services.settings.max_open_frames
    yield gauge("sightline_open_frames_limit", "So many may be open, over all sources.", limit)
    yield gauge("sightline_oldest_open_seconds", "Age of the oldest open job; 0: none.", oldest_open_s(services) or 0)


def frames(services: ApiServices) -> Iterator[Metric]:
    """Of all sources together: cameras may be many."""
    totals: Counter[tuple[str, str]] = Counter()
    for outcomes in services.publisher.ledger.counts().values():
        for outcome, number in outcomes.items():
            name, _, reason = outcome.partition(":")
            totals[name, reason] += number
    yield counters("sightline_frames", "Frames by what became of them.", ("outcome", "reason"), totals)
