"""The verdict on events: all were noted, all were sent, and the receiver acted on each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from benchmarks.chaos.rounds import Round, round_at
from benchmarks.chaos.verdict.findings import Findings
from sightline.wire.events import Event


def judge_events(rounds: Sequence[Round], found: Findings) -> list[str]:
    """Returns what was broken. Fills in the rounds."""
    acts = [receipt for receipt in found.receipts if receipt.acted]
    for receipt in found.receipts:
        this = round_at(rounds, receipt.at)
        this.events += receipt.acted
        this.events_again += not receipt.acted
    twice = {digest for digest, times in Counter(receipt.digest for receipt in acts).items() if times > 1}
    first = set[str]()
    for receipt in acts:
        round_at(rounds, receipt.at).acted_twice += receipt.digest in first
        first |= {receipt.digest} & twice
    return [
        *(f"event with body {digest}: the receiver acted on it twice" for digest in sorted(twice)),
        *_outbox(found),
        *_untold(found),
    ]


def _outbox(found: Findings) -> Iterator[str]:
    acts = Counter(receipt.message_id for receipt in found.receipts if receipt.acted)
    outbox = found.rows.outbox
    for delivery_id, row in outbox.items():
        event, times = f"event {delivery_id} ({row.event} of {row.about})", acts[delivery_id]
        if not row.sent:
            yield f"{event}: not delivered, {row.last_error}"
        if times > 1 or (row.sent and not times):
            yield f"{event}: the receiver acted on it {times} times"
    for message_id in sorted(acts.keys() - outbox.keys()):
        yield f"event {message_id}: received, but not in the outbox"


def _untold(found: Findings) -> Iterator[str]:
    """Of every frame and passage its events must be there."""
    rows = found.rows
    told: dict[Event, set[str]] = {event: set() for event in Event}
    for row in rows.outbox.values():
        told[row.event].add(row.about)
    wanted = {
        Event.FRAME_STORED: set(rows.frames),
        Event.FRAME_DEAD: set(rows.dead),
        Event.PASSAGE_NEW: rows.passages,
        Event.PASSAGE_FINAL: rows.passages,
    }
    for event, subjects in wanted.items():
        for subject in sorted(subjects - told[event]):
            yield f"{event} of {subject}: was never noted"
