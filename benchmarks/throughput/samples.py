"""What is measured, and the arithmetic of the table: ratios within a round, medians over the rounds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One figure of one round."""

    name: str
    value: float
    unit: str  #: `frames/s`, `ms`
    baseline: str  #: name of the sample of the same round that it is compared with
    cpu_ms: Mapping[str, float] = field(default_factory=dict[str, float])  #: CPU time per frame, by role
    readings: float | None = None  #: plates read per frame
    base: float | None = None  #: the baseline's value at this very moment; None: what it was in the same round


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    unit: str
    value: float  #: median
    baseline: str
    ratio: float | None  #: median of the rounds' ratios; None where the baseline was not measured
    lowest: float | None  #: of the rounds' ratios
    highest: float | None  #: the same
    cpu_ms: dict[str, float]  #: medians
    readings: float | None  #: median


def rows_of(rounds: Sequence[Sequence[Sample]]) -> list[Row]:
    """One row a name, in the order in which the names came first."""
    by_name: dict[str, list[tuple[Sample, float | None]]] = {}
    for samples in rounds:
        values = {sample.name: sample.value for sample in samples}
        for sample in samples:
            base = sample.base or values.get(sample.baseline)
            by_name.setdefault(sample.name, []).append((sample, sample.value / base if base else None))
    return [_row(found) for found in by_name.values()]


def _row(found: Sequence[tuple[Sample, float | None]]) -> Row:
    samples = [sample for sample, _ in found]
    ratios = [ratio for _, ratio in found if ratio is not None]
    readings = [sample.readings for sample in samples if sample.readings is not None]
    roles = dict.fromkeys(role for sample in samples for role in sample.cpu_ms)
    return Row(
        name=samples[0].name,
        unit=samples[0].unit,
        value=median(sample.value for sample in samples),
        baseline=samples[0].baseline,
        ratio=median(ratios) if ratios else None,
        lowest=min(ratios, default=None),
        highest=max(ratios, default=None),
        cpu_ms={role: median(sample.cpu_ms.get(role, 0.0) for sample in samples) for role in roles},
        readings=median(readings) if readings else None,
    )


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0..1) of all do not exceed.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("values: none given; a quantile needs at least one")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
