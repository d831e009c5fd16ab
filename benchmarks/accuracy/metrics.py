"""The arithmetic: rates with intervals, errors of characters, calibration. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from sightline.types import Xyxy

_Z_95 = 1.959964
_RESAMPLES = 2000


class Share(NamedTuple):
    """A share with its 95 % interval, all 0..1; `low` and `high` are 0 and 1 where nothing was counted."""

    value: float
    low: float
    high: float


class Bin(NamedTuple):
    """What was said with a confidence in [low, high); how often, how sure on average, how often right."""

    low: float
    high: float
    size: int
    confidence: float
    right: float


def wilson(hits: int, total: int) -> Share:
    """A rate with Wilson's score interval (Wilson 1927), which holds for few photos and near 0 and 1 too."""
    if not total:
        return Share(0.0, 0.0, 1.0)
    rate, square = hits / total, _Z_95**2
    center = (rate + square / (2 * total)) / (1 + square / total)
    half = _Z_95 / (1 + square / total) * sqrt(rate * (1 - rate) / total + square / (4 * total**2))
    return Share(rate, max(0.0, center - half), min(1.0, center + half))


def error_rate(errors: Sequence[int], lengths: Sequence[int]) -> Share:
    """Sum of errors by sum of lengths, with a percentile bootstrap over the photos (Efron 1979; fixed seed)."""
    if not sum(lengths):
        return Share(0.0, 0.0, 1.0)
    pairs = np.array([errors, lengths], np.float64)
    picks = np.random.default_rng(0).integers(0, len(errors), (_RESAMPLES, len(errors)))
    sums = pairs[:, picks].sum(axis=2)
    low, high = np.percentile(sums[0] / np.maximum(sums[1], 1), [2.5, 97.5])
    return Share(float(pairs[0].sum() / pairs[1].sum()), float(low), float(high))


def reliability(confidences: Sequence[float], right: Sequence[bool], bins: int = 10) -> list[Bin]:
    """Bins of equal width that hold something; 1.0 belongs to the last."""
    found: list[Bin] = []
    places = [min(int(confidence * bins), bins - 1) for confidence in confidences]
    for place in sorted(set(places)):
        inside = [index for index, its_place in enumerate(places) if its_place == place]
        said = sum(confidences[index] for index in inside) / len(inside)
        hits = sum(right[index] for index in inside) / len(inside)
        found.append(Bin(place / bins, (place + 1) / bins, len(inside), said, hits))
    return found


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Expected calibration error (Naeini 2015): how far confidence and rate are apart, weighted by size."""
    total = sum(each.size for each in bins)
    return sum(each.size * abs(each.confidence - each.right) for each in bins) / total if total else None


def overlap(one: Xyxy, other: Xyxy) -> float:
    """The area both boxes cover, in pixels."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)


def iou(one: Xyxy, other: Xyxy) -> float:
    """Intersection over union."""
    both = overlap(one, other)
    union = _area(one) + _area(other) - both
    return both / union if union > 0 else 0.0


def edits(read: str, true: str) -> int:
    """Characters to insert, delete or replace (Levenshtein)."""
    return int(Levenshtein.distance(read, true))


def differences(read: str, true: str) -> str:
    """Which characters differ, for people: `B→8 at 3, lost 1 at 7, added X at 1`; places in the true text, from 1."""
    said: list[str] = []
    for step in Levenshtein.opcodes(true, read):
        was, now = true[step.src_start : step.src_end], read[step.dest_start : step.dest_end]
        if step.tag == "replace":
            said.append(f"{was}→{now} at {step.src_start + 1}")
        elif step.tag == "delete":
            said.append(f"lost {was} at {step.src_start + 1}")
        elif step.tag == "insert":
            said.append(f"added {now} at {step.src_start + 1}")
    return ", ".join(said)


def _area(box: Xyxy) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
