"""How long it took until all was well again, as the receiver at the far end saw it.

A job is done when the receiver has `frame.stored` of its last frame. It came late if that took more than `LATE_S` from
its publish. Recovery is the time from the strike to the last job of the round that came late: from then on work goes
on at the pace before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.chaos.journal import Entry
from benchmarks.chaos.rounds import Round
from benchmarks.chaos.verdict.findings import Findings
from sightline.wire.events import Event

LATE_S = 2.0


def measure(rounds: Sequence[Round], entries: Mapping[str, Entry], found: Findings) -> None:
    """Fill in the times of the rounds."""
    told_at = _told_at(found)
    for this in rounds:
        this.recovered_s = 0.0
    for entry in entries.values():
        times = [told_at[frame_id] for frame_id in entry.frame_ids if frame_id in told_at]
        if not times or entry.poison:
            continue
        this, published_at, done_at = rounds[entry.round or 0], entry.job.published_at, max(times)
        after_s = done_at - this.struck_at
        if done_at - published_at > LATE_S:
            this.recovered_s = max(this.recovered_s or 0.0, after_s)
        if published_at > this.struck_at:
            this.goes_on_s = min(this.goes_on_s or after_s, after_s)


def _told_at(found: Findings) -> dict[str, float]:
    """When the receiver had `frame.stored`, by frame."""
    acted_at = {receipt.message_id: receipt.at for receipt in reversed(found.receipts) if receipt.acted}
    return {
        row.about: acted_at[delivery_id]
        for delivery_id, row in found.rows.outbox.items()
        if row.event is Event.FRAME_STORED and delivery_id in acted_at
    }
