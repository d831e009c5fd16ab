"""A fault of ten seconds as if it lasted for long: what was said in its last seconds is said again and again.

Of what only grows, and of ages that grew a second a second, the growth goes on too. So no clock is stretched: a
process that starts again in four seconds is away for four seconds, and rules are judged by their own times.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise

from benchmarks.chaos.alerts.scrapes import Sample

#: So many looks are repeated.
_WINDOW = 5


def longer(ticks: Sequence[Sample], counters: Collection[str], more: int) -> list[Sample]:
    """The ticks, and `more` after them that go on as the last ones did."""
    window = ticks[-_WINDOW:]
    drift = {series: _drift([tick.get(series) for tick in window], series in counters) for series in window[-1]}
    added = [
        {series: value + drift.get(series, 0.0) * (1 + place // _WINDOW) for series, value in tick.items()}
        for place, tick in ((place, window[place % _WINDOW]) for place in range(more))
    ]
    return [*ticks, *added]


def after_long(ticks: Sequence[Sample], counters: Collection[str], before: int) -> list[Sample]:
    """The ticks, after `before` that go on as the first ones did; counters go on from there."""
    first = longer(ticks[:_WINDOW], counters, before)
    ahead = {series: first[-1].get(series, 0.0) - ticks[_WINDOW - 1].get(series, 0.0) for series in counters}
    rest = [{series: value + ahead.get(series, 0.0) for series, value in tick.items()} for tick in ticks[_WINDOW:]]
    return [*first, *rest]


def _drift(values: Sequence[float | None], is_counter: bool) -> float:
    """By how much it grows from one window to the next."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return 0.0
    steps = [after - before for before, after in pairwise(known)]
    grown = sum(steps) * len(values) / len(steps)
    if is_counter:
        return max(0.0, grown)
    grows_with_time = min(steps) >= 0 and sum(steps) > 0.5 * len(steps)
    return grown if grows_with_time and max(steps) < 5 else 0.0
